//! What a database refuses or fails at, and whether to try again.

use std::error::Error as _;
use std::sync::Arc;

use tokio_postgres::error::Severity;

use crate::{DatabaseFault, StoreError};

/// How a request to the database failed.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// Never with a value of a row, nor with a password.
    pub(super) reason: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The transaction met another one and was rolled back: it can be run again at once.
    Met,
    /// The transaction was rolled back for a reason that may pass.
    Passing,
    /// The connection is lost. A commit that was under way may have taken place.
    Lost,
    /// The database refuses it, and will again.
    Refused,
    /// Another process has taken the database.
    Overtaken,
}

impl Fault {
    pub(super) fn lost(reason: impl Into<Arc<str>>) -> Self {
        Self { kind: Kind::Lost, reason: reason.into() }
    }

    /// Nothing was written, or nothing was read.
    pub(super) fn into_error(self) -> StoreError {
        StoreError::Unavailable { source: DatabaseFault(self.reason) }
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let kind = error.as_db_error().map_or(Kind::Lost, |refusal| {
            let is_fatal = matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
            kind(refusal.code().code(), is_fatal)
        });
        Self { kind, reason: chain(&error).into() }
    }
}

fn kind(code: &str, is_fatal: bool) -> Kind {
    match code {
        _ if is_fatal => Kind::Lost,
        "40001" | "40P01" => Kind::Met,
        // A lock or a statement that took too long; a server that has become a standby; one that ends.
        "55P03" | "57014" | "25006" | "57P01" | "57P02" | "57P03" => Kind::Passing,
        // Connections, resources, disks; and what CockroachDB asks to repeat.
        _ if ["08", "53", "58", "CR"].iter().any(|class| code.starts_with(class)) => Kind::Passing,
        _ => Kind::Refused,
    }
}

/// An error with its causes; what the database says of it without the details, which can hold values of rows.
pub(super) fn chain(error: &tokio_postgres::Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", refusal.message(), refusal.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_not() {
        let cases = [
            ("40001", false, Kind::Met),
            ("40P01", false, Kind::Met),
            ("53100", false, Kind::Passing),
            ("53300", true, Kind::Lost),
            ("57P01", true, Kind::Lost),
            ("25006", false, Kind::Passing),
            ("08006", false, Kind::Passing),
            ("42P01", false, Kind::Refused),
            ("42501", false, Kind::Refused),
        ];
        for (code, is_fatal, expected) in cases {
            assert_eq!(kind(code, is_fatal), expected, "{code}");
        }
    }
}
