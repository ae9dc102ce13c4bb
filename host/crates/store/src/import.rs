//! Bulk imports: records, states, and [`ImportStore`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::audit::AuditEvent;
use crate::error::StoreResult;
use crate::import_policy::ImportPolicy;
use crate::keys::ImportKey;
use crate::row::AppCounts;
use crate::values::Timestamp;
use keyferry_types::ids::{Environment, OrgId};

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

/// The part of an import that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// What its rows replaced, and what those that failed would be tried again with.
    Sealed,
    /// The import with all its rows and records.
    Everything,
}

/// Transactions on imports as a whole. Their rows are [`Ledger`](crate::Ledger)'s.
///
/// Each change of an import is a new version, so that of two writers that read the same version one gets `ImportChanged`. What
/// [`import`](Self::import) and [`imports`](Self::imports) return is durable.
#[async_trait]
pub trait ImportStore: Send + Sync + 'static {
    /// Stores a version of an import.
    ///
    /// # Errors
    /// `ImportChanged` if its version does not follow the stored one.
    async fn put_import(&self, write: ImportWrite) -> StoreResult<()>;

    /// Stores the version of an import whose file has arrived, and remembers the file unless the import is a dry run.
    ///
    /// # Errors
    /// As [`put_import`](Self::put_import), and `FileKnown` if the file is remembered and that is refused.
    async fn start_import(&self, write: ImportWrite, same_file: SameFile) -> StoreResult<()>;

    /// One import, and the counts of its rows by app.
    async fn import(&self, key: &ImportKey) -> StoreResult<Option<(ImportRecord, AppCounts)>>;

    /// All imports of an environment, newest first.
    async fn imports(&self, org: &OrgId, environment: Environment) -> StoreResult<Vec<ImportRecord>>;

    /// All imports of all organisations, in no particular order.
    async fn all_imports(&self) -> StoreResult<Vec<ImportRecord>>;

    /// Deletes at most `limit` records of what is stored of an import. Returns whether more is left: the import's own record
    /// goes last, so that a crash between two calls leaves an import that can be deleted.
    async fn forget_import(&self, import: &ImportKey, what: Forget, limit: usize) -> StoreResult<bool>;
}
