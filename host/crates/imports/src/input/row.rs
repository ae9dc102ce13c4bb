//! The results of reading a file: rows, and invalid rows.

use std::fmt;

use super::part::{Part, Parts};
use super::provenance::Provenance;
use keyferry_schema::Input;
use keyferry_store::Timestamp;
use keyferry_types::ids::{LinkedAccountId, Slug};

/// One row of a file, be it a line, an item of a list or a record.
#[derive(Debug)]
pub struct InputRow {
    /// The row's number, counted from 1, without blank lines and the header.
    pub number: u64,
    /// The line on which it begins, counted from 1.
    pub line: u64,
    /// The row's content, or why it has none. Reading continues either way.
    pub content: Result<Row, BadRow>,
}

/// A credential, and whose it is. Its `Debug` shows the shape of the credential and nothing else: a caller that mixes up
/// columns puts a secret where a name belongs.
pub struct Row {
    /// The id of the linked account.
    pub account: LinkedAccountId,
    /// The app, as the file or its mapping names it.
    pub slug: String,
    /// The credential, as `PUT migrate-token` takes it.
    pub auth_object: Input,
    /// What the account is called, for one that has yet to be created.
    pub name: Option<String>,
    /// When the credential was last written at its source.
    pub updated_at: Option<Timestamp>,
    /// The system that its field names are from.
    pub names: Names,
    /// What is worth knowing of it, for people: a value beside the credential that is not stored.
    pub warnings: Vec<String>,
    /// Which values of its source it is made of.
    pub(crate) origin: Provenance,
}

/// The system that a credential's field names are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// The app's own, and meant as they are.
    Own,
    /// Those of another system: [`Row::normalize_field_names`] makes the app's of them.
    Foreign {
        /// Fields that the system keeps beside the credential proper. An app that does not know them does without.
        spare: Vec<String>,
    },
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("auth_object", &self.auth_object).finish_non_exhaustive()
    }
}

/// A row that cannot be used, and why. No value of it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// What is wrong, for programs.
    pub kind: BadRowKind,
    /// Where: of JSON the byte within its line, of CSV the column, counted from 1.
    pub column: Option<u64>,
    /// Which of the names that are known here it is about.
    pub field: Option<String>,
    /// What is wrong, for people.
    pub message: String,
    /// The parts of a row that are not there.
    pub(super) missing: Parts,
    /// The row's linked account, if it could be read.
    pub account: Option<LinkedAccountId>,
    /// Of which app it is, if that could be read and has the shape of a slug.
    pub slug: Option<String>,
}

impl BadRow {
    pub(super) fn new(kind: BadRowKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            column: None,
            field: None,
            message: message.into(),
            missing: Parts::default(),
            account: None,
            slug: None,
        }
    }

    /// A value of that name is not as it has to be.
    pub(super) fn value(field: &str, why: impl fmt::Display) -> Self {
        Self::new(BadRowKind::InvalidValue, format!("`{field}` {why}")).field(field)
    }

    /// There is no value of that name.
    pub(super) fn missing(field: &str, aside: &str) -> Self {
        let missing = Parts::of(Part::named(field));
        Self { missing, ..Self::new(BadRowKind::MissingColumn, format!("`{field}` is missing{aside}")).field(field) }
    }

    /// Something else is wrong, too. The kind is that of the first.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.message = format!("{}; {}", self.message, other.message);
        self.missing = self.missing.and(other.missing);
        self
    }

    pub(super) fn at(mut self, column: u64) -> Self {
        self.column = Some(column);
        self
    }

    pub(super) fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Of that account and app, as far as they are known.
    pub(super) fn of(mut self, account: Option<&LinkedAccountId>, slug: Option<&str>) -> Self {
        self.account = account.cloned();
        self.slug = slug.filter(|slug| slug.parse::<Slug>().is_ok()).map(str::to_owned);
        self
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What can be wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadRowKind {
    /// It is not JSON, or its JSON is cut short.
    InvalidJson,
    /// It is not UTF-8.
    InvalidEncoding,
    /// It is JSON, and no object.
    NotAnObject,
    /// A member or a field is there twice.
    Repeated,
    /// It is nested too deeply.
    TooDeep,
    /// It is larger than a row may be. The rest of it was skipped.
    RowTooLarge,
    /// It has another number of fields than the header.
    FieldCount,
    /// A quote that it opens is not closed before the file ends.
    UnclosedQuote,
    /// Something that each row must have is not there.
    MissingColumn,
    /// Something is there that no row has.
    UnknownColumn,
    /// A value cannot be what it is said to be.
    InvalidValue,
    /// A value was masked where the file was made.
    MaskedValue,
    /// The credential is of a kind that cannot be taken over.
    UnsupportedCredential,
}

impl BadRowKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidEncoding => "invalid_encoding",
            Self::NotAnObject => "not_an_object",
            Self::Repeated => "repeated",
            Self::TooDeep => "too_deep",
            Self::RowTooLarge => "row_too_large",
            Self::FieldCount => "field_count",
            Self::UnclosedQuote => "unclosed_quote",
            Self::MissingColumn => "missing_column",
            Self::UnknownColumn => "unknown_column",
            Self::InvalidValue => "invalid_value",
            Self::MaskedValue => "masked_value",
            Self::UnsupportedCredential => "unsupported_credential",
        }
    }
}

impl fmt::Display for BadRowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_holds_is_not_printed() {
        let row = Row {
            account: "s3cr3t".parse().unwrap(),
            slug: "s3cr3t".into(),
            auth_object: serde_json::from_str(r#"{"s3cr3t":["s3cr3t"]}"#).unwrap(),
            name: Some("s3cr3t".into()),
            updated_at: None,
            names: Names::Own,
            warnings: Vec::new(),
            origin: Provenance::default(),
        };
        let shown = format!("{row:#?}");
        assert!(shown.contains("***") && !shown.contains("s3c"), "{shown}");
    }
}
