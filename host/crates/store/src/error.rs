//! Errors of a store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::idempotency::IdempotencyRecord;
use crate::values::ObjectId;
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};
use keyferry_types::path_text::ShowPath as _;

/// Result type of a store's methods.
pub type StoreResult<T> = Result<T, StoreError>;

/// A transaction that was not done, or a store that cannot be used.
///
/// The first group is about one transaction, of which nothing was written. The second group is about the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The account to create exists.
    #[error("linked account with id {account} already exists in the {environment} environment")]
    AccountExists {
        /// Id of the account that exists.
        account: LinkedAccountId,
        /// Environment of the account.
        environment: Environment,
    },
    /// The account to write to does not exist.
    #[error("linked account with id {account} does not exist in {environment} environment")]
    AccountMissing {
        /// Id of the account that does not exist.
        account: LinkedAccountId,
        /// Environment in which it does not exist.
        environment: Environment,
    },
    /// The API key is stored already.
    #[error("this API key is stored already")]
    ApiKeyExists,
    /// Another write came first.
    #[error("the integration was changed meanwhile ({}): read it and try again", shown(*.current))]
    Conflict {
        /// The version that is stored; `None` where there is no integration.
        current: Option<u64>,
    },
    /// The idempotency key was used for another request.
    #[error("this Idempotency-Key was used for another request: choose a new one")]
    IdempotencyMismatch,
    /// The response to the very same request was stored meanwhile.
    #[error("the response to this request is stored already: send it again")]
    IdempotencyReplay(Box<IdempotencyRecord>),
    /// The environment has as many webhooks as it may have.
    #[error("there are {most} webhooks already, which is the maximum")]
    TooManyWebhooks {
        /// Maximum number of webhooks in an environment.
        most: usize,
    },
    /// The environment has as many OAuth clients as it may have.
    #[error("there are {most} OAuth clients already, which is the maximum")]
    TooManyOAuthClients {
        /// Maximum number of OAuth clients in an environment.
        most: usize,
    },
    /// The import was changed, deleted or begun meanwhile.
    #[error("the import was changed meanwhile: look at it and try again")]
    ImportChanged,
    /// The row was settled before.
    #[error("this row of the import was settled before")]
    RowSettled,
    /// The same file was imported before.
    #[error("this file was imported before, as {import}: import it again only if that is meant (`again`)")]
    FileKnown {
        /// Id of the earlier import of the file.
        import: ObjectId,
    },
    /// The session has ended meanwhile.
    #[error("this session has ended")]
    SessionEnded,
    /// A record is larger than stores keep.
    #[error("{what} is too large: a record may have at most {limit} bytes")]
    TooLarge {
        /// The kind of record, as a noun for the message.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The largest size in bytes.
        limit: usize,
    },
    /// A write contradicts itself. A defect of the caller.
    #[error("this write contradicts itself: {0}")]
    Contradiction(&'static str),

    /// The disk is almost full. Writes are accepted again once there is space.
    #[error("only {free} bytes are free at {}, and {needed} must be: free some space; writes resume without a restart", path.shown())]
    NoSpace {
        /// Bytes that are free on the volume.
        free: u64,
        /// Bytes that must be free.
        needed: u64,
        /// Folder of the store.
        path: PathBuf,
    },
    /// The database cannot be used at the moment. Nothing was written, and what is asked again may succeed.
    #[error("the database cannot be used at the moment; nothing was stored, and no restart is needed")]
    Unavailable {
        /// Error of the database or of the connection.
        source: DatabaseFault,
    },
    /// The database was lost during a commit and did not come back in time.
    #[error(
        "the database was lost during a commit: it is not known whether the write took place; read before it is repeated"
    )]
    Unknown {
        /// Error of the connection.
        source: DatabaseFault,
    },
    /// The database cannot be opened.
    #[error("cannot use the database {place}: {reason}")]
    Database {
        /// Address of the database, without secrets.
        place: String,
        /// What is wrong with it, or with its address.
        reason: String,
    },
    /// Another process has the database open.
    #[error(
        "the database {place} is in use by {holder}: stop that one, or let it do this; 15 s after a crash the database is free"
    )]
    InUse {
        /// Address of the database, without secrets.
        place: String,
        /// The process, as it calls itself.
        holder: String,
    },
    /// The tables of the database are of another version.
    #[error("the tables of {place} have version {found}, and this Keyferry has version {known}: {}", schema_advice(*found, *known))]
    Schema {
        /// Address of the database, without secrets.
        place: String,
        /// The version of the tables.
        found: u32,
        /// The version that is known here.
        known: u32,
    },
    /// A write or a sync failed: what is on disk is unknown until the store is opened again.
    #[error("the store failed ({reason}): restart Keyferry; no acknowledged write is lost")]
    Failed {
        /// Error of the write or sync that failed.
        reason: Arc<str>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Another process has it open.
    #[error("{} is in use by another process: stop that one, or give this one another folder", path.shown())]
    Locked {
        /// Folder of the store.
        path: PathBuf,
    },
    /// What is on disk is not what was written. It is left as it is.
    #[error(
        "the store at {} is damaged ({reason}): move the folder away, restore your last backup in its place, and keep the damaged one for inquiry",
        path.shown()
    )]
    Corrupt {
        /// Folder of the store.
        path: PathBuf,
        /// How the damage was noticed.
        reason: String,
    },
    /// Written by another version.
    #[error("the store at {} has format {found}, and this Keyferry reads format {known}: run the Keyferry that wrote it, or a newer one", path.shown())]
    Format {
        /// Folder of the store.
        path: PathBuf,
        /// The format that it has.
        found: u32,
        /// The format that is known here.
        known: u32,
    },
    /// The folder cannot be used.
    #[error("cannot {action} {}", path.shown())]
    Open {
        /// The attempted action, as a verb for the message.
        action: &'static str,
        /// File or folder of the attempted action.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The store is being filled, or was when that was interrupted.
    #[error(
        "the store at {place} is incomplete: {what} has not come to its end; run that command again, or empty the store"
    )]
    Unfinished {
        /// The store.
        place: String,
        /// What fills it.
        what: String,
    },
    /// A copy of the content is under way.
    #[error("a backup of this store is running already: wait for its end")]
    CopyRunning,
    /// The content is read more slowly than it changes.
    #[error(
        "the store is written to faster than the backup is read: more than {most} bytes of changes were waiting; write it to a faster disk, or at a quieter time"
    )]
    CopyOverrun {
        /// Bytes that may wait.
        most: usize,
    },
    /// A stored record cannot be read.
    #[error(
        "a record of `{table}` cannot be read ({reason}): restore your last backup, or run the Keyferry that wrote it"
    )]
    Damaged {
        /// The kind of record.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Something was sealed under a root that is out of use.
    #[error("root key {key_id} of organisation {org} is out of use")]
    StaleRoot {
        /// Organisation of the root.
        org: OrgId,
        /// Number of the root within its organisation.
        key_id: u32,
    },
    /// There is no such root, or it cannot be changed like that.
    #[error("root key {key_id} of organisation {org} {problem}")]
    Root {
        /// Organisation of the root.
        org: OrgId,
        /// Number of the root within its organisation.
        key_id: u32,
        /// Why the change is impossible, as the message continues.
        problem: &'static str,
    },
    /// An audit chain does not hold.
    #[error("the audit chain of organisation {org} does not hold at entry {seq}: {reason}")]
    AuditBroken {
        /// Organisation of the chain.
        org: OrgId,
        /// The first entry that is wrong.
        seq: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The engine could not read.
    #[error("the store could not be read")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a database or the connection to it says. It can name hosts and users, so that it is for operators and not for callers.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct DatabaseFault(pub Arc<str>);

impl StoreError {
    /// Whether another writer came first: the caller can read again and repeat its write.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::StaleRoot { .. } | Self::ImportChanged)
    }
}

fn schema_advice(found: u32, known: u32) -> &'static str {
    match found < known {
        true => "run `keyferry store migrate`, which a server of the older version survives",
        false => "run the Keyferry that migrated them, or a newer one",
    }
}

fn shown(current: Option<u64>) -> String {
    current.map_or_else(|| "it does not exist now".to_owned(), |version| format!("it is at version {version} now"))
}
