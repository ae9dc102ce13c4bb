//! [`Renaming`]: values of a row under the names that they have here, by the rules of a mapping.

use std::collections::HashMap;

use super::mapping::{Mapping, Target};
use super::part::Part;
use super::provenance::Provenance;
use super::row::{BadRow, BadRowKind};
use keyferry_schema::Input;
use keyferry_types::echo::{masked_note, safe_name};
use keyferry_types::secret::SharedSecret;

/// A value that may become a field of the credential.
pub(super) struct Named {
    /// The path in the file: `connection_config.subdomain`. Rules of a mapping can name it so.
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
    /// Its source has it beside the credential.
    Spare,
    /// It is a field only in rows of apps for which a rule says so; elsewhere it is the part of that name, or nothing.
    Ruled,
}

/// Adds what the mapping says of fields that the row does not have.
pub(super) fn add_defaults(fields: &mut Vec<(String, Input)>, mapping: &Mapping, slug: &str, origin: &mut Provenance) {
    for (name, value, is_for_app) in mapping.default_fields(slug) {
        if !fields.iter().any(|(other, _)| other == name.as_str()) {
            fields.push((name.as_str().to_owned(), Input::Text(SharedSecret::clone(value))));
            origin.defaulted.push((name.as_str().to_owned(), is_for_app));
        }
    }
}

/// Fields under their names here, and the spare ones among them.
pub(super) type Renamed = (Vec<(String, Input)>, Vec<String>);

/// The system that the names of values are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamesOf {
    App,
    Source,
}

/// How strong the claim of a value to a name is; the least is the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    RuleForApp,
    Rule,
    Proper,
    Spare,
}

/// Gives values the names that they have here.
pub(super) struct Renaming<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) slug: &'a str,
    pub(super) names: NamesOf,
}

impl Renaming<'_> {
    /// Of several values that claim one name, that with the strongest claim has it. Two claims of the app's own names that are
    /// alike are an error; of other systems' names the first one counts. Values that lose are unread.
    pub(super) fn renamed(&self, fields: Vec<Named>, origin: &mut Provenance) -> Result<Renamed, BadRow> {
        let claims: Vec<_> = fields.into_iter().filter_map(|field| self.claim(field)).collect();
        let mut strongest: HashMap<String, (Claim, usize)> = HashMap::with_capacity(claims.len());
        for (at, (claim, name, _)) in claims.iter().enumerate() {
            match strongest.get_mut(name) {
                Some(best) if *claim < best.0 => *best = (*claim, at),
                Some(best) if *claim == best.0 && self.names == NamesOf::App => return Err(Self::repeated(name)),
                Some(_) => {}
                None => drop(strongest.insert(name.clone(), (*claim, at))),
            }
        }
        let (mut named, mut spare): Renamed = (Vec::with_capacity(strongest.len()), Vec::new());
        for (at, (claim, name, field)) in claims.into_iter().enumerate() {
            if strongest.get(&name).is_none_or(|(_, best)| *best != at) {
                origin.unread.push((field.path, field.value));
                continue;
            }
            match claim {
                Claim::RuleForApp | Claim::Rule => origin.fixed.push(name.clone()),
                Claim::Spare => spare.push(name.clone()),
                Claim::Proper => {}
            }
            if field.path != name {
                origin.paths.push((name.clone(), field.path));
            }
            named.push((name, field.value));
        }
        Ok((named, spare))
    }

    /// The name that a value claims; none where a rule says that it is not read.
    fn claim(&self, field: Named) -> Option<(Claim, String, Named)> {
        let mapping = self.mapping;
        let of_app = mapping.column_of(self.slug, &field.path).or_else(|| mapping.column_of(self.slug, &field.name));
        let of_all = || mapping.column(&field.path).or_else(|| mapping.column(&field.name));
        let (claim, rule) = match of_app {
            Some(rule) => (Claim::RuleForApp, Some(rule)),
            None => (Claim::Rule, of_all()),
        };
        match (rule, field.role) {
            (Some(Target::Field(name)), _) => Some((claim, name.as_str().to_owned(), field)),
            (Some(Target::Nothing), _) | (_, Role::Ruled) => None,
            // A part of a row was found before; if this row does not have it, the column is a field like others.
            (Some(Target::Part(_)) | None, Role::Proper) => Some((Claim::Proper, field.name.clone(), field)),
            (Some(Target::Part(_)) | None, Role::Spare) => Some((Claim::Spare, field.name.clone(), field)),
        }
    }

    fn repeated(name: &str) -> BadRow {
        let shown = safe_name(name, Part::NAMES);
        BadRow::new(BadRowKind::Repeated, format!("the field `{shown}` is there twice{}", masked_note(name, shown)))
    }
}
