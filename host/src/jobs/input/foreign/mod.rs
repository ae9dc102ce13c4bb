//! Credentials in the exports of other systems: what of it is the credential, whose it is, and of which app.
//!
//! Each system has a file here, which says where its shapes are described. What they have in common: the credential's own
//! values become fields under the names that plugins usually have, and what stands beside it (a subdomain, a region) goes
//! along as a field to spare, which an app that does not know it does without.

mod airbyte;
mod composio;
mod nango;

pub(super) use airbyte::airbyte;
pub(super) use composio::composio;
pub(super) use nango::nango;

use super::draft::{Draft, Named, Role, text, text_of};
use super::json::{self, Place};
use super::mapping::{Mapping, Part};
use super::row::{BadRow, BadRowKind, Names, Row};
use crate::schema::Input;
use crate::secret::SharedSecret;

/// Ends of names by which systems tell the ways to authenticate with one app apart: `netsuite-tba`.
const WAYS: [&str; 9] = ["-oauth2-cc", "-oauth2", "-oauth", "-api-key", "-api-token", "-basic", "-jwt", "-pat", "-tba"];

/// A row of another system.
struct Export<'a> {
    input: &'a Input,
    mapping: &'a Mapping,
    draft: Draft,
    /// What to do about values that are masked.
    unmask: &'static str,
}

impl<'a> Export<'a> {
    /// Begins with what the mapping names.
    fn begin(input: &'a Input, mapping: &'a Mapping, unmask: &'static str) -> Result<Self, BadRow> {
        if input.members().is_none() {
            let message = format!("a row must be an object, and is {}", input.kind());
            return Err(BadRow::new(BadRowKind::NotAnObject, message));
        }
        let mut draft = Draft::default();
        for part in [Part::Account, Part::Slug, Part::AccountName, Part::UpdatedAt] {
            if let Some(value) = mapping.sources(part).find_map(|path| scalar(at(input, path)?)) {
                draft.part(part, value)?;
            }
        }
        Ok(Self { input, mapping, draft, unmask })
    }

    /// A part is the first of these that is there, unless the mapping says otherwise.
    fn part(&mut self, part: Part, paths: &[&str]) -> Result<(), BadRow> {
        let found =
            paths.iter().filter_map(|path| scalar(at(self.input, path)?)).find(|value| text_of(value) != Some(""));
        found.map_or(Ok(()), |value| self.draft.part_if_absent(part, value))
    }

    /// The app, by the first of these that the mapping knows; otherwise what the first one says by itself.
    fn slug(&mut self, paths: &[&str]) -> Result<(), BadRow> {
        let names = || paths.iter().filter_map(|path| text_of(at(self.input, path)?)).filter(|name| !name.is_empty());
        let slug = match names().find_map(|name| self.mapping.slug(name)) {
            Some(slug) => slug.to_owned(),
            None => names().next().map(obvious).unwrap_or_default(),
        };
        self.draft.part_if_absent(Part::Slug, text(&slug))
    }

    fn text(&self, path: &str) -> Option<&'a str> {
        text_of(at(self.input, path)?)
    }

    /// A value that is the credential or a part of it.
    fn proper(&mut self, path: &str, name: &str) -> Result<(), BadRow> {
        let Some(value) = at(self.input, path) else { return Ok(()) };
        if is_masked(value) {
            let message = format!("`{name}` is masked: {}", self.unmask);
            return Err(BadRow::new(BadRowKind::MaskedValue, message).field(name));
        }
        self.add(path, name, value, Role::Proper);
        Ok(())
    }

    /// When an access token ends, in milliseconds since 1970. What is no moment goes along as it is, for the schema to refuse: an
    /// end that is lost would not be missed until it comes.
    fn expiry(&mut self, path: &str) {
        let Some(value) = at(self.input, path) else { return };
        match super::moment::moment(value) {
            Some(end) => self.add(path, "expires_at", &text(&end.as_millis().to_string()), Role::Spare),
            None => self.add(path, "expires_at", value, Role::Spare),
        }
    }

    /// Values that stand beside the credential, but for those names.
    fn spare(&mut self, path: &str, but: &[&str]) {
        let Some(members) = at(self.input, path).and_then(Input::members) else { return };
        for (name, value) in members.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
            // The rest of a file that was masked is no use, and no harm.
            if !is_masked(value) && self.draft.path(&format!("{path}.{name}")).is_none() {
                self.add(&format!("{path}.{name}"), &snake(name), value, Role::Spare);
            }
        }
    }

    /// The members of a service account's key file, which is in there as text.
    fn service_account(&mut self, path: &str) -> Result<bool, BadRow> {
        let Some(Input::Text(file)) = at(self.input, path) else { return Ok(false) };
        let file = json::parse(file.expose().as_bytes(), Place::START);
        let members = file.as_ref().ok().and_then(Input::members);
        let Some(members) = members.filter(|members| members.iter().any(|(name, _)| name == "private_key")) else {
            return Err(BadRow::value("credentials_json", "must hold the key file of a service account"));
        };
        for (name, value) in members {
            let role =
                if name.starts_with("private_key") || name == "client_email" { Role::Proper } else { Role::Spare };
            self.add(&format!("{path}.{name}"), name, value, role);
        }
        Ok(true)
    }

    fn add(&mut self, path: &str, name: &str, value: &Input, role: Role) {
        let is_name = name.parse::<crate::ids::FieldName>().is_ok();
        let is_mapped = self.mapping.knows(path) || self.mapping.knows(name);
        if let Some(value) = scalar(value).filter(|_| role == Role::Proper || is_name || is_mapped) {
            self.draft.named(Named { path: path.to_owned(), name: name.to_owned(), value, role });
        }
    }

    /// The row, if it holds a credential of that auth type.
    fn finish(mut self, auth_type: &str) -> Result<Row, BadRow> {
        let slug = self.draft.slug(self.mapping).unwrap_or_default().to_owned();
        for path in self.mapping.fields_of(&slug) {
            if let Some(value) = at(self.input, path).filter(|_| self.draft.path(path).is_none()) {
                self.add(path, path, value, Role::Proper);
            }
        }
        if !self.draft.has_proper() {
            let message = "the credential is missing: none of its values is there";
            let bad = BadRow::new(BadRowKind::MissingColumn, message).field("credentials");
            return Err(bad.of(self.draft.account().as_ref(), Some(&slug)));
        }
        self.draft.part_if_absent(Part::AuthType, text(auth_type))?;
        self.draft.finish(self.mapping, Names::Foreign { spare: Vec::new() })
    }

    /// Reads a row by a function, and says of a bad one whose it is.
    fn read(mut self, read: impl FnOnce(&mut Self) -> Result<&'static str, BadRow>) -> Result<Row, BadRow> {
        match read(&mut self) {
            Ok(auth_type) => self.finish(auth_type),
            Err(bad) => Err(bad.of(self.draft.account().as_ref(), self.draft.slug(self.mapping))),
        }
    }
}

/// What is at a path of names with dots between; a name can have dots of its own.
fn at<'a>(input: &'a Input, path: &str) -> Option<&'a Input> {
    input.member(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        at(input.member(first)?, rest)
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

/// Whether something stands in a value's place: stars, a word that says so, its beginning alone, or where it is kept.
fn is_masked(value: &Input) -> bool {
    let Input::Text(text) = value else { return value.member("_secret").is_some() };
    let text = text.expose().trim();
    let word = text.trim_matches(['[', ']', '<', '>', '*', '_']);
    text.contains("***")
        || text.contains('\u{2022}')
        || text.ends_with("...")
        || text.ends_with('\u{2026}')
        || ["redacted", "masked", "hidden"].iter().any(|mask| word.eq_ignore_ascii_case(mask))
}

/// The slug that a name suggests: `NetSuite TBA` -> `netsuite`.
fn obvious(name: &str) -> String {
    let lower = name.trim().to_ascii_lowercase();
    let lower = lower.strip_prefix("source-").unwrap_or(&lower);
    let plain: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    WAYS.iter().find_map(|way| plain.strip_suffix(way)).filter(|app| !app.is_empty()).unwrap_or(plain).to_owned()
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
    fn names_of_apps_and_fields_are_told_by_plain_rules() {
        for (name, slug) in [
            ("hubspot", "hubspot"),
            ("HubSpot", "hubspot"),
            ("netsuite-tba", "netsuite"),
            ("paypal-oauth2-cc", "paypal"),
            ("Google Sheets", "google-sheets"),
            ("source-zendesk", "zendesk"),
            ("one_drive", "one-drive"),
            ("-pat", "pat"),
        ] {
            assert_eq!(obvious(name), slug);
        }
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
        for json in
            ["\"**********\"", "\"REDACTED\"", "\"[redacted]\"", "\"ghp_...\"", "\"ab***yz\"", "{\"_secret\":\"x_v1\"}"]
        {
            assert!(is_masked(&serde_json::from_str(json).unwrap()), "{json}");
        }
        for json in ["\"s3cr3t\"", "\"a**b\"", "\"\"", "1", "{\"secret\":\"x\"}", "\"redacted-by-me\""] {
            assert!(!is_masked(&serde_json::from_str(json).unwrap()), "{json}");
        }
    }
}
