//! [`Draft`]: a row under construction, in the same form for all formats of files.

use std::collections::HashSet;

use super::mapping::{Mapping, Target};
use super::name_match::fold;
use super::part::Part;
use super::provenance::Provenance;
use super::renaming::{Named, NamesOf, Renaming, Role, add_defaults};
use super::row::{BadRow, BadRowKind, Names, Row};
use super::text::{text, text_of};
use keyferry_schema::Input;
use keyferry_store::Timestamp;
use keyferry_types::echo::{masked_note, safe_name};
use keyferry_types::ids::{AuthTypeName, FieldName, InvalidName, LinkedAccountId};
use keyferry_types::moment::{Exactness, Moment};
use keyferry_types::secret::SharedSecret;

/// Milliseconds of 2000-01-01T00:00:00Z. A smaller number counts neither milliseconds nor seconds: spreadsheets count days.
const YEAR_2000: u64 = 946_684_800_000;
/// Characters of an account's name.
const LONGEST_NAME: usize = 256;
/// The longest name of an app, in characters.
const LONGEST_SLUG: usize = 256;

/// The reason why a value is a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The part's name.
    Name,
    /// A rule of the mapping, which beats a name.
    Rule,
}

/// A row under construction.
#[derive(Default)]
pub(super) struct Draft {
    parts: Vec<(Part, Input, By)>,
    fields: Vec<Named>,
    /// Values that are no field, by their paths.
    unread: Vec<(String, Input)>,
    /// Spare fields, if names are another system's though the file is Keyferry's own.
    foreign: Option<Vec<String>>,
    /// Whether field names are another system's.
    is_foreign: bool,
    /// The auth type, if the shape of a source implies it.
    proposed: Option<&'static str>,
}

impl Draft {
    /// Adds a part. A part that is `null` or empty is absent.
    pub(super) fn part(&mut self, part: Part, value: Input) -> Result<(), BadRow> {
        self.part_by(By::Name, part, value)
    }

    /// Adds a part, which beats one of the same name where a rule says that it is one.
    pub(super) fn part_by(&mut self, by: By, part: Part, value: Input) -> Result<(), BadRow> {
        let is_absent = match &value {
            Input::Null => true,
            Input::Text(text) => text.expose().trim().is_empty(),
            _ => false,
        };
        if is_absent {
            return Ok(());
        }
        match self.parts.iter_mut().find(|(other, ..)| *other == part) {
            Some((_, _, other)) if *other == by => {
                let message = format!("`{}` is there twice", part.name());
                return Err(BadRow::new(BadRowKind::Repeated, message).field(part.name()));
            }
            Some((_, _, By::Rule)) => {}
            Some(named) => *named = (part, value, by),
            None => self.parts.push((part, value, by)),
        }
        Ok(())
    }

    /// Adds a part unless it is there.
    pub(super) fn part_if_absent(&mut self, part: Part, value: Input) -> Result<(), BadRow> {
        if self.get(part).is_some() { Ok(()) } else { self.part(part, value) }
    }

    /// Adds a field. One that is `null` or empty is absent.
    pub(super) fn field(&mut self, path: &str, value: Input) {
        self.named(Named { path: path.to_owned(), name: path.to_owned(), value, role: Role::Proper });
    }

    /// Adds a value that is a part by its name, and a field in rows of apps for which a rule says so.
    pub(super) fn ruled(&mut self, path: &str, value: &Input, mapping: &Mapping) {
        if mapping.knows(path)
            && let Input::Text(value) | Input::Number(value) = value
        {
            let value = Input::Text(SharedSecret::clone(value));
            self.named(Named { path: path.to_owned(), name: path.to_owned(), value, role: Role::Ruled });
        }
    }

    /// Adds a field under the names that it has. Fields are texts: a number or a boolean is made one.
    pub(super) fn named(&mut self, mut named: Named) {
        named.value = match named.value {
            Input::Number(digits) => Input::Text(digits),
            Input::Bool(value) => text(&value.to_string()),
            value => value,
        };
        let is_absent = match &named.value {
            Input::Null => true,
            Input::Text(text) => text.is_empty(),
            _ => false,
        };
        if !is_absent {
            self.fields.push(named);
        }
    }

    /// Marks the row as another system's, with a credential of probably that auth type.
    pub(super) fn propose(&mut self, auth_type: &'static str) {
        (self.is_foreign, self.proposed) = (true, Some(auth_type));
    }

    /// Adds a value that is no field.
    pub(super) fn unread(&mut self, path: &str, value: Input) {
        self.unread.push((path.to_owned(), value));
    }

    /// The paths of the values that may become fields.
    pub(super) fn paths(&self) -> HashSet<&str> {
        self.fields.iter().map(|field| field.path.as_str()).collect()
    }

    /// Marks the names of fields as another system's, of which these are spare.
    pub(super) fn foreign(&mut self, spare: Vec<String>) {
        self.foreign = Some(spare);
    }

    pub(super) fn get(&self, part: Part) -> Option<&Input> {
        self.parts.iter().find(|(other, ..)| *other == part).map(|(_, value, _)| value)
    }

    /// The field at that path of the file.
    pub(super) fn path(&self, path: &str) -> Option<&Named> {
        self.fields.iter().find(|field| field.path == path)
    }

    /// Whether any value belongs to a credential.
    pub(super) fn has_proper(&self, mapping: &Mapping, slug: &str) -> bool {
        let rule = |from: &str| mapping.column_of(slug, from).or_else(|| mapping.column(from));
        let is_ruled = |from: &str| matches!(rule(from), Some(Target::Field(_)));
        self.fields.iter().any(|field| field.role == Role::Proper || is_ruled(&field.path) || is_ruled(&field.name))
    }

    fn take(&mut self, part: Part) -> Option<Input> {
        let at = self.parts.iter().position(|(other, ..)| *other == part)?;
        Some(self.parts.swap_remove(at).1)
    }

    /// The linked account, if the row has a valid one.
    pub(super) fn account(&self) -> Option<LinkedAccountId> {
        text_of(self.get(Part::Account)?)?.parse().ok()
    }

    /// The app, by the name that it has here.
    pub(super) fn slug<'a>(&'a self, mapping: &'a Mapping) -> Option<&'a str> {
        match self.get(Part::Slug).and_then(text_of) {
            Some(written) => Some(mapping.slug(written).unwrap_or(written)),
            None => mapping.default_of(Part::Slug).map(|slug| slug.expose()),
        }
    }

    /// Makes a row of the draft.
    pub(super) fn finish(mut self, mapping: &Mapping, names: Names) -> Result<Row, BadRow> {
        let (account, slug) = (self.account(), self.slug(mapping).map(str::to_owned));
        self.complete(mapping, names).map_err(|bad| bad.of(account.as_ref(), slug.as_deref()))
    }

    fn complete(&mut self, mapping: &Mapping, names: Names) -> Result<Row, BadRow> {
        let wrong = [self.whose(mapping).err(), self.whence(mapping).err(), self.lacks_type(mapping)];
        if let Some(bad) = wrong.into_iter().flatten().reduce(BadRow::and) {
            return Err(bad);
        }
        let account = self.whose(mapping)?;
        let slug = self.whence(mapping)?;
        self.yield_to_rules(mapping, &slug);
        let name = self.account_name(mapping)?;
        let (updated_at, note) = self.updated_at()?;
        let mut origin = Provenance::default();
        let (auth_object, spare) = self.auth_object(mapping, &slug, &mut origin)?;
        origin.unread.append(&mut self.unread);
        let names = match (names, self.foreign.take()) {
            (Names::Own, Some(spare)) => Names::Foreign { spare },
            (Names::Own, None) => Names::Own,
            (Names::Foreign { .. }, _) => Names::Foreign { spare },
        };
        Ok(Row { account, slug, auth_object, name, updated_at, names, warnings: note.into_iter().collect(), origin })
    }

    /// Removes parts that a rule for the row's app makes fields.
    fn yield_to_rules(&mut self, mapping: &Mapping, slug: &str) {
        for field in self.fields.iter().filter(|field| field.role == Role::Ruled) {
            if mapping.column_of(slug, &field.path).is_some() {
                let spelled = Part::spelled(&field.path);
                let is_same = |part: &Part| spelled == Some(*part);
                let can_go = |part: &Part| matches!(part, Part::AccountName | Part::UpdatedAt | Part::AuthType);
                self.parts.retain(|(part, _, by)| *by == By::Rule || !is_same(part) || !can_go(part));
            }
        }
    }

    fn whose(&self, mapping: &Mapping) -> Result<LinkedAccountId, BadRow> {
        let Some(value) = self.get(Part::Account) else {
            let default = mapping.default_of(Part::Account).and_then(|account| account.expose().parse().ok());
            return default.ok_or_else(|| BadRow::missing(Part::Account.name(), ""));
        };
        let text = text_of(value).ok_or_else(|| not_text(Part::Account, value))?;
        text.parse().map_err(|error: InvalidName| none_such(Part::Account, &error))
    }

    fn whence(&self, mapping: &Mapping) -> Result<String, BadRow> {
        if let Some(value) = self.get(Part::Slug).filter(|value| text_of(value).is_none()) {
            return Err(not_text(Part::Slug, value));
        }
        match self.slug(mapping) {
            None => Err(BadRow::missing(Part::Slug.name(), " (a default can be given: `slug:=hubspot`)")),
            Some(slug) if slug.chars().count() > LONGEST_SLUG => {
                Err(BadRow::value(Part::Slug.name(), "is too long for the name of an app"))
            }
            Some(slug) => Ok(slug.to_owned()),
        }
    }

    /// The error of a row without an auth type.
    fn lacks_type(&self, mapping: &Mapping) -> Option<BadRow> {
        let is_there =
            self.get(Part::AuthObject).is_some() || self.get(Part::AuthType).is_some() || self.proposed.is_some();
        if is_there || mapping.default_of(Part::AuthType).is_some() {
            return None;
        }
        let aside = " (a default can be given: `auth_type:=keybased`), and so is `auth_object`";
        Some(BadRow::missing(Part::AuthType.name(), aside))
    }

    fn account_name(&mut self, mapping: &Mapping) -> Result<Option<String>, BadRow> {
        let name = match self.take(Part::AccountName) {
            Some(value) => text_of(&value).ok_or_else(|| not_text(Part::AccountName, &value))?.to_owned(),
            None => return Ok(mapping.default_of(Part::AccountName).map(|name| name.expose().to_owned())),
        };
        if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            let rule = format!("must be up to {LONGEST_NAME} characters without control characters");
            return Err(BadRow::value(Part::AccountName.name(), rule));
        }
        Ok(Some(name))
    }

    /// When the credential was last changed, and a note on how its time was read.
    fn updated_at(&mut self) -> Result<(Option<Timestamp>, Option<String>), BadRow> {
        let name = Part::UpdatedAt.name();
        let Some(value) = self.take(Part::UpdatedAt) else { return Ok((None, None)) };
        let text = text_of(&value).ok_or_else(|| not_text(Part::UpdatedAt, &value))?;
        let moment = Moment::read(text).map_err(|error| BadRow::value(name, error))?;
        if moment.millis < YEAR_2000 {
            let why = "must be a time, and as one it is before the year 2000; of a date in a spreadsheet, format the column as text \
                       (2026-12-31 23:59:59) and export it again";
            return Err(BadRow::value(name, why));
        }
        let note = match moment.exactness {
            Exactness::Exact => None,
            Exactness::SupposedUtc => Some(format!("`{name}` has no offset from UTC, and was read as UTC")),
            Exactness::Minutes(minutes) => Some(format!("`{name}` is a shortened number, exact to {minutes} minutes")),
        };
        Ok((Some(Timestamp::from_millis(moment.millis)), note))
    }

    fn auth_object(
        &mut self,
        mapping: &Mapping,
        slug: &str,
        origin: &mut Provenance,
    ) -> Result<(Input, Vec<String>), BadRow> {
        let Some(whole) = self.take(Part::AuthObject) else {
            return self.gathered(mapping, slug, origin);
        };
        if self.fields.iter().any(|field| field.role != Role::Ruled) {
            let message = "`auth_object` holds the whole credential, and there are fields beside it";
            return Err(BadRow::new(BadRowKind::InvalidValue, message).field(Part::AuthObject.name()));
        }
        let Input::Object(members) = whole else {
            return Err(BadRow::value(
                Part::AuthObject.name(),
                format_args!("must be an object, and is {}", whole.kind()),
            ));
        };
        let mut types = Vec::with_capacity(members.len());
        let is_one = members.len() == 1;
        for (written, value) in members {
            let auth_type = mapping.auth_type(&written).map_or(written.clone(), str::to_owned);
            let Input::Object(fields) = value else {
                types.push((auth_type, value));
                continue;
            };
            let proper = |(name, value): (String, Input)| {
                let whole = format!("auth_object.{written}.{name}");
                let path = if mapping.knows(&whole) { whole } else { format!("auth_object.{name}") };
                Named { path, name, value, role: Role::Proper }
            };
            let fields = fields.into_iter().map(proper).collect();
            let mut fields = Renaming { mapping, slug, names: NamesOf::App }.renamed(fields, origin)?.0;
            if is_one {
                add_defaults(&mut fields, mapping, slug, origin);
            }
            types.push((auth_type, Input::Object(fields)));
        }
        Ok((Input::Object(types), Vec::new()))
    }

    fn gathered(
        &mut self,
        mapping: &Mapping,
        slug: &str,
        origin: &mut Provenance,
    ) -> Result<(Input, Vec<String>), BadRow> {
        let is_proposed = self.proposed.is_some() && self.get(Part::AuthType).is_none();
        origin.is_type_fixed = !is_proposed;
        let auth_type = match self.take(Part::AuthType) {
            Some(value) => {
                let written = text_of(&value).ok_or_else(|| not_text(Part::AuthType, &value))?;
                mapping.auth_type(written).unwrap_or(written).to_owned()
            }
            None if is_proposed => {
                let proposed = self.proposed.take().unwrap_or_default();
                let ours = mapping.auth_type(proposed).or_else(|| mapping.default_type(slug).map(|ours| ours.expose()));
                origin.is_type_fixed = ours.is_some();
                ours.unwrap_or(proposed).to_owned()
            }
            None => match mapping.default_type(slug) {
                Some(auth_type) => auth_type.expose().to_owned(),
                None => return Err(BadRow::missing(Part::AuthType.name(), "")),
            },
        };
        let auth_type = auth_type_name(auth_type).map_err(|error| none_such(Part::AuthType, &error))?;
        let names = if self.is_foreign { NamesOf::Source } else { NamesOf::App };
        let fields = std::mem::take(&mut self.fields);
        let (mut fields, spare) = Renaming { mapping, slug, names }.renamed(fields, origin)?;
        if let Some((name, _)) = fields.iter().find(|(name, _)| name.parse::<FieldName>().is_err()) {
            let shown = safe_name(name, Part::NAMES);
            let aside = masked_note(name, shown);
            let message =
                format!("`{shown}` is no name that a field can have; map it, or leave it out by `column=`{aside}");
            return Err(BadRow::new(BadRowKind::UnknownColumn, message));
        }
        add_defaults(&mut fields, mapping, slug, origin);
        if fields.is_empty() {
            return Err(BadRow::new(BadRowKind::MissingColumn, "the credential is missing: no field has a value"));
        }
        Ok((Input::Object(vec![(auth_type, Input::Object(fields))]), spare))
    }
}

fn not_text(part: Part, value: &Input) -> BadRow {
    BadRow::value(part.name(), format_args!("must be a string, and is {}", value.kind()))
}

/// An auth type by the name that it is given, or by its letters and digits alone where that is no name: `OAuth 2` -> `oauth2`.
fn auth_type_name(written: String) -> Result<String, InvalidName> {
    let Err(error) = written.parse::<AuthTypeName>() else { return Ok(written) };
    let folded = fold(&written);
    if folded.parse::<AuthTypeName>().is_ok() { Ok(folded) } else { Err(error) }
}

/// The error of a value that is not a valid name of its kind.
fn none_such(part: Part, error: &InvalidName) -> BadRow {
    BadRow::value(part.name(), format_args!("is not valid: {}", error.rule()))
}
