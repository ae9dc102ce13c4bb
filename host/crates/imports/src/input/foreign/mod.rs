//! Credentials in the exports of other systems: what of it is the credential, whose it is, and of which app.
//!
//! Each system has a file here, which says where its shapes are described. What they have in common: the credential's own
//! values become fields under the names that plugins usually have, and values beside it (a subdomain, a region) go along as a
//! field to spare, which an app that does not know it does without.

mod airbyte;
mod composio;
mod fields;
mod n8n;
mod nango;
mod pipedream;
mod shape;
mod slugs;

pub(super) use airbyte::airbyte;
pub(super) use composio::composio;
pub(super) use fields::{Alias, COMMON, aliases, folded};
pub(super) use n8n::{NO_ACCOUNT, n8n};
pub(super) use nango::nango;
pub(super) use pipedream::pipedream;
pub(crate) use slugs::usual;

use super::draft::{By, Draft, Named, Role, text, text_of};
use super::json::{self, Place};
use super::looks_secret::{is_telling_name, looks_secret};
use super::mapping::{Mapping, Part};
use super::row::{BadRow, BadRowKind, Names, Row};
use keyferry_schema::Input;
use keyferry_types::secret::SharedSecret;
use slugs::obvious;

/// Values of a row that are looked at.
const MOST_VALUES: usize = 4096;
/// How n8n's API writes a value that is not there, and one that it keeps to itself.
const EMPTY: &str = "__n8n_EMPTY_VALUE_";
const BLANK: &str = "__n8n_BLANK_VALUE_";
/// Members that hold nothing of use and no secret that outlives the hour: an identity token, what a sign-in leaves behind.
const NEVER_KEPT: [&str; 4] = ["idtoken", "codeverifier", "csrfsecret", "stateprefix"];

/// A row of another system.
struct Export<'a> {
    input: &'a Input,
    mapping: &'a Mapping,
    draft: Draft,
    /// What to do about values that are masked.
    unmask: &'static str,
    /// Whether a value that begins with `=` is one that the system works out where it is used.
    has_expressions: bool,
    /// Paths of values with names like secrets that are not secret, and of values that were derived from stored ones.
    passed: Vec<&'static str>,
}

impl<'a> Export<'a> {
    /// Begins with what the mapping names.
    fn begin(input: &'a Input, mapping: &'a Mapping, unmask: &'static str) -> Result<Self, BadRow> {
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
    fn pass(&mut self, paths: &[&'static str]) {
        self.passed.extend_from_slice(paths);
    }

    fn is_passed(&self, path: &str) -> bool {
        let name = path.rsplit('.').next().unwrap_or(path);
        let is_within =
            |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        NEVER_KEPT.contains(&folded(name).as_str()) || self.passed.iter().any(|known| is_within(known))
    }

    /// A part is the first of these that is there, unless the mapping says otherwise.
    fn part(&mut self, part: Part, paths: &[&str]) -> Result<(), BadRow> {
        let found =
            paths.iter().filter_map(|path| scalar(at(self.input, path)?)).find(|value| text_of(value) != Some(""));
        found.map_or(Ok(()), |value| self.draft.part_if_absent(part, value))
    }

    /// The app, by the first of these that the mapping knows; otherwise the first one as it is.
    fn slug(&mut self, paths: &[&str]) -> Result<(), BadRow> {
        self.slug_by(paths, obvious)
    }

    fn slug_by(&mut self, paths: &[&str], obvious: fn(&str) -> String) -> Result<(), BadRow> {
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

    fn text(&self, path: &str) -> Option<&'a str> {
        text_of(at(self.input, path)?)
    }

    fn has(&self, path: &str) -> bool {
        self.text(path).is_some_and(|text| !text.is_empty())
    }

    /// A value that is the credential or a part of it.
    fn proper(&mut self, path: &str, name: &str) -> Result<(), BadRow> {
        let Some(value) = at(self.input, path) else { return Ok(()) };
        self.proper_value(path, name, value)
    }

    fn proper_value(&mut self, path: &str, name: &str, value: &Input) -> Result<(), BadRow> {
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
        [path, name].iter().any(|from| self.mapping.column(from) == Some(&super::mapping::Target::Nothing))
    }

    /// When an access token ends, in milliseconds since 1970. What is no moment goes along as it is, for the schema to refuse: an
    /// end that is lost would not be missed until it comes.
    fn expiry(&mut self, path: &str) {
        if let Some(value) = at(self.input, path) {
            self.expiry_value(path, value);
        }
    }

    fn expiry_value(&mut self, path: &str, value: &Input) {
        match super::moment::moment(value) {
            Some(end) => self.add(path, "expires_at", &text(&end.as_millis().to_string()), Role::Spare),
            None => self.add(path, "expires_at", value, Role::Spare),
        }
    }

    /// Values beside the credential, except those names; members of objects, too.
    fn spare(&mut self, path: &str, but: &[&str]) -> Result<(), BadRow> {
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
    fn told_by_names(&mut self, path: &str, but: &[&str]) -> Result<(), BadRow> {
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
    fn leaves(&self, path: &str, but: &[&str]) -> Vec<(String, String, &'a Input)> {
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
    fn service_account(&mut self, path: &str, value: &Input) -> Result<bool, BadRow> {
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

    fn add(&mut self, path: &str, name: &str, value: &Input, role: Role) {
        let is_name = name.parse::<keyferry_types::ids::FieldName>().is_ok();
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
    fn read(mut self, read: impl FnOnce(&mut Self) -> Result<&'static str, BadRow>) -> Result<Row, BadRow> {
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

/// Values that belong to a secret, though nothing in their names says so.
const PLAIN_PROPER: [&str; 3] = ["username", "client_email", "access_key_id"];

/// What is done with lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    Read,
    /// No field is a list, nor an item of one.
    Passed,
}

/// Collects values that have no parts, with their paths and joined names.
fn walk<'a>(path: &str, name: &str, value: &'a Input, lists: Lists, leaves: &mut Vec<(String, String, &'a Input)>) {
    if leaves.len() >= MOST_VALUES {
        return;
    }
    match value {
        Input::Object(members) if !is_masked(value) => {
            for (member, value) in members {
                walk(&format!("{path}.{member}"), &format!("{name}_{}", snake(member)), value, lists, leaves);
            }
        }
        Input::Array(_) if lists == Lists::Passed => {}
        Input::Text(text) if text.expose().starts_with(EMPTY) => {}
        Input::Array(items) => {
            for (n, item) in items.iter().enumerate().take(64) {
                walk(&format!("{path}.{n}"), &format!("{name}_{n}"), item, lists, leaves);
            }
        }
        _ => leaves.push((path.to_owned(), name.to_owned(), value)),
    }
}

/// What is at a path of names with dots between; a name can have dots of its own, and an item of a list has its number.
fn at<'a>(input: &'a Input, path: &str) -> Option<&'a Input> {
    let part = |name: &str| match input {
        Input::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => input.member(name),
    };
    part(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        at(part(first)?, rest)
    })
}

/// A copy of a value that has no parts. Texts and numbers are shared.
fn scalar(value: &Input) -> Option<Input> {
    match value {
        Input::Bool(value) => Some(Input::Bool(*value)),
        Input::Number(digits) => Some(Input::Number(SharedSecret::clone(digits))),
        Input::Text(text) => Some(Input::Text(SharedSecret::clone(text))),
        Input::Null | Input::Array(_) | Input::Object(_) => None,
    }
}

/// Whether a placeholder replaces the value: stars, a word that says so, the value's beginning, or a reference to a secret
/// store.
fn is_masked(value: &Input) -> bool {
    let Input::Text(text) = value else { return value.member("_secret").is_some() };
    let text = text.expose().trim();
    let word = text.trim_matches(['[', ']', '<', '>', '*', '_']);
    text.starts_with(BLANK)
        || text.contains("***")
        || text.contains('\u{2022}')
        || text.ends_with("...")
        || text.ends_with('\u{2026}')
        || ["redacted", "masked", "hidden"].iter().any(|mask| word.eq_ignore_ascii_case(mask))
}

/// `instanceUrl` and `COMPANY-DOMAIN` -> `instance_url` and `company_domain`, as fields are called here.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            snake.push('_');
        }
        snake.push(if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() });
        before = c;
    }
    snake
}

/// A credential that is there, and of a kind that is not taken over.
fn unsupported(what: &str, instead: &str) -> BadRow {
    BadRow::new(BadRowKind::UnsupportedCredential, format!("{what} cannot be taken over; {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_told_by_plain_rules() {
        for (name, field) in [
            ("apiKey", "api_key"),
            ("instance_url", "instance_url"),
            ("your-domain", "your_domain"),
            ("COMPANYDOMAIN", "companydomain"),
            ("oauth2Token", "oauth2_token"),
        ] {
            assert_eq!(snake(name), field);
        }
    }

    #[test]
    fn what_stands_in_a_values_place_is_seen() {
        for json in [
            "\"**********\"",
            "\"REDACTED\"",
            "\"[redacted]\"",
            "\"ghp_...\"",
            "\"ab***yz\"",
            "{\"_secret\":\"x_v1\"}",
            "\"__n8n_BLANK_VALUE_e5362baf-c777\"",
        ] {
            assert!(is_masked(&serde_json::from_str(json).unwrap()), "{json}");
        }
        for json in ["\"s3cr3t\"", "\"a**b\"", "\"\"", "1", "{\"secret\":\"x\"}", "\"redacted-by-me\""] {
            assert!(!is_masked(&serde_json::from_str(json).unwrap()), "{json}");
        }
    }
}
