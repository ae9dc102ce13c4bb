//! Rules as text and as TOML -> a [`Mapping`].

use std::fmt;
use std::str::FromStr;

use super::looks_secret::{is_telling_name, looks_secret};
use super::mapping::{Column, Fallback, Mapping, Target};
use super::name_match::fold;
use super::part::Part;
use keyferry_types::ids::{AuthTypeName, LinkedAccountId, Slug};
use keyferry_types::secret::{Secret, SharedSecret};

/// An invalid rule of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidMapping {
    /// Number of the rule, from 1: its line, or its entry of TOML.
    pub rule: usize,
    /// The error in words.
    pub message: String,
}

impl fmt::Display for InvalidMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} of the mapping: {}", self.rule, self.message)
    }
}

impl Mapping {
    /// Adds a rule, `column=field`.
    ///
    /// # Errors
    /// The rule is invalid, or contradicts an earlier one.
    pub fn add(&mut self, rule: &str) -> Result<(), InvalidMapping> {
        self.add_rule(rule).map_err(|message| InvalidMapping { rule: 1, message })
    }

    fn add_rule(&mut self, rule: &str) -> Result<(), String> {
        // A value after `:=` may hold anything. Elsewhere the last `=` counts: names of ours have none.
        if let Some((name, value)) = rule.split_once(":=").filter(|(name, _)| !name.contains('=')) {
            return self.add_default(name.trim(), value.trim());
        }
        let (from, to) = rule.rsplit_once('=').ok_or("a rule reads `column=field`")?;
        let (from, to) = (from.trim(), to.trim());
        if let Some(theirs) = from.strip_prefix("slug:") {
            return self.add_slug(theirs.trim(), to);
        }
        if let Some(theirs) = from.strip_prefix("auth_type:") {
            return self.add_auth_type(theirs.trim(), to);
        }
        self.add_column(from, to)
    }

    fn add_column(&mut self, from: &str, to: &str) -> Result<(), String> {
        let (app, from) = match from.split_once('/') {
            Some((app, from)) if app.parse::<Slug>().is_ok() => (app.parse::<Slug>().ok(), from),
            _ => (None, from),
        };
        if from.is_empty() {
            return Err("the name of the column is empty".to_owned());
        }
        let to = target(to)?;
        if app.is_some() && matches!(to, Target::Part(_)) {
            return Err(
                "a rule for one app can only map a field, not the linked account, the app or the auth type".to_owned()
            );
        }
        let given = || self.columns.iter().filter(|column| column.guess_of.is_none());
        if let Some(other) = given().find(|column| column.app == app && column.from == from) {
            let (other, this) = (other.rule(), rule(app.as_ref(), from, &to));
            return Err(format!("the column is mapped twice: `{other}` and `{this}`"));
        }
        let is_same = |column: &&Column| column.app == app && column.to == to && to != Target::Nothing;
        if let Some(other) = given().find(is_same) {
            let (other, this) = (other.rule(), rule(app.as_ref(), from, &to));
            return Err(format!("two rules say what `{to}` is: `{other}` and `{this}`"));
        }
        if app.is_none() {
            self.add_spelled(from, &to);
        }
        self.columns.push(Column { app, from: from.to_owned(), to, guess_of: None });
        Ok(())
    }

    /// `HubSpot/key` can be the column of that name, or `key` in rows of HubSpot: it is both.
    fn add_spelled(&mut self, named: &str, to: &Target) {
        if let Some((app, from)) = named.split_once('/')
            && let Ok(app) = fold(app).parse::<Slug>()
            && !from.is_empty()
            && !matches!(to, Target::Part(_))
        {
            self.columns.push(Column {
                app: Some(app),
                from: from.to_owned(),
                to: to.clone(),
                guess_of: Some(named.to_owned()),
            });
        }
    }

    fn add_slug(&mut self, theirs: &str, ours: &str) -> Result<(), String> {
        ours.parse::<Slug>().map_err(|error| error.rule())?;
        self.slugs.push((theirs.to_owned(), ours.to_owned()));
        Ok(())
    }

    fn add_auth_type(&mut self, theirs: &str, ours: &str) -> Result<(), String> {
        ours.parse::<AuthTypeName>().map_err(|error| error.rule())?;
        self.auth_types.push((theirs.to_owned(), ours.to_owned()));
        Ok(())
    }

    fn add_default(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (app, name) = match name.split_once('/') {
            Some((app, name)) => (Some(app.parse::<Slug>().map_err(|error| error.rule())?), name),
            None => (None, name),
        };
        let target = target(name)?;
        if app.is_some() && !matches!(target, Target::Field(_) | Target::Part(Part::AuthType)) {
            return Err("a default for one app sets a field or `auth_type`".to_owned());
        }
        match target {
            Target::Part(Part::Slug) => drop(value.parse::<Slug>().map_err(|error| error.rule())?),
            Target::Part(Part::AuthType) => drop(value.parse::<AuthTypeName>().map_err(|error| error.rule())?),
            Target::Part(Part::Account) => drop(value.parse::<LinkedAccountId>().map_err(|error| error.rule())?),
            Target::Part(Part::AccountName) | Target::Field(_) if !value.is_empty() => {}
            Target::Part(Part::AccountName) | Target::Field(_) => return Err("the default is empty".to_owned()),
            Target::Part(part) => return Err(format!("`{}` has no default", part.name())),
            Target::Nothing => return Err("a default needs a target: `slug:=hubspot`".to_owned()),
        }
        if self.defaults.iter().any(|other| other.app == app && other.target == target) {
            let of = app.map(|app| format!("{app}/")).unwrap_or_default();
            return Err(format!("the default `{of}{target}:=` is given twice"));
        }
        self.defaults.push(Fallback { app, target, value: SharedSecret::new(Secret::new(value)) });
        Ok(())
    }

    fn add_toml(&mut self, table: &toml::Table) -> Result<(), InvalidMapping> {
        let mut rule = 0;
        for (section, entries) in table {
            let entries = entries.as_table().ok_or_else(|| InvalidMapping {
                rule: rule + 1,
                message: "an entry belongs in a section: [columns], [slugs], [auth_types] or [defaults]".to_owned(),
            })?;
            for (theirs, ours) in entries {
                rule += 1;
                let added = match (section.as_str(), ours.as_str()) {
                    (_, None) => Err("a value has to be a string; a name with a dot in it needs quotes".to_owned()),
                    ("columns", Some(ours)) => self.add_column(theirs, ours),
                    ("slugs", Some(ours)) => self.add_slug(theirs, ours),
                    ("auth_types", Some(ours)) => self.add_auth_type(theirs, ours),
                    ("defaults", Some(ours)) => self.add_default(theirs, ours),
                    _ => Err("the sections are [columns], [slugs], [auth_types] and [defaults]".to_owned()),
                };
                added.map_err(|message| InvalidMapping { rule, message })?;
            }
        }
        Ok(())
    }
}

impl Column {
    fn rule(&self) -> String {
        rule(self.app.as_ref(), &self.from, &self.to)
    }
}

/// The name of a default that may hold a secret: it is not to be shown with its value.
pub fn secret_default(rule: &str) -> Option<&str> {
    let (name, value) = rule.trim().split_once(":=")?;
    let field = name.rsplit('/').next().unwrap_or(name);
    let may_be_secret = is_telling_name(field) || looks_secret(field, value);
    (Part::spelled(field).is_none() && may_be_secret).then_some(name)
}

/// A rule as it is written.
fn rule(app: Option<&Slug>, from: &str, to: &Target) -> String {
    let app = app.map(|app| format!("{app}/")).unwrap_or_default();
    format!("{app}{from}={to}")
}

fn target(name: &str) -> Result<Target, String> {
    if name.is_empty() {
        return Ok(Target::Nothing);
    }
    match Part::spelled(name) {
        Some(part) => Ok(Target::Part(part)),
        None => name.parse().map(Target::Field).map_err(|error: keyferry_types::ids::InvalidName| error.rule()),
    }
}

impl FromStr for Mapping {
    type Err = InvalidMapping;

    fn from_str(text: &str) -> Result<Self, InvalidMapping> {
        let mut mapping = Self::default();
        let is_rule = |line: &str| !line.is_empty() && !line.starts_with('#');
        // As some editors write it.
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().map(str::trim).find(|line| is_rule(line)).unwrap_or_default();
        if first.starts_with('[') {
            let table = text.parse::<toml::Table>().map_err(|error| {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                InvalidMapping { rule: 1, message: format!("line {line} is not TOML: {}", error.message()) }
            })?;
            mapping.add_toml(&table)?;
            return Ok(mapping);
        }
        for (number, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| is_rule(line)) {
            mapping.add_rule(line).map_err(|message| InvalidMapping { rule: number + 1, message })?;
        }
        Ok(mapping)
    }
}
