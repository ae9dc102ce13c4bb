//! Rows of a bulk import, their counts and settlements: the records of [`Ledger`](crate::Ledger).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::integration::IntegrationRecord;
use crate::keys::{ImportKey, IntegrationKey};
use crate::values::{ObjectId, Timestamp};
use keyferry_types::ids::{LinkedAccountId, Slug};

/// A row of an import as it came: not settled, with what was wrong with it where it cannot be worked on.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// The row as the ledger shows it.
    pub row: RowRecord,
    /// The input of the row with its app; `None` where the row is settled already.
    pub input: Option<(Slug, RowInput)>,
    /// Digest of its account and app, which finds duplicates among the rows of the import.
    pub place: Option<[u8; 16]>,
}

/// The input of a row that waits to be processed. The credential is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowInput {
    /// Number of the row in its file, from 1.
    pub number: u64,
    /// The line of the file on which it begins.
    pub line: u64,
    /// Linked account that the credential is for.
    pub account: LinkedAccountId,
    /// The account's name, for an account that is created.
    #[serde(default)]
    pub account_name: Option<String>,
    /// When the credential was last changed where it comes from.
    #[serde(default)]
    pub updated_at: Option<Timestamp>,
    /// Warnings from reading the row, which do not prevent its import.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Number of the root that the envelope is sealed under.
    pub key_id: u32,
    /// The sealed `auth_object` of the row, as an envelope of the vault.
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
    pub account: Option<LinkedAccountId>,
    /// The app, where the row names one that may be shown.
    #[serde(default)]
    pub slug: Option<String>,
    /// State of the row.
    pub state: RowState,
    /// Outcome in a word: `created`, `rejected`, `invalid_json`.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Explanation of the outcome, as a sentence for people.
    #[serde(default)]
    pub detail: Option<String>,
    /// The column (from 1) in which it is wrong.
    #[serde(default)]
    pub column: Option<u64>,
    /// The fields that are wrong.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Number of attempts to verify the credential.
    #[serde(default)]
    pub attempts: u32,
    /// Milliseconds from the first attempt's beginning to the end of the last one's.
    #[serde(default)]
    pub took_ms: u64,
    /// When it was settled.
    #[serde(default)]
    pub settled_at: Option<Timestamp>,
    /// The integration and account that the row wrote.
    #[serde(default)]
    pub effect: Option<RowEffect>,
    /// Warnings that do not decide the outcome, for people: a value that was not stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// State of a row.
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
    /// The effect of the row is undone.
    Undone,
    /// The effect of the row was not undone, because its credential was changed since.
    Kept,
}

impl RowState {
    /// The serialised name, such as `queued`.
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

/// The changes that a row made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowEffect {
    /// The integration that it wrote.
    pub integration: ObjectId,
    /// App of the integration that was written.
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
    /// Key of the row's import.
    pub import: ImportKey,
    /// The app among whose rows it waits.
    pub slug: Slug,
    /// The row as it is to be.
    pub row: RowRecord,
    /// Whether its input is kept.
    pub again: Again,
    /// The integration that the row replaced, kept for an undo.
    pub former: Option<Box<IntegrationRecord>>,
}

/// Number of rows of one app by state and outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows that are yet to be worked on.
    pub queued: u64,
    /// Rows that are settled, by state and outcome.
    pub settled: BTreeMap<RowState, BTreeMap<String, u64>>,
    /// Of the settled rows, those with warnings.
    #[serde(default)]
    pub warned: u64,
}

impl RowCounts {
    /// Number of rows in this state.
    pub fn in_state(&self, state: RowState) -> u64 {
        match state {
            RowState::Queued => self.queued,
            state => self.settled.get(&state).map_or(0, |outcomes| outcomes.values().sum()),
        }
    }

    /// Those of all apps together.
    pub fn of_all(apps: &AppCounts) -> Self {
        let mut all = Self::default();
        apps.values().for_each(|counts| all.add(counts));
        all
    }

    /// With those of another app.
    fn add(&mut self, other: &Self) {
        self.queued += other.queued;
        self.warned += other.warned;
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
            state => {
                *self.outcome(state, row) += 1;
                self.warned += u64::from(!row.warnings.is_empty());
            }
        }
    }

    /// One row is no longer here.
    pub fn uncount(&mut self, row: &RowRecord) {
        match row.state {
            RowState::Queued => self.queued = self.queued.saturating_sub(1),
            state => {
                self.warned = self.warned.saturating_sub(u64::from(!row.warnings.is_empty()));
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

/// Counts of an import's rows, by app. Rows without an app that can be shown are under the empty text.
pub type AppCounts = BTreeMap<String, RowCounts>;

/// How a row is undone, if its integration was not changed since.
#[derive(Debug, Clone)]
pub enum TakeBack {
    /// The integration that it made is deleted.
    Remove {
        /// Key of the integration to delete.
        key: IntegrationKey,
        /// Id of the integration to delete.
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
    /// Key of the row's import.
    pub import: ImportKey,
    /// The row as it is to be.
    pub row: RowRecord,
    /// The change of the integration; `None` where it was changed since and stays.
    pub take_back: Option<TakeBack>,
    /// The audit event, written in the same transaction.
    pub audit: Option<AuditEvent>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
            warnings: vec!["`a` is not stored".to_owned()],
        };
        let (queued, failed) = (row(RowState::Queued, None), row(RowState::Failed, Some("rejected")));
        let mut counts = RowCounts::default();
        counts.count(&queued);
        counts.uncount(&queued);
        counts.count(&failed);
        assert_eq!((counts.queued, counts.in_state(RowState::Failed), counts.warned), (0, 1, 1));
        let mut sum = counts.clone();
        sum.add(&counts);
        assert_eq!((sum.settled[&RowState::Failed]["rejected"], sum.warned), (2, 2));
        counts.uncount(&failed);
        assert_eq!(counts, RowCounts::default());
    }
}
