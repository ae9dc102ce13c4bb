//! Bulk imports: the job, and a ledger row for each row of its file.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AuditEvent, IntegrationKey, IntegrationRecord, ObjectId, Timestamp};
use crate::ids::{AccountId, Environment, OrgId, Slug};

/// Which import.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImportKey {
    /// Whose it is.
    pub org: OrgId,
    /// Test or production.
    pub environment: Environment,
    /// Its own id.
    pub id: ObjectId,
}

/// An import as it is stored. How its rows fare is counted beside it, by app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// Which one it is.
    pub key: ImportKey,
    /// Who began it: the beginning of an API key.
    pub actor: String,
    /// The file's name, in the words of the one who sent it.
    #[serde(default)]
    pub file: Option<String>,
    /// SHA-256 of the file as it was sent; none until all of it is here.
    #[serde(default, with = "serde_bytes")]
    pub digest: Option<[u8; 32]>,
    /// Bytes of the file as it was sent.
    pub bytes: u64,
    /// Rows that the file has.
    pub rows: u64,
    /// How its rows are dealt with.
    pub policy: ImportPolicy,
    /// Where it stands.
    pub state: ImportState,
    /// Why it stands there, where that needs words.
    #[serde(default)]
    pub reason: Option<String>,
    /// Failed rows that whoever resumed it last has seen: they do not count against the policy any more.
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

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Its file is being read. None of its rows is worked on before all of it is here.
    Receiving,
    /// Its rows are being worked on.
    Running,
    /// Nothing is done until somebody resumes it.
    Paused,
    /// Each of its rows is settled.
    Finished,
    /// Somebody has ended it; rows that were not settled stay as they are.
    Cancelled,
    /// It has ended itself, since too many rows failed.
    Stopped,
    /// What it did is being taken back.
    Undoing,
    /// What it did is taken back, as far as nobody has changed it since.
    Undone,
    /// It is being forgotten.
    Deleting,
}

impl ImportState {
    /// `running`
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
    /// It is, sealed.
    Possible,
    /// It was confirmed, or too much time has passed.
    Over,
}

/// How the rows of an import are dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportPolicy {
    /// Whether anything is stored.
    pub mode: ImportMode,
    /// What is done with a credential that could not be verified though nothing says that it is bad.
    pub on_unverified: OnUnverifiedRow,
    /// What is done where the account has a credential for the app.
    pub on_existing: OnExisting,
    /// What is done with accounts that are not there.
    pub accounts: MissingAccounts,
    /// What is done where a credential turns out to be another account's than the stored one.
    pub account_change: RowAccountChange,
    /// When so many rows have failed, it stops.
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
            /// What can be chosen.
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

/// A word that is none of those that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be {}", .0.join(" or "))]
pub struct UnknownChoice(&'static [&'static str]);

choice! {
    /// Whether an import stores anything.
    ImportMode {
        /// It does.
        #[default] Apply = "apply",
        /// It verifies each credential and stores none.
        DryRun = "dry-run",
    }
}

choice! {
    /// What is done with a credential that could not be verified though nothing says that it is bad.
    OnUnverifiedRow {
        /// Its row fails.
        #[default] Reject = "reject",
        /// It is stored, marked unverified.
        Store = "store",
    }
}

choice! {
    /// What is done where an account has a credential for the app already.
    OnExisting {
        /// It is replaced.
        #[default] Update = "update",
        /// It stays.
        Skip = "skip",
        /// It is replaced if the row says that its own is newer.
        Newer = "newer",
    }
}

choice! {
    /// What is done with accounts that are not there.
    MissingAccounts {
        /// Their rows fail.
        #[default] Reject = "reject",
        /// They are created.
        Create = "create",
    }
}

choice! {
    /// What is done where a credential turns out to be another account's than the stored one.
    RowAccountChange {
        /// Its row fails.
        #[default] Reject = "reject",
        /// The stored one is replaced.
        Replace = "replace",
    }
}

/// How many rows may fail until an import stops: `100`, or `5%` of the file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFailures {
    /// So many.
    Count(u64),
    /// So many of a hundred.
    Percent(u8),
}

impl MaxFailures {
    /// How many of so many rows are too many.
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
    /// What is written down of it.
    pub audit: Option<AuditEvent>,
}

/// Whether a file may be imported that was imported before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameFile {
    /// It may not.
    Refused,
    /// It may.
    Allowed,
}

/// A row of an import as it came: not settled, with what was wrong with it where it cannot be worked on.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// The ledger's row.
    pub row: RowRecord,
    /// What is to be worked on, with the app that it is for; nothing where the row is settled already.
    pub input: Option<(Slug, RowInput)>,
    /// What stands for its account and app among the rows of the import.
    pub place: Option<[u8; 16]>,
}

/// What is to be worked on. The credential is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowInput {
    /// The row's number.
    pub number: u64,
    /// The line of the file on which it begins.
    pub line: u64,
    /// The linked account.
    pub account: AccountId,
    /// The account's name, for an account that is created.
    #[serde(default)]
    pub account_name: Option<String>,
    /// When the credential was last changed where it comes from.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// Number of the root that the envelope is sealed under.
    pub key_id: u32,
    /// The sealed `auth_object`.
    #[serde(with = "serde_bytes")]
    pub envelope: Vec<u8>,
}

impl fmt::Debug for RowInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowInput({} for {})", self.number, self.account)
    }
}

/// A row of the ledger. It never holds a value of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRecord {
    /// Its number in the file, from 1. A header is no row.
    pub number: u64,
    /// The line on which it begins.
    pub line: u64,
    /// The linked account, where the row names one.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// The app, where the row names one that may be shown.
    #[serde(default)]
    pub slug: Option<String>,
    /// Where it stands.
    pub state: RowState,
    /// How it went, in a word: `created`, `rejected`, `invalid_json`.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why, for people.
    #[serde(default)]
    pub detail: Option<String>,
    /// The column (from 1) in which it is wrong.
    #[serde(default)]
    pub column: Option<u64>,
    /// The fields that are wrong.
    #[serde(default)]
    pub fields: Vec<String>,
    /// How often its provider was asked.
    #[serde(default)]
    pub attempts: u32,
    /// Milliseconds from the first attempt's beginning to the end of the last one's.
    #[serde(default)]
    pub took_ms: u64,
    /// When it was settled.
    #[serde(default)]
    pub settled_at: Option<Timestamp>,
    /// What it changed.
    #[serde(default)]
    pub effect: Option<RowEffect>,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// It is yet to be worked on.
    Queued,
    /// It did what it was to do.
    Done,
    /// There was nothing to do.
    Skipped,
    /// It could not be done.
    Failed,
    /// What it did is taken back.
    Undone,
    /// What it did was to be taken back, and somebody has changed it since.
    Kept,
}

impl RowState {
    /// `queued`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Undone => "undone",
            Self::Kept => "kept",
        }
    }
}

/// What a row changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowEffect {
    /// The integration that it wrote.
    pub integration: ObjectId,
    /// The app.
    pub slug: Slug,
    /// The version that it wrote.
    pub version: u64,
    /// The linked account that was made for it.
    #[serde(default)]
    pub made_account: Option<ObjectId>,
}

/// Whether a row that failed is worth being tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is: its input is kept.
    Possible,
    /// It is not, or it has not failed.
    Never,
}

/// A row as it is settled, once.
#[derive(Debug, Clone)]
pub struct RowSettlement {
    /// Its import.
    pub import: ImportKey,
    /// The app among whose rows it waits.
    pub slug: Slug,
    /// The row as it is to be.
    pub row: RowRecord,
    /// Whether its input is kept.
    pub again: Again,
    /// What it replaced.
    pub former: Option<Box<IntegrationRecord>>,
}

/// How many rows of one app stand where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows that are yet to be worked on.
    pub queued: u64,
    /// Rows that are settled, by state and outcome.
    pub settled: BTreeMap<RowState, BTreeMap<String, u64>>,
}

impl RowCounts {
    /// How many are in this state.
    pub fn in_state(&self, state: RowState) -> u64 {
        match state {
            RowState::Queued => self.queued,
            state => self.settled.get(&state).map_or(0, |outcomes| outcomes.values().sum()),
        }
    }

    /// With those of another app.
    pub fn add(&mut self, other: &Self) {
        self.queued += other.queued;
        for (state, outcomes) in &other.settled {
            let own = self.settled.entry(*state).or_default();
            for (outcome, count) in outcomes {
                *own.entry(outcome.clone()).or_default() += count;
            }
        }
    }

    /// One row is here.
    pub fn count(&mut self, row: &RowRecord) {
        match row.state {
            RowState::Queued => self.queued += 1,
            state => *self.outcome(state, row) += 1,
        }
    }

    /// One row is no longer here.
    pub fn uncount(&mut self, row: &RowRecord) {
        match row.state {
            RowState::Queued => self.queued = self.queued.saturating_sub(1),
            state => {
                let count = self.outcome(state, row);
                *count = count.saturating_sub(1);
                self.settled.retain(|_, outcomes| {
                    outcomes.retain(|_, count| *count > 0);
                    !outcomes.is_empty()
                });
            }
        }
    }

    fn outcome(&mut self, state: RowState, row: &RowRecord) -> &mut u64 {
        let outcome = row.outcome.clone().unwrap_or_default();
        self.settled.entry(state).or_default().entry(outcome).or_default()
    }
}

/// How an import's rows fare, by app. Rows that name no app that can be shown are under the empty text.
pub type AppCounts = BTreeMap<String, RowCounts>;

/// What is taken back of a row, if nobody has changed it since.
#[derive(Debug, Clone)]
pub enum TakeBack {
    /// The integration that it made is deleted.
    Remove {
        /// Which.
        key: IntegrationKey,
        /// Its own id.
        id: ObjectId,
        /// The version that the row wrote.
        version: u64,
    },
    /// The credential that it replaced is put back, as one more version.
    PutBack {
        /// As it is to be.
        record: Box<IntegrationRecord>,
    },
}

/// A row to take back.
#[derive(Debug, Clone)]
pub struct UndoWrite {
    /// Its import.
    pub import: ImportKey,
    /// The row as it is to be.
    pub row: RowRecord,
    /// What is changed besides; nothing where somebody has changed it since.
    pub take_back: Option<TakeBack>,
    /// What is written down of it.
    pub audit: Option<AuditEvent>,
}

/// What of an import is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// What its rows replaced, and what those that failed would be tried again with.
    Sealed,
    /// All of it.
    Everything,
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

    #[test]
    fn a_row_that_moves_is_counted_once() {
        let row = |state, outcome: Option<&str>| RowRecord {
            number: 1,
            line: 1,
            account: None,
            slug: None,
            state,
            outcome: outcome.map(str::to_owned),
            detail: None,
            column: None,
            fields: Vec::new(),
            attempts: 0,
            took_ms: 0,
            settled_at: None,
            effect: None,
        };
        let (queued, failed) = (row(RowState::Queued, None), row(RowState::Failed, Some("rejected")));
        let mut counts = RowCounts::default();
        counts.count(&queued);
        counts.uncount(&queued);
        counts.count(&failed);
        assert_eq!((counts.queued, counts.in_state(RowState::Failed)), (0, 1));
        let mut sum = counts.clone();
        sum.add(&counts);
        assert_eq!(sum.settled[&RowState::Failed]["rejected"], 2);
        counts.uncount(&failed);
        assert_eq!(counts, RowCounts::default());
    }
}
