//! How the rows of an import are treated: the policy, and its choices as text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
