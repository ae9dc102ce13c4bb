//! Keyferry's own rows as JSON, and such without nesting.

use super::draft::{By, Draft};
use super::echo::{quoted, quoted_list, rule};
use super::header::{OWN, arguments};
use super::mapping::{Mapping, Target};
use super::name_match::{NameMatch, field_of, match_name, probable};
use super::part::Part;
use super::renaming::{Named, Role};
use super::row::{BadRow, BadRowKind, Names, Row};
use keyferry_schema::Input;
use keyferry_types::ids::FieldName;

/// The largest number of unknown members that a message lists.
const MOST_TOLD: usize = 20;

/// What a row of JSON may have besides its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// What a mapping names; the credential is in `auth_object`.
    Native,
    /// A flat value becomes any field.
    Flat,
}

/// A row from a JSON object.
pub(super) fn object(input: Input, style: Style, mapping: &Mapping) -> Result<Row, BadRow> {
    let Input::Object(members) = input else {
        return Err(BadRow::new(BadRowKind::NotAnObject, format!("a row must be an object, and is {}", input.kind())));
    };
    // Elsewhere, names that are not known are an error of their own.
    let names: Vec<String> = members.iter().filter(|_| style == Style::Flat).map(|(name, _)| name.clone()).collect();
    let mut reading = Reading { draft: Draft::default(), unknown: Vec::new(), style, mapping };
    let read = reading.members(members);
    let Reading { draft, unknown, .. } = reading;
    let (account, slug) = (draft.account(), draft.slug(mapping).map(str::to_owned));
    let read = match read {
        Ok(()) if !unknown.is_empty() => Err(unknown_members(&unknown, &draft, mapping)),
        Ok(()) => draft.finish(mapping, Names::Own).map_err(|bad| located(bad, &names)),
        Err(bad) => Err(bad),
    };
    read.map_err(|bad| bad.of(account.as_ref(), slug.as_deref()))
}

/// A row under construction, and the members that nothing is known of.
struct Reading<'a> {
    draft: Draft,
    unknown: Vec<String>,
    style: Style,
    mapping: &'a Mapping,
}

impl Reading<'_> {
    /// The members of a row, by the names that they have or that a rule spells otherwise.
    fn members(&mut self, members: Vec<(String, Input)>) -> Result<(), BadRow> {
        let spelled = self.spelled("", &members);
        members.into_iter().zip(spelled).try_for_each(|((_, value), path)| self.member(path, value))
    }

    /// Of an object that the mapping looks into, only what it names is read.
    fn within(&mut self, path: &str, members: Vec<(String, Input)>) -> Result<(), BadRow> {
        let spelled = self.spelled(&format!("{path}."), &members);
        for ((_, value), path) in members.into_iter().zip(spelled) {
            if self.mapping.knows(&path) || self.mapping.looks_into(&path) {
                self.member(path, value)?;
            } else {
                self.draft.unread(&path, value);
            }
        }
        Ok(())
    }

    /// The paths of members, as rules spell them.
    fn spelled(&self, before: &str, members: &[(String, Input)]) -> Vec<String> {
        let paths: Vec<String> = members.iter().map(|(name, _)| format!("{before}{name}")).collect();
        if self.mapping.columns().next().is_none() {
            return paths;
        }
        let is_there = |other: &str| paths.iter().any(|path| path == other);
        let known = |path: &String| self.mapping.known_as(path, is_there).unwrap_or(path).to_owned();
        paths.iter().map(known).collect()
    }

    fn member(&mut self, path: String, value: Input) -> Result<(), BadRow> {
        let mapping = self.mapping;
        match mapping.column(&path) {
            Some(Target::Part(part)) => return self.draft.part_by(By::Rule, *part, value),
            Some(Target::Field(_)) => {
                self.draft.field(&path, value);
                return Ok(());
            }
            Some(Target::Nothing) => return Ok(()),
            None => {}
        }
        if let Some(part) = Part::spelled(&path) {
            self.draft.ruled(&path, &value, mapping);
            return self.draft.part(part, value);
        }
        if path.starts_with(OWN) {
            return Ok(());
        }
        match value {
            Input::Object(members) if mapping.looks_into(&path) => {
                self.within(&path, members)?;
            }
            value if self.style == Style::Flat || mapping.knows(&path) => {
                let name = if path.parse::<FieldName>().is_ok() { path.clone() } else { field_of(&path) };
                self.draft.named(Named { path, name, value, role: Role::Proper });
            }
            _ => self.unknown.push(path),
        }
        Ok(())
    }
}

/// All members that are not known, what they may be, and how that is said.
fn unknown_members(unknown: &[String], draft: &Draft, mapping: &Mapping) -> BadRow {
    let is_missing = |part: &Part| draft.get(*part).is_none() && mapping.default_of(*part).is_none();
    let missing: Vec<Part> = [Part::Account, Part::Slug, Part::AuthObject].into_iter().filter(is_missing).collect();
    let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let found = probable(&names, &missing);
    let mut told = Vec::new();
    for name in &names {
        let part = found.iter().find(|(of, _)| of == name).map(|(_, part)| part.name());
        let near = || match match_name(name, Part::NAMES) {
            NameMatch::Same(part) | NameMatch::Near(part) => Some(part),
            NameMatch::Unknown => None,
        };
        told.push(match part.or_else(near) {
            Some(part) => format!("{} is not known here; `{part}` may be meant: {}", quoted(name), rule(name, part)),
            None => format!("{} is not known here: leave it out by {}", quoted(name), rule(name, "")),
        });
    }
    told.truncate(MOST_TOLD);
    told.push(format!("a row has {}", Part::NAMES.join(", ")));
    BadRow::new(BadRowKind::UnknownColumn, told.join("; "))
}

/// Adds where the parts that are missing may be in the row.
fn located(mut bad: BadRow, names: &[String]) -> BadRow {
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| Part::spelled(name).is_none()).collect();
    let missing = bad.missing.list();
    if bad.kind == BadRowKind::MissingColumn && !missing.is_empty() && !names.is_empty() {
        let (list, arguments) = (quoted_list(names.iter().copied()), arguments(&names, &missing));
        bad.message = format!("{}; the row has {list}; say which is which: {arguments}", bad.message);
    }
    bad
}
