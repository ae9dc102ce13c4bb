//! [`Violation`]: what is wrong with a credential, and where.

use std::fmt;

/// One violation, at one position of `auth_object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the violation in the request, such as `auth_object.keybased.account_id`.
    pub place: String,
    /// Kind of the violation, for programs.
    pub code: ViolationCode,
    /// Message for people; it continues a sentence that begins with the place.
    pub message: String,
}

/// The kinds of violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ViolationCode {
    Missing,
    Unknown,
    WrongType,
    Empty,
    ForbiddenCharacter,
    TooShort,
    TooLong,
    PatternMismatch,
    NotAnOption,
    UnknownAuthType,
    AuthTypeCount,
    Ambiguous,
}

impl ViolationCode {
    /// Stable text for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::WrongType => "wrong_type",
            Self::Empty => "empty",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::PatternMismatch => "pattern_mismatch",
            Self::NotAnOption => "not_an_option",
            Self::UnknownAuthType => "unknown_auth_type",
            Self::AuthTypeCount => "auth_type_count",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// All that is wrong with an `auth_object`, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// All violations, in the order in which they were found.
    pub fn list(&self) -> &[Violation] {
        &self.0
    }

    pub(super) fn new(violations: Vec<Violation>) -> Self {
        Self(violations)
    }

    pub(super) fn one(place: impl Into<String>, code: ViolationCode, message: impl Into<String>) -> Self {
        Self(vec![Violation { place: place.into(), code, message: message.into() }])
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, violation) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", violation.place, violation.message)?;
        }
        Ok(())
    }
}

/// Code and message of the violation of one value; the caller adds the place.
pub(super) type FieldViolation = (ViolationCode, String);
