//! [`Export`]: a row of another system while it is read.

use super::alias::folded;
use super::slugs::{obvious, usual};
use super::values::{Lists, at, is_masked, scalar, snake, walk};
use crate::input::draft::{By, Draft};
use crate::input::json::{self, Place};
use crate::input::looks_secret::{is_telling_name, looks_secret};
use crate::input::mapping::{Mapping, Target};
use crate::input::part::Part;
use crate::input::renaming::{Named, Role};
use crate::input::row::{BadRow, BadRowKind, Names, Row};
use crate::input::text::{text, text_of};
use crate::input::timestamp::parse_timestamp;
use keyferry_schema::Input;
use keyferry_types::ids::FieldName;

/// Members that hold nothing of use and no secret that outlives the hour: an identity token, what a sign-in leaves behind.
const NEVER_KEPT: [&str; 4] = ["idtoken", "codeverifier", "csrfsecret", "stateprefix"];

/// Values that belong to a secret, though nothing in their names says so.
const PLAIN_PROPER: [&str; 3] = ["username", "client_email", "access_key_id"];

/// A row of another system.
pub(super) struct Export<'a> {
    pub(super) input: &'a Input,
    pub(super) mapping: &'a Mapping,
    pub(super) draft: Draft,
    /// What to do about values that are masked.
    unmask: &'static str,
    /// Whether a value that begins with `=` is one that the system works out where it is used.
    pub(super) has_expressions: bool,
    /// Paths of values with names like secrets that are not secret, and of values that were derived from stored ones.
    passed: Vec<&'static str>,
}

impl<'a> Export<'a> {
    /// Begins with what the mapping names.
    pub(super) fn begin(input: &'a Input, mapping: &'a Mapping, unmask: &'static str) -> Result<Self, BadRow> {
        if input.members().is_none() {
            let message = format!("a row must be an object, and is {}", input.kind());
            return Err(BadRow::new(BadRowKind::NotAnObject, message));
        }
        let mut draft = Draft::default();
        for part in [Part::Account, Part::Slug, Part::AuthType, Part::AccountName, Part::UpdatedAt] {
            if let Some(value) = mapping.sources(part).find_map(|path| scalar(at(input, path)?)) {
                // A rule says where the app's name is, and the name is still the system's.
                let is_theirs = |name: &&str| part == Part::Slug && mapping.slug(name).is_none();
                let ours = text_of(&value).filter(is_theirs).and_then(usual);
                let value = ours.map_or(value, text);
                draft.part_by(By::Rule, part, value)?;
            }
        }
        Ok(Self { input, mapping, draft, unmask, has_expressions: false, passed: Vec::new() })
    }

    /// Values at these paths, and within them, are neither read nor reported.
    pub(super) fn pass(&mut self, paths: &[&'static str]) {
        self.passed.extend_from_slice(paths);
    }

    pub(super) fn is_passed(&self, path: &str) -> bool {
        let name = path.rsplit('.').next().unwrap_or(path);
        let is_within =
            |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        NEVER_KEPT.contains(&folded(name).as_str()) || self.passed.iter().any(|known| is_within(known))
    }

    /// A part is the first of these that is there, unless the mapping says otherwise.
    pub(super) fn part(&mut self, part: Part, paths: &[&str]) -> Result<(), BadRow> {
        let found =
            paths.iter().filter_map(|path| scalar(at(self.input, path)?)).find(|value| text_of(value) != Some(""));
        found.map_or(Ok(()), |value| self.draft.part_if_absent(part, value))
    }

    /// The app, by the first of these that the mapping knows; otherwise the first one as it is.
    pub(super) fn slug(&mut self, paths: &[&str]) -> Result<(), BadRow> {
        self.slug_by(paths, obvious)
    }

    pub(super) fn slug_by(&mut self, paths: &[&str], obvious: fn(&str) -> String) -> Result<(), BadRow> {
        let names = || paths.iter().filter_map(|path| text_of(at(self.input, path)?)).filter(|name| !name.is_empty());
        let slug = match names().find_map(|name| self.mapping.slug(name)) {
            Some(slug) => slug.to_owned(),
            None => names().next().map(obvious).unwrap_or_default(),
        };
        if let Some(name) = names().find(|name| name.to_ascii_lowercase().contains("sandbox")) {
            let value = text(name);
            self.draft.named(Named {
                path: "provider".to_owned(),
                name: "environment".to_owned(),
                value,
                role: Role::Spare,
            });
        }
        self.draft.part_if_absent(Part::Slug, text(&slug))
    }

    pub(super) fn text(&self, path: &str) -> Option<&'a str> {
        text_of(at(self.input, path)?)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.text(path).is_some_and(|text| !text.is_empty())
    }

    /// A value that is the credential or a part of it.
    pub(super) fn proper(&mut self, path: &str, name: &str) -> Result<(), BadRow> {
        let Some(value) = at(self.input, path) else { return Ok(()) };
        self.proper_value(path, name, value)
    }

    pub(super) fn proper_value(&mut self, path: &str, name: &str, value: &Input) -> Result<(), BadRow> {
        let is_read = || !self.is_dropped(path, name);
        if is_masked(value) && is_read() {
            let message = format!("`{name}` is masked: {}", self.unmask);
            return Err(BadRow::new(BadRowKind::MaskedValue, message).field(name));
        }
        if self.is_expression(value) && is_read() {
            let message = format!(
                "`{name}` is an expression, and its value is not in the export: put the value there, or leave it out by a \
                 rule `{path}=`"
            );
            return Err(BadRow::new(BadRowKind::MaskedValue, message).field(name));
        }
        if !self.service_account(path, value)? {
            self.add(path, name, value, Role::Proper);
        }
        Ok(())
    }

    fn is_expression(&self, value: &Input) -> bool {
        self.has_expressions && matches!(value, Input::Text(text) if text.expose().trim_start().starts_with('='))
    }

    /// Whether a rule says that the value is not read.
    fn is_dropped(&self, path: &str, name: &str) -> bool {
        [path, name].iter().any(|from| self.mapping.column(from) == Some(&Target::Nothing))
    }

    /// When an access token ends, in milliseconds since 1970. What is no moment goes along as it is, for the schema to refuse: an
    /// end that is lost would not be missed until it comes.
    pub(super) fn expiry(&mut self, path: &str) {
        if let Some(value) = at(self.input, path) {
            self.expiry_value(path, value);
        }
    }

    pub(super) fn expiry_value(&mut self, path: &str, value: &Input) {
        match parse_timestamp(value) {
            Some(end) => self.add(path, "expires_at", &text(&end.as_millis().to_string()), Role::Spare),
            None => self.add(path, "expires_at", value, Role::Spare),
        }
    }

    /// Values beside the credential, except those names; members of objects, too.
    pub(super) fn spare(&mut self, path: &str, but: &[&str]) -> Result<(), BadRow> {
        for (path, name, value) in self.leaves(path, but) {
            // The rest of a file that was masked is no use, and no harm.
            let is_of_use = !is_masked(value) && !self.is_expression(value) && self.draft.path(&path).is_none();
            if is_of_use && !self.service_account(&path, value)? {
                self.add(&path, &name, value, Role::Spare);
            }
        }
        Ok(())
    }

    /// Values of an object whose names say which of them are secrets: those are the credential, the others are beside it.
    pub(super) fn told_by_names(&mut self, path: &str, but: &[&str]) -> Result<(), BadRow> {
        self.key_files(path, but)?;
        for (path, name, value) in self.leaves(path, but) {
            if self.draft.path(&path).is_some() {
                continue;
            }
            let is_proper = is_telling_name(&name) || PLAIN_PROPER.contains(&name.as_str());
            match is_proper {
                true => self.proper_value(&path, &name, value)?,
                false if is_masked(value) || self.is_expression(value) => {}
                false if self.service_account(&path, value)? => {}
                false => self.add(&path, &name, value, Role::Spare),
            }
        }
        Ok(())
    }

    /// Values within a member, with their paths and the names that fields would have: `authed_user.access_token` is
    /// `authed_user_access_token`.
    pub(super) fn leaves(&self, path: &str, but: &[&str]) -> Vec<(String, String, &'a Input)> {
        let mut leaves = Vec::new();
        if let Some(members) = at(self.input, path).and_then(Input::members) {
            for (name, value) in members.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
                walk(&format!("{path}.{name}"), &snake(name), value, Lists::Passed, &mut leaves);
            }
        }
        leaves.retain(|(path, ..)| !self.is_passed(path));
        leaves
    }

    /// Key files of service accounts that members of an object hold as objects.
    fn key_files(&mut self, path: &str, but: &[&str]) -> Result<(), BadRow> {
        for (name, value) in at(self.input, path).and_then(Input::members).unwrap_or_default() {
            let path = format!("{path}.{name}");
            if value.members().is_some() && !but.contains(&name.as_str()) && !self.is_passed(&path) {
                self.service_account(&path, value)?;
            }
        }
        Ok(())
    }

    /// The members of a service account's key file, if the value holds one, as text or as it is.
    pub(super) fn service_account(&mut self, path: &str, value: &Input) -> Result<bool, BadRow> {
        let parsed;
        let file = match value {
            Input::Text(text) => {
                let text = text.expose().trim();
                if !text.starts_with('{') || !text.contains("private_key") {
                    return Ok(false);
                }
                parsed = json::parse(text.as_bytes(), Place::START).unwrap_or(Input::Null);
                &parsed
            }
            value if value.member("client_email").is_some() => value,
            _ => return Ok(false),
        };
        let Some(key) = file.member("private_key") else { return Ok(false) };
        if is_masked(key) {
            let message = format!("`private_key` is masked: {}", self.unmask);
            return Err(BadRow::new(BadRowKind::MaskedValue, message).field("private_key"));
        }
        for (name, value) in file.members().unwrap_or_default() {
            let role =
                if name.starts_with("private_key") || name == "client_email" { Role::Proper } else { Role::Spare };
            self.add(&format!("{path}.{name}"), name, value, role);
        }
        Ok(true)
    }

    pub(super) fn add(&mut self, path: &str, name: &str, value: &Input, role: Role) {
        let is_name = name.parse::<FieldName>().is_ok();
        let is_mapped = self.mapping.knows(path) || self.mapping.knows(name);
        if let Some(value) = scalar(value).filter(|_| role == Role::Proper || is_name || is_mapped) {
            self.draft.named(Named { path: path.to_owned(), name: name.to_owned(), value, role });
        }
    }

    /// Adds what rules make fields of rows of that app, wherever in the row it is.
    fn add_mapped(&mut self, slug: &str) -> Result<(), BadRow> {
        for path in self.mapping.fields_of(slug) {
            if let Some(value) = at(self.input, path).filter(|_| self.draft.path(path).is_none()) {
                self.proper_value(path, path, value)?;
            }
        }
        Ok(())
    }

    /// Collects values that look like secrets and that nothing has read.
    fn pass_over(&mut self, slug: &str) {
        let (mut leaves, mut unread) = (Vec::new(), Vec::new());
        if let Some(members) = self.input.members() {
            members.iter().for_each(|(name, value)| walk(name, name, value, Lists::Read, &mut leaves));
        }
        let known = self.draft.paths();
        let is_ruled = |path: &str| self.mapping.column_of(slug, path).is_some() || self.mapping.column(path).is_some();
        for (path, _, value) in &leaves {
            let name = path.rsplit('.').next().unwrap_or(path);
            if !self.is_passed(path)
                && !known.contains(path.as_str())
                && !is_ruled(path)
                && !is_ruled(name)
                && !is_masked(value)
                && let Input::Text(text) = value
                && looks_secret(name, text.expose())
                && !known
                    .iter()
                    .any(|known| known.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.')))
                && let Some(value) = scalar(value)
            {
                unread.push((path.clone(), value));
            }
        }
        unread.into_iter().for_each(|(path, value)| self.draft.unread(&path, value));
    }

    /// The row, if it holds a credential of that auth type.
    fn finish(mut self, auth_type: &'static str) -> Result<Row, BadRow> {
        let slug = self.draft.slug(self.mapping).unwrap_or_default().to_owned();
        self.add_mapped(&slug).map_err(|bad| bad.of(self.draft.account().as_ref(), Some(&slug)))?;
        self.pass_over(&slug);
        if !self.draft.has_proper(self.mapping, &slug) {
            let message = "the credential is missing: none of its values is there";
            let bad = BadRow::new(BadRowKind::MissingColumn, message).field("credentials");
            return Err(bad.of(self.draft.account().as_ref(), Some(&slug)));
        }
        self.draft.propose(auth_type);
        self.draft.finish(self.mapping, Names::Foreign { spare: Vec::new() })
    }

    /// Reads a row by a function, and says of a bad one whose it is. Where rules say where the credential is, the function's own
    /// view of it does not count.
    pub(super) fn read(mut self, read: impl FnOnce(&mut Self) -> Result<&'static str, BadRow>) -> Result<Row, BadRow> {
        match read(&mut self) {
            Ok(auth_type) => self.finish(auth_type),
            Err(bad) => {
                let slug = self.draft.slug(self.mapping).unwrap_or_default().to_owned();
                let is_there =
                    |path: &str| at(self.input, path).is_some_and(|value| !is_masked(value) && scalar(value).is_some());
                if self.mapping.fields_of(&slug).any(is_there) {
                    return self.finish("keybased");
                }
                Err(bad.of(self.draft.account().as_ref(), self.draft.slug(self.mapping)))
            }
        }
    }
}

/// The error of a credential of a kind that cannot be taken over.
pub(super) fn unsupported(what: &str, instead: &str) -> BadRow {
    BadRow::new(BadRowKind::UnsupportedCredential, format!("{what} cannot be taken over; {instead}"))
}
