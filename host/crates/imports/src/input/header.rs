//! [`Header`]: the columns of a CSV file, and records made rows by them.

use super::csv::Csv;
use super::draft::{By, Draft};
use super::echo::{argument, lacks_names, quoted, quoted_list, rule};
use super::error::ReadError;
use super::formula::unguard;
use super::json::{self, Place};
use super::mapping::{Mapping, Target};
use super::name_match::{NameMatch, field_of, fold, match_name, probable};
use super::part::Part;
use super::row::{BadRow, BadRowKind, Names, Row};
use super::text::text;
use keyferry_types::ids::FieldName;

/// Prefix of columns that Keyferry writes into files of failed rows. They are not read again, with these exceptions.
pub(super) const OWN: &str = "keyferry_";
const NAMES: &str = "keyferry_names";
/// A file that has this column was written by Keyferry, with cells guarded against being run as formulas.
const GUARDED: &str = "keyferry_code";
const FOREIGN: &str = "foreign";
/// Characters of a row's number; what is longer may be a value.
const LONGEST_NUMBER: usize = 8;

/// The columns of a CSV file.
pub(super) struct Header {
    columns: Vec<Column>,
    /// Their names in the file, without guards.
    names: Vec<Vec<u8>>,
    is_guarded: bool,
}

enum Column {
    /// A part, by a rule or by the name that the column has.
    Part(Part, By, String),
    Field(String),
    Dropped,
    /// The system of the field names, as files of failed rows of older versions state it: `foreign`, and the spare fields.
    Names,
    /// A column without a name, which must be empty.
    Nameless,
    /// A first column without a name, in which some programs number the rows.
    Numbers,
}

impl Header {
    /// Reads the header, which is the record that was read last.
    pub(super) fn read(record: &Csv, mapping: &Mapping) -> Result<Self, ReadError> {
        let is_guarded = record.fields().any(|cell| cell.trim_ascii() == GUARDED.as_bytes());
        let cells = record.fields().map(|cell| if is_guarded { unguard(cell) } else { cell });
        let raw: Vec<Vec<u8>> = cells.map(<[u8]>::to_vec).collect();
        let mut names = Vec::with_capacity(raw.len());
        for (n, name) in raw.iter().enumerate() {
            let name = std::str::from_utf8(name).map_err(|_| {
                let message = "is not UTF-8; save the file as `CSV UTF-8`";
                ReadError::Header(format!("the name of column {} {message}", n + 1))
            })?;
            names.push(name.trim());
        }
        if lacks_names(&names) {
            let message = "its first row looks like data; the first row must name the columns, for example \
                           linked_account_id,slug,auth_type,api_key";
            return Err(ReadError::Header(message.to_owned()));
        }
        let columns = Self::columns(&names, mapping).map_err(ReadError::Header)?;
        Ok(Self { columns, names: raw, is_guarded })
    }

    /// The columns; or all that is wrong with them, so that an invalid header is one error, and not one for each row.
    fn columns(names: &[&str], mapping: &Mapping) -> Result<Vec<Column>, String> {
        let mut columns: Vec<_> = names.iter().map(|name| column(name, names, mapping)).collect();
        if let Some(first @ Ok(Column::Nameless)) = columns.first_mut() {
            *first = Ok(Column::Numbers);
        }
        let has = |part: Part| {
            columns.iter().flatten().any(|column| matches!(column, Column::Part(other, ..) if *other == part))
        };
        let is_missing = |part: &Part| !has(*part) && mapping.default_of(*part).is_none();
        let mut wrong = Vec::new();
        let mut missing: Vec<Part> = [Part::Account, Part::Slug].into_iter().filter(is_missing).collect();
        wrong.extend(missing.iter().map(|part| format!("there is no column `{}`", part.name())));
        if !has(Part::AuthObject) && is_missing(&Part::AuthType) {
            wrong.push("there is neither a column `auth_type` nor one `auth_object`".to_owned());
            missing.push(Part::AuthType);
        }
        wrong.extend(repeated(names, &columns));
        let unfit: Vec<&str> =
            names.iter().zip(&columns).filter(|(_, column)| column.is_err()).map(|(name, _)| *name).collect();
        for name in &unfit {
            let leave = rule(name, "");
            wrong.push(format!(
                "the column {} has no name that a field can have: map it to one, or leave it out by {leave}",
                quoted(name)
            ));
        }
        let unmatched = unmatched(names, mapping);
        if !missing.is_empty() || !unmatched.is_empty() {
            wrong.push(format!("the file has {}", quoted_list(names.iter().copied().filter(|name| !name.is_empty()))));
        }
        wrong.extend(unmatched);
        if !missing.is_empty() {
            wrong.push(format!("say which is which: {}", arguments(names, &missing)));
        }
        if wrong.is_empty() { Ok(columns.into_iter().flatten().collect()) } else { Err(wrong.join("; ")) }
    }

    /// The columns' names as they are in the file.
    pub(super) fn names(&self) -> &[Vec<u8>] {
        &self.names
    }

    /// The name of a field's column in the file, if it differs from the field's.
    pub(super) fn name_of(&self, field: &str) -> Option<String> {
        let fits = |column: &Column| matches!(column, Column::Field(name) if name == field);
        let name = self.names.get(self.columns.iter().position(fits)?)?;
        Some(String::from_utf8_lossy(name).trim().to_owned())
    }

    /// A cell as it was before it was written for a spreadsheet.
    pub(super) fn cell<'a>(&self, cell: &'a [u8]) -> &'a [u8] {
        if self.is_guarded { unguard(cell) } else { cell }
    }

    /// The row in the record that was read last.
    pub(super) fn row(&self, record: &Csv, line: u64, mapping: &Mapping) -> Result<Row, BadRow> {
        let count = record.fields().len();
        let has_more = record.fields().skip(self.columns.len()).any(|cell| !cell.trim_ascii().is_empty());
        if count < self.columns.len() || has_more {
            let mut message = format!("the row has {count} fields, and the header {}", self.columns.len());
            if record.is_at_end() && !has_more {
                message.push_str("; the file ends in this row, so it may have been cut short");
            } else if has_more {
                message.push_str("; a value that holds the delimiter needs quotes around it");
            }
            return Err(BadRow::new(BadRowKind::FieldCount, message));
        }
        let mut draft = Draft::default();
        let cells = record.fields().map(|cell| self.cell(cell));
        let mut cells = self.columns.iter().zip(cells).zip(1..);
        match cells
            .try_for_each(|((column, cell), n)| column.cell(&mut draft, cell, line, mapping).map_err(|bad| bad.at(n)))
        {
            Ok(()) => draft.finish(mapping, Names::Own).map_err(|bad| self.place(bad)),
            Err(bad) => Err(bad.of(draft.account().as_ref(), draft.slug(mapping))),
        }
    }

    /// The name of a column as it is repeated in messages.
    pub(super) fn shown(&self, column: usize) -> String {
        let name = self.names.get(column).map(|name| String::from_utf8_lossy(name));
        name.map_or_else(|| "a column that the header does not have".to_owned(), |name| quoted(name.trim()))
    }

    /// Adds the column to the error of a row.
    fn place(&self, mut bad: BadRow) -> BadRow {
        let fits =
            |column: &Column| matches!(column, Column::Part(part, ..) if bad.field.as_deref() == Some(part.name()));
        bad.column = self.columns.iter().position(fits).map(|at| at as u64 + 1);
        bad
    }
}

/// Arguments that say where the missing parts are: as the names of the columns suggest it, or with a place for what is to be
/// filled in.
pub(super) fn arguments(names: &[&str], missing: &[Part]) -> String {
    let found = probable(names, missing);
    let rule_of = |part: &Part| match (found.iter().find(|(_, of)| of == part), part) {
        (Some((name, _)), _) => rule(name, part.name()),
        (None, Part::Slug) => argument("slug:=APP"),
        (None, Part::AuthType) => argument("auth_type:=keybased"),
        (None, part) => argument(&format!("COLUMN={}", part.name())),
    };
    missing.iter().map(rule_of).collect::<Vec<_>>().join(" ")
}

/// Columns that rules name and that are not there, with what is probably meant. A rule that does nothing is an error, since the rows
/// would be stored without what it was written for.
fn unmatched(names: &[&str], mapping: &Mapping) -> Vec<String> {
    let is_column = |from: &str| names.iter().any(|name| *name == from || fold(name) == fold(from));
    let message = |from: &str| match match_name(from, names.iter().copied()) {
        NameMatch::Same(name) | NameMatch::Near(name) => {
            format!("the map names a column {}, which is not there; {} may be meant", quoted(from), quoted(name))
        }
        NameMatch::Unknown => format!("the map names a column {}, which is not there", quoted(from)),
    };
    mapping.columns().filter(|from| !mapping.meanings(from).any(is_column)).map(message).collect()
}

/// Columns that say the same thing twice.
fn repeated(names: &[&str], columns: &[Result<Column, ()>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, column) in columns.iter().enumerate() {
        let is_same = |other: &Result<Column, ()>| match (column, other) {
            (Ok(Column::Part(one, by, _)), Ok(Column::Part(other, so, _))) => one == other && by == so,
            (Ok(Column::Field(one)), Ok(Column::Field(other))) => one == other,
            _ => false,
        };
        let Some(before) = columns.iter().take(n).position(is_same) else { continue };
        let (Some(first), Some(second)) = (names.get(before), names.get(n)) else { continue };
        wrong.push(if first == second {
            format!(
                "the column {} is there twice, as column {} and column {}: remove or rename one",
                quoted(first),
                before + 1,
                n + 1
            )
        } else {
            let leave = rule(second, "");
            format!(
                "the columns {} ({}) and {} ({}) mean the same: leave one out, for example by {leave}",
                quoted(first),
                before + 1,
                quoted(second),
                n + 1
            )
        });
    }
    wrong
}

/// The name by which a rule knows a column: its own, or the one rule's that differs in case and separators only.
fn known_as<'a>(name: &'a str, names: &[&str], mapping: &'a Mapping) -> &'a str {
    if mapping.knows(name) {
        return name;
    }
    let folded = fold(name);
    let fits = |from: &&str| fold(from) == folded && !names.contains(from);
    let mut rules = mapping.names().filter(fits);
    match rules.next() {
        Some(from) if !folded.is_empty() && rules.all(|other| other == from) => from,
        _ => name,
    }
}

/// What a column is mapped to. The error is a name that no field can have.
fn column(name: &str, names: &[&str], mapping: &Mapping) -> Result<Column, ()> {
    let name = known_as(name, names, mapping);
    match mapping.column(name) {
        Some(Target::Part(part)) => return Ok(Column::Part(*part, By::Rule, name.to_owned())),
        Some(Target::Field(_)) => return Ok(Column::Field(name.to_owned())),
        Some(Target::Nothing) => return Ok(Column::Dropped),
        None => {}
    }
    if let Some(part) = Part::spelled(name) {
        return Ok(Column::Part(part, By::Name, name.to_owned()));
    }
    match name {
        // `#` is no name either.
        name if fold(name).is_empty() => return Ok(Column::Nameless),
        NAMES => return Ok(Column::Names),
        name if name.starts_with(OWN) => return Ok(Column::Dropped),
        _ => {}
    }
    if name.parse::<FieldName>().is_ok() || mapping.knows(name) {
        return Ok(Column::Field(name.to_owned()));
    }
    let field = field_of(name);
    if field.parse::<FieldName>().is_ok() { Ok(Column::Field(field)) } else { Err(()) }
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
            Self::Numbers
                if value.trim().bytes().all(|byte| byte.is_ascii_digit()) && value.len() <= LONGEST_NUMBER =>
            {
                Ok(())
            }
            Self::Nameless | Self::Numbers => Err(BadRow::new(
                BadRowKind::UnknownColumn,
                "there is something in a column that has no name in the header",
            )),
            Self::Dropped => Ok(()),
        }
    }
}
