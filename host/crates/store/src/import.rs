//! Bulk imports: the import's record, its state, and the policy for its rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AccountKey, AuditEvent, ObjectId, Timestamp};
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};

/// Key under which an import is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImportKey {
    /// Organisation of the import.
    pub org: OrgId,
    /// Environment of the import.
    pub environment: Environment,
    /// Id that the server gave the import.
    pub id: ObjectId,
}

impl ImportKey {
    /// A linked account of where it is.
    pub fn account(&self, account: &LinkedAccountId) -> AccountKey {
        AccountKey { org: self.org.clone(), environment: self.environment, account: account.clone() }
    }
}

/// An import as it is stored. The counts of its rows are stored beside it, by app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// The key under which it is stored.
    pub key: ImportKey,
    /// The actor that started it: the first characters of an API key.
    pub actor: String,
    /// Hash of that API key; none of an import that an older version began.
    #[serde(default, with = "serde_bytes")]
    pub made_by: Option<[u8; 32]>,
    /// Name of the file, as the caller gave it.
    #[serde(default)]
    pub file: Option<String>,
    /// SHA-256 of the file as it was sent; none until all of it is here.
    #[serde(default, with = "serde_bytes")]
    pub digest: Option<[u8; 32]>,
    /// Bytes of the file as it was sent.
    pub bytes: u64,
    /// Rows that the file has.
    pub rows: u64,
    /// Name of the preset that the file was read with.
    #[serde(default)]
    pub from: Option<String>,
    /// Rows whose OAuth access token ended or was about to end when the file arrived, and that have no refresh token.
    #[serde(default)]
    pub ending_soon: u64,
    /// The policy for its rows.
    pub policy: ImportPolicy,
    /// State of the import as a whole.
    pub state: ImportState,
    /// Why it is in that state, where the state alone does not say it.
    #[serde(default)]
    pub reason: Option<String>,
    /// Number of failed rows at the last resumption: the policy does not count them any more.
    #[serde(default)]
    pub failures_seen: u64,
    /// Whether what it replaced is still kept, so that it can be undone.
    pub restore: Restore,
    /// 1 for the first form, one more for each that replaces it.
    pub version: u64,
    /// When the first byte of the file came.
    pub created_at: Timestamp,
    /// When all of the file was here and work began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When the last row was settled, or work was given up.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
}

/// State of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Its file is being read. None of its rows is worked on before all of it is here.
    Receiving,
    /// Its rows are being worked on.
    Running,
    /// No row is processed until a caller resumes the import.
    Paused,
    /// Each of its rows is settled.
    Finished,
    /// A caller ended it; rows that were not settled stay as they are.
    Cancelled,
    /// It has ended itself, since too many rows failed.
    Stopped,
    /// The effects of its rows are being undone.
    Undoing,
    /// The effects of its rows are undone, except for accounts and credentials that were changed since.
    Undone,
    /// It is being forgotten.
    Deleting,
}

impl ImportState {
    /// The serialised name, such as `running`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Deleting => "deleting",
        }
    }
}

/// Whether what an import replaced is still kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restore {
    /// The former credentials are still stored, sealed.
    Possible,
    /// It was confirmed, or too much time has passed.
    Over,
}

/// The policy for the rows of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportPolicy {
    /// Whether anything is stored.
    pub mode: ImportMode,
    /// How to treat a credential that could not be verified though nothing says that it is bad.
    pub on_unverified: OnUnverified,
    /// How to treat a row where the account has a credential for the app already.
    pub on_existing: OnExisting,
    /// How to treat rows of accounts that do not exist.
    pub accounts: MissingAccounts,
    /// How to treat a credential of another provider account than the stored one's.
    pub account_change: AccountChange,
    /// Number or share of failed rows at which the import stops.
    #[serde(default)]
    pub max_failures: Option<MaxFailures>,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// The texts of all choices.
            pub const CHOICES: &'static [&'static str] = &[$($text),*];

            /// The choice in a word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownChoice;
            fn from_str(text: &str) -> Result<Self, UnknownChoice> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownChoice(Self::CHOICES)) }
            }
        }
    };
}

/// Text that is not one of the possible choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be {}", .0.join(" or "))]
pub struct UnknownChoice(&'static [&'static str]);

choice! {
    /// Whether an import stores anything.
    ImportMode {
        /// It verifies each credential and stores those that the policy allows.
        #[default] Apply = "apply",
        /// It verifies each credential and stores none.
        DryRun = "dry-run",
    }
}

choice! {
    /// How to treat a credential that could not be verified though nothing says that it is bad.
    OnUnverified {
        /// The credential is refused, and its row fails.
        #[default] Reject = "reject",
        /// It is stored, marked unverified.
        Store = "store",
    }
}

choice! {
    /// How to treat a row where the account has a credential for the app already.
    OnExisting {
        /// The stored credential is replaced.
        #[default] Update = "update",
        /// The stored credential stays, and the row is skipped.
        Skip = "skip",
        /// It is replaced if the row says that its own is newer.
        Newer = "newer",
    }
}

choice! {
    /// How to treat rows of accounts that do not exist.
    MissingAccounts {
        /// Rows of missing accounts fail.
        #[default] Reject = "reject",
        /// Missing accounts are created.
        Create = "create",
    }
}

choice! {
    /// How to treat a credential of another provider account than the stored one's.
    AccountChange {
        /// The credential is refused, and its row fails.
        #[default] Reject = "reject",
        /// The stored one is replaced.
        Replace = "replace",
    }
}

/// How many rows may fail until an import stops: `100`, or `5%` of the file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFailures {
    /// A number of rows.
    Count(u64),
    /// A percentage of the file's rows, from 1 to 100.
    Percent(u8),
}

impl MaxFailures {
    /// Number of failed rows at which an import of `rows` rows stops; at least 1.
    pub fn reached_at(self, rows: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (rows.saturating_mul(percent.into()) / 100).max(1),
        }
    }
}

/// Text that is no number of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be a number from 1, such as 100, or a share from 1% to 100%")]
pub struct InvalidMaxFailures;

impl FromStr for MaxFailures {
    type Err = InvalidMaxFailures;
    fn from_str(text: &str) -> Result<Self, InvalidMaxFailures> {
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse() {
                Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
                _ => Err(InvalidMaxFailures),
            },
            None => text.parse().ok().filter(|count| *count > 0).map(Self::Count).ok_or(InvalidMaxFailures),
        }
    }
}

impl fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// A version of an import to store.
#[derive(Debug, Clone)]
pub struct ImportWrite {
    /// The import as it is to be. Its version is 1 for a new one, else one more than the stored one's.
    pub record: ImportRecord,
    /// The audit event, written in the same transaction.
    pub audit: Option<AuditEvent>,
}

/// Whether a file may be imported that was imported before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameFile {
    /// A file that was imported before is refused.
    Refused,
    /// A file may be imported again.
    Allowed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_failures_is_a_count_or_a_share() {
        for (text, at) in [("1", 1), ("100", 100), ("5%", 10), ("100%", 200)] {
            let most: MaxFailures = text.parse().unwrap();
            assert_eq!((most.reached_at(200), most.to_string().as_str()), (at, text));
        }
        assert_eq!(MaxFailures::Percent(1).reached_at(3), 1, "a share of few rows is one row at least");
        for text in ["", "0", "-1", "0%", "101%", "5 %", "1.5"] {
            assert_eq!(text.parse::<MaxFailures>(), Err(InvalidMaxFailures), "{text}");
        }
    }

    #[test]
    fn choices_read_back_and_others_are_told_what_there_is() {
        for word in OnExisting::CHOICES {
            assert_eq!(word.parse::<OnExisting>().unwrap().as_str(), *word);
        }
        assert_eq!("never".parse::<OnExisting>().unwrap_err().to_string(), "it must be update or skip or newer");
    }
}
