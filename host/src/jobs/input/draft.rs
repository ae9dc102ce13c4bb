//! [`Draft`]: a row under construction, whatever its file looks like.

use super::mapping::{Mapping, Part, Target};
use super::moment::moment;
use super::row::{BadRow, BadRowKind, Names, Row};
use crate::ids::{AccountId, AuthTypeName, FieldName, InvalidName};
use crate::schema::Input;
use crate::secret::{Secret, SharedSecret};
use crate::shown::{aside, shown};
use crate::store::Timestamp;

/// Characters of an account's name.
const LONGEST_NAME: usize = 256;
/// Characters of the name of an app, before it is looked at closer.
const LONGEST_SLUG: usize = 256;

/// A value that may become a field of the credential.
pub(super) struct Named {
    /// Where it stands in the file: `connection_config.subdomain`. Rules of a mapping can name it so.
    pub(super) path: String,
    /// What it is called unless a mapping says otherwise. Rules can name it so, too.
    pub(super) name: String,
    pub(super) value: Input,
    pub(super) role: Role,
}

/// What a value is to the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is the credential, or a part of it.
    Proper,
    /// It stands beside the credential at its source.
    Spare,
}

/// A row under construction.
#[derive(Default)]
pub(super) struct Draft {
    parts: Vec<(Part, Input)>,
    fields: Vec<Named>,
    /// Fields to spare, where names are another system's though the file is of ours.
    foreign: Option<Vec<String>>,
}

impl Draft {
    /// Adds a part. A part that is `null` or empty is absent.
    pub(super) fn part(&mut self, part: Part, value: Input) -> Result<(), BadRow> {
        let is_absent = match &value {
            Input::Null => true,
            Input::Text(text) => text.expose().trim().is_empty(),
            _ => false,
        };
        if is_absent {
            return Ok(());
        }
        if self.get(part).is_some() {
            return Err(
                BadRow::new(BadRowKind::Repeated, format!("`{}` is there twice", part.name())).field(part.name())
            );
        }
        self.parts.push((part, value));
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

    /// Its names are another system's, and these fields are to spare.
    pub(super) fn foreign(&mut self, spare: Vec<String>) {
        self.foreign = Some(spare);
    }

    pub(super) fn get(&self, part: Part) -> Option<&Input> {
        self.parts.iter().find(|(other, _)| *other == part).map(|(_, value)| value)
    }

    /// The field that stands at that place of the file.
    pub(super) fn path(&self, path: &str) -> Option<&Named> {
        self.fields.iter().find(|field| field.path == path)
    }

    /// Whether there is anything of a credential.
    pub(super) fn has_proper(&self) -> bool {
        self.fields.iter().any(|field| field.role == Role::Proper)
    }

    fn take(&mut self, part: Part) -> Option<Input> {
        let at = self.parts.iter().position(|(other, _)| *other == part)?;
        Some(self.parts.swap_remove(at).1)
    }

    /// The account, if it is there and one.
    pub(super) fn account(&self) -> Option<AccountId> {
        text_of(self.get(Part::Account)?)?.parse().ok()
    }

    /// The app, by the name that it has here.
    pub(super) fn slug<'a>(&'a self, mapping: &'a Mapping) -> Option<&'a str> {
        match self.get(Part::Slug).and_then(text_of) {
            Some(written) => Some(mapping.slug(written).unwrap_or(written)),
            None => mapping.default_of(Part::Slug).map(|slug| slug.expose()),
        }
    }

    /// The row, as far as it is one.
    pub(super) fn finish(mut self, mapping: &Mapping, names: Names) -> Result<Row, BadRow> {
        let (account, slug) = (self.account(), self.slug(mapping).map(str::to_owned));
        self.complete(mapping, names).map_err(|bad| bad.of(account.as_ref(), slug.as_deref()))
    }

    fn complete(&mut self, mapping: &Mapping, names: Names) -> Result<Row, BadRow> {
        let account = self.whose()?;
        let slug = self.whence(mapping)?;
        let name = self.account_name(mapping)?;
        let updated_at = self.updated_at()?;
        let (auth_object, spare) = self.auth_object(mapping, &slug)?;
        let names = match (names, self.foreign.take()) {
            (Names::Own, Some(spare)) => Names::Foreign { spare },
            (Names::Own, None) => Names::Own,
            (Names::Foreign { .. }, _) => Names::Foreign { spare },
        };
        Ok(Row { account, slug, auth_object, name, updated_at, names })
    }

    fn whose(&self) -> Result<AccountId, BadRow> {
        let aside = " (what it is called can be told: `customer=linked_account_id`)";
        let value = self.get(Part::Account).ok_or_else(|| BadRow::missing(Part::Account.name(), aside))?;
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

    fn updated_at(&mut self) -> Result<Option<Timestamp>, BadRow> {
        let rule = "must be a time as RFC 3339 writes it, or in milliseconds since 1970";
        let Some(value) = self.take(Part::UpdatedAt) else { return Ok(None) };
        moment(&value).map(Some).ok_or_else(|| BadRow::value(Part::UpdatedAt.name(), rule))
    }

    fn auth_object(&mut self, mapping: &Mapping, slug: &str) -> Result<(Input, Vec<String>), BadRow> {
        let Some(whole) = self.take(Part::AuthObject) else {
            return self.gathered(mapping, slug);
        };
        if !self.fields.is_empty() {
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
        for (auth_type, value) in members {
            let auth_type = mapping.auth_type(&auth_type).map_or(auth_type.clone(), str::to_owned);
            let Input::Object(fields) = value else {
                types.push((auth_type, value));
                continue;
            };
            let proper = |(name, value): (String, Input)| Named {
                path: format!("auth_object.{name}"),
                name,
                value,
                role: Role::Proper,
            };
            let (fields, _) = renamed(fields.into_iter().map(proper).collect(), mapping, slug)?;
            types.push((auth_type, Input::Object(fields)));
        }
        Ok((Input::Object(types), Vec::new()))
    }

    fn gathered(&mut self, mapping: &Mapping, slug: &str) -> Result<(Input, Vec<String>), BadRow> {
        let auth_type = match self.take(Part::AuthType) {
            Some(value) => {
                let written = text_of(&value).ok_or_else(|| not_text(Part::AuthType, &value))?;
                mapping.auth_type(written).unwrap_or(written).to_owned()
            }
            None => match mapping.default_of(Part::AuthType) {
                Some(auth_type) => auth_type.expose().to_owned(),
                None => {
                    let aside = " (a default can be given: `auth_type:=keybased`), and so is `auth_object`";
                    return Err(BadRow::missing(Part::AuthType.name(), aside));
                }
            },
        };
        auth_type.parse::<AuthTypeName>().map_err(|error| none_such(Part::AuthType, &error))?;
        let (mut fields, spare) = renamed(std::mem::take(&mut self.fields), mapping, slug)?;
        if let Some((name, _)) = fields.iter().find(|(name, _)| name.parse::<FieldName>().is_err()) {
            let shown = shown(name, Part::NAMES);
            let aside = aside(name, shown);
            let message =
                format!("`{shown}` is no name that a field can have; map it, or leave it out by `column=`{aside}");
            return Err(BadRow::new(BadRowKind::UnknownColumn, message));
        }
        for (name, value) in mapping.default_fields() {
            if !fields.iter().any(|(other, _)| other == name.as_str()) {
                fields.push((name.as_str().to_owned(), Input::Text(SharedSecret::clone(value))));
            }
        }
        if fields.is_empty() {
            return Err(BadRow::new(BadRowKind::MissingColumn, "the credential is missing: no field has a value"));
        }
        Ok((Input::Object(vec![(auth_type, Input::Object(fields))]), spare))
    }
}

/// Fields under the names that they have here, and which of them are spare. A spare one makes way for one of the same name.
type Renamed = (Vec<(String, Input)>, Vec<String>);

fn renamed(fields: Vec<Named>, mapping: &Mapping, slug: &str) -> Result<Renamed, BadRow> {
    let (mut named, mut spare): Renamed = (Vec::with_capacity(fields.len()), Vec::new());
    for Named { path, name, value, role } in fields {
        let of_app = || mapping.column_of(slug, &path).or_else(|| mapping.column_of(slug, &name));
        let name = match of_app().or_else(|| mapping.column(&path)).or_else(|| mapping.column(&name)) {
            Some(Target::Field(name)) => name.as_str().to_owned(),
            Some(Target::Nothing) => continue,
            // A part of a row was found before; where it is none of this row, the column is a field like others.
            Some(Target::Part(_)) | None => name,
        };
        if named.iter().any(|(other, _)| *other == name) {
            if role == Role::Spare {
                continue;
            }
            let shown = shown(&name, Part::NAMES);
            let message = format!("the field `{shown}` is there twice{}", aside(&name, shown));
            return Err(BadRow::new(BadRowKind::Repeated, message));
        }
        if role == Role::Spare {
            spare.push(name.clone());
        }
        named.push((name, value));
    }
    Ok((named, spare))
}

/// A text, or a number as text.
pub(super) fn text_of(value: &Input) -> Option<&str> {
    match value {
        Input::Text(text) => Some(text.expose().trim()),
        Input::Number(digits) => Some(digits.expose()),
        Input::Null | Input::Bool(_) | Input::Array(_) | Input::Object(_) => None,
    }
}

pub(super) fn text(value: &str) -> Input {
    Input::Text(SharedSecret::new(Secret::new(value)))
}

fn not_text(part: Part, value: &Input) -> BadRow {
    BadRow::value(part.name(), format_args!("must be a string, and is {}", value.kind()))
}

/// The value is no name of its kind.
fn none_such(part: Part, error: &InvalidName) -> BadRow {
    BadRow::value(part.name(), format_args!("is none: {}", error.rule()))
}
