//! Keyferry's own rows, and such without nesting.

use super::csv::Csv;
use super::draft::{By, Draft, text};
use super::error::ReadError;
use super::json::{self, Place};
use super::mapping::{Mapping, Part, Target};
use super::row::{BadRow, BadRowKind, Names, Row};
use crate::ids::FieldName;
use crate::schema::Input;
use crate::shown::{aside, list, shown};

/// Slips that a name may be away from the one that is suggested.
const SLIPS: usize = 3;

/// What begins like this is written by Keyferry into files of failed rows, and not read again but for one column.
const OWN: &str = "keyferry_";
const NAMES: &str = "keyferry_names";
const FOREIGN: &str = "foreign";

/// What a row of JSON may have besides its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// What a mapping names; the credential is in `auth_object`.
    Native,
    /// Any field.
    Flat,
}

/// A row from a JSON object.
pub(super) fn object(input: Input, style: Style, mapping: &Mapping) -> Result<Row, BadRow> {
    let Input::Object(members) = input else {
        return Err(BadRow::new(BadRowKind::NotAnObject, format!("a row must be an object, and is {}", input.kind())));
    };
    let mut draft = Draft::default();
    match members.into_iter().try_for_each(|(name, value)| member(&mut draft, name, value, style, mapping)) {
        Ok(()) => draft.finish(mapping, Names::Own),
        Err(bad) => Err(bad.of(draft.account().as_ref(), draft.slug(mapping))),
    }
}

fn member(draft: &mut Draft, path: String, value: Input, style: Style, mapping: &Mapping) -> Result<(), BadRow> {
    match mapping.column(&path) {
        Some(Target::Part(part)) => return draft.part_by(By::Rule, *part, value),
        Some(Target::Field(_)) => {
            draft.field(&path, value);
            return Ok(());
        }
        Some(Target::Nothing) => return Ok(()),
        None => {}
    }
    if let Some(part) = Part::named(&path) {
        draft.ruled(&path, &value, mapping);
        return draft.part(part, value);
    }
    match value {
        Input::Object(members) if mapping.looks_into(&path) => {
            // Of an object that the mapping looks into, only what it names is read.
            for (name, value) in members {
                let path = format!("{path}.{name}");
                if mapping.knows(&path) || mapping.looks_into(&path) {
                    member(draft, path, value, style, mapping)?;
                } else {
                    draft.unread(&path, value);
                }
            }
            Ok(())
        }
        value if style == Style::Flat || mapping.knows(&path) => {
            draft.field(&path, value);
            Ok(())
        }
        _ => Err(unknown(&path)),
    }
}

fn unknown(name: &str) -> BadRow {
    let shown = shown(name, Part::NAMES);
    let near = Part::NAMES.into_iter().map(|part| (strsim::osa_distance(name, part), part)).min();
    let meant = match near {
        Some((slips, part)) if slips <= SLIPS => format!("; `{part}` may be meant"),
        _ => format!("; a row has {}", Part::NAMES.join(", ")),
    };
    let message = format!("`{shown}` is not known here{}{meant}", aside(name, shown));
    BadRow::new(BadRowKind::UnknownColumn, message)
}

/// The columns of a CSV file.
pub(super) struct Header(Vec<Column>);

enum Column {
    Part(Part, By, String),
    Field(String),
    Dropped,
    /// Whose names the fields have, as a file of failed rows says it: `foreign`, and the fields to spare.
    Names,
    /// It has no name, so there must be nothing in it.
    Nameless,
}

impl Header {
    /// Reads the header, which is the record that was read last.
    pub(super) fn read(record: &Csv, mapping: &Mapping) -> Result<Self, ReadError> {
        let mut columns = Vec::with_capacity(record.fields().len());
        let mut names = Vec::with_capacity(record.fields().len());
        for (n, name) in record.fields().enumerate() {
            let name = std::str::from_utf8(name)
                .map_err(|_| ReadError::Header(format!("the name of column {} is not UTF-8", n + 1)))?
                .trim();
            names.push(name);
            columns.push(column(name, mapping).map_err(|why| ReadError::Header(format!("column {}: {why}", n + 1)))?);
        }
        let header = Self(columns);
        header.check(&names, mapping).map_err(ReadError::Header)?;
        Ok(header)
    }

    fn has(&self, part: Part) -> bool {
        self.0.iter().any(|column| matches!(column, Column::Part(other, ..) if *other == part))
    }

    /// Whether rows can be made of these columns at all, so that a wrong header is told once and not a million times.
    fn check(&self, names: &[&str], mapping: &Mapping) -> Result<(), String> {
        for part in [Part::Account, Part::Slug] {
            if !self.has(part) && mapping.default_of(part).is_none() {
                let found = list(names.iter().copied(), &Part::NAMES);
                return Err(format!("there is no column `{}`; there are {found}", part.name()));
            }
        }
        let has_type = self.has(Part::AuthType) || mapping.default_of(Part::AuthType).is_some();
        if !has_type && !self.has(Part::AuthObject) {
            let found = list(names.iter().copied(), &Part::NAMES);
            return Err(format!("there is neither a column `auth_type` nor one `auth_object`; there are {found}"));
        }
        for (n, column) in self.0.iter().enumerate() {
            let before = self.0.iter().take(n);
            let is_twice = match column {
                Column::Part(part, by, _) => {
                    let is_same = |one: &Column| matches!(one, Column::Part(other, so, _) if other == part && so == by);
                    before.into_iter().any(is_same)
                }
                Column::Field(name) => {
                    before.into_iter().any(|one| matches!(one, Column::Field(other) if other == name))
                }
                Column::Dropped | Column::Names | Column::Nameless => false,
            };
            if is_twice {
                return Err(format!("column {} is there before, by the same name or by its mapping", n + 1));
            }
        }
        Ok(())
    }

    /// The row that is in the record that was read last.
    pub(super) fn row(&self, record: &Csv, line: u64, mapping: &Mapping) -> Result<Row, BadRow> {
        let count = record.fields().len();
        if count != self.0.len() {
            let message = format!("the row has {count} fields, and the header {}", self.0.len());
            return Err(BadRow::new(BadRowKind::FieldCount, message));
        }
        let mut draft = Draft::default();
        let mut cells = self.0.iter().zip(record.fields()).zip(1..);
        match cells
            .try_for_each(|((column, cell), n)| column.cell(&mut draft, cell, line, mapping).map_err(|bad| bad.at(n)))
        {
            Ok(()) => draft.finish(mapping, Names::Own).map_err(|bad| self.place(bad)),
            Err(bad) => Err(bad.of(draft.account().as_ref(), draft.slug(mapping))),
        }
    }

    /// Adds which column it is that a row is bad for.
    fn place(&self, mut bad: BadRow) -> BadRow {
        let fits =
            |column: &Column| matches!(column, Column::Part(part, ..) if bad.field.as_deref() == Some(part.name()));
        bad.column = self.0.iter().position(fits).map(|at| at as u64 + 1);
        bad
    }
}

fn column(name: &str, mapping: &Mapping) -> Result<Column, String> {
    match mapping.column(name) {
        Some(Target::Part(part)) => return Ok(Column::Part(*part, By::Rule, name.to_owned())),
        Some(Target::Field(_)) => return Ok(Column::Field(name.to_owned())),
        Some(Target::Nothing) => return Ok(Column::Dropped),
        None => {}
    }
    // `Linked Account ID` and `linked-account-id`, as spreadsheets have it.
    let plain = name.to_ascii_lowercase().replace([' ', '-'], "_");
    if let Some(part) = Part::named(&plain) {
        return Ok(Column::Part(part, By::Name, name.to_owned()));
    }
    match name {
        "" => return Ok(Column::Nameless),
        NAMES => return Ok(Column::Names),
        name if name.starts_with(OWN) => return Ok(Column::Dropped),
        _ => {}
    }
    if name.parse::<FieldName>().is_err() && !mapping.knows(name) {
        let shown = shown(name, Part::NAMES);
        let aside = aside(name, shown);
        return Err(format!("`{shown}` is no name that a field can have; map it, or leave it out by `column=`{aside}"));
    }
    Ok(Column::Field(name.to_owned()))
}

impl Column {
    fn cell(&self, draft: &mut Draft, cell: &[u8], line: u64, mapping: &Mapping) -> Result<(), BadRow> {
        if cell.is_empty() || matches!(self, Self::Dropped) {
            return Ok(());
        }
        let Ok(value) = std::str::from_utf8(cell) else {
            return Err(BadRow::new(BadRowKind::InvalidEncoding, "the field is not UTF-8"));
        };
        match self {
            Self::Part(Part::AuthObject, by, _) => {
                let parsed = json::parse(cell, Place { line, column: 1 });
                let parsed = parsed.map_err(|bad| BadRow {
                    message: format!("`auth_object`: {}", bad.message),
                    ..bad.field(Part::AuthObject.name())
                })?;
                draft.part_by(*by, Part::AuthObject, parsed)
            }
            Self::Part(part, by, name) => {
                let value = text(value);
                if *by == By::Name {
                    draft.ruled(name, &value, mapping);
                }
                draft.part_by(*by, *part, value)
            }
            Self::Field(name) => {
                draft.field(name, text(value));
                Ok(())
            }
            Self::Names => {
                let mut words = value.split_ascii_whitespace();
                if words.next() == Some(FOREIGN) {
                    draft.foreign(words.map(str::to_owned).collect());
                }
                Ok(())
            }
            Self::Nameless if value.trim().is_empty() => Ok(()),
            Self::Nameless => Err(BadRow::new(
                BadRowKind::UnknownColumn,
                "there is something in a column that has no name in the header",
            )),
            Self::Dropped => Ok(()),
        }
    }
}
