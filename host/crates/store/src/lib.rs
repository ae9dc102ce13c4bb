//! The store: records, and the transactions that change them.
//!
//! [`Store`] is the sum of one trait a subject. Each method is a use case, and each that writes is one transaction that is
//! durable before it returns; there is no get and put.
//! Stores see sealed bytes only: they know no cipher, and their content cannot be opened without the vault's key.
//!
//! | file | answers |
//! |---|---|
//! | `store` | what may a caller rely on, and which state is the store in? |
//! | `api_key`, `root` | what is stored of API keys and of roots, and by which transactions? |
//! | `account`, `integration`, `migration` | the same of linked accounts, of integrations, and of the migrations that store them |
//! | `renewal`, `renewal_state` | of renewals of tokens, and what is recorded of them |
//! | `session`, `webhook`, `delivery` | of sessions, of webhooks, and of the deliveries to them |
//! | `import`, `ledger`, `audit` | of imports, of their rows, and of the audit trail |
//! | `oauth_client` | of the organisation's OAuth clients |
//! | `row`, `import_policy`, `idempotency` | what is in a row of an import, a policy, a stored response? |
//! | `keys`, `values` | under which keys are records stored? how are times and ids stored and shown? |
//! | `plugin` | which plugins do all servers of a database have in common? |
//! | `claim`, `peers` | which work does one host at a time? what have other hosts changed? |
//! | `content` | what is all that is stored, and how is an empty store filled with it? |
//! | [`backup`] | how is it written into a file, checked, restored, and copied into another store? |
//! | `webhook_notifier` | how does the task that delivers learn of changes? |
//! | `error` | what can fail? |
//! | `records` | what does each transaction do, whichever engine keeps the records? |
//! | [`sled`] | how are they kept on one machine? |
//! | [`postgres`] | how are they kept in a database at the other end of a network? |
//!
//! ```
//! use keyferry_store::MaxFailures;
//!
//! let policy: MaxFailures = "5%".parse()?;
//! assert_eq!(policy.reached_at(1000), 50);
//! # Ok::<(), keyferry_store::InvalidMaxFailures>(())
//! ```

mod account;
mod api_key;
mod audit;
mod claim;
mod content;
mod delivery;
mod error;
mod idempotency;
mod import;
mod import_policy;
mod integration;
mod keys;
mod ledger;
mod migration;
mod oauth_client;
mod peers;
mod plugin;
mod records;
mod renewal;
mod renewal_state;
mod root;
mod row;
mod session;
mod store;
mod values;
mod webhook;
mod webhook_notifier;

pub mod backup;
pub mod postgres;
pub mod sled;

#[cfg(test)]
mod tests;

pub use account::{
    AccountPage, AccountPlace, AccountRecord, AccountStore, AccountView, AccountWrite, Deleted, ListAccounts,
    MalformedAccountPlace, PutAccount, PutMode, PutOutcome, UserField,
};
pub use api_key::{ApiKeyRecord, ApiKeyStore, NewApiKey, Scope, UnknownScope};
pub use audit::{AuditAction, AuditEntry, AuditEvent, AuditStore, AuditSummary};
pub use claim::{Claim, ClaimStore, Work};
pub use content::{Change, ContentStore, Incomplete, Origin, Piece, Pieces, RowPlace, TableCounts, Unfinished};
pub use delivery::{Delivery, DeliveryLog, DeliveryStore, FailedDelivery, Settled};
pub use error::{DatabaseFault, StoreError, StoreResult};
pub use idempotency::IdempotencyRecord;
pub use import::{Forget, ImportRecord, ImportState, ImportStore, ImportWrite, Restore, SameFile};
pub use import_policy::{
    AccountChange, ImportMode, ImportPolicy, InvalidMaxFailures, MaxFailures, MissingAccounts, OnExisting,
    OnUnverified, UnknownChoice,
};
pub use integration::{
    CheckWrite, Checked, DeleteOutcome, IntegrationRecord, IntegrationStore, IntegrationVersion, Reauth,
    VerificationStatus,
};
pub use keys::{AccountKey, IdempotencyKey, ImportKey, IntegrationKey, OAuthClientKey, WebhookKey};
pub use ledger::Ledger;
pub use migration::{MigrationStore, MigrationWrite};
pub use oauth_client::{
    ClientRefusal, OAuthClientRecord, OAuthClientReseal, OAuthClientStore, OAuthClientVersion, OAuthClientWrite,
};
pub use peers::{Kept, KeptChanges, Peers};
pub use plugin::{ComponentKey, PLUGIN_PART, PluginChange, PluginStore, SharedFile, SharedGrant, SharedPlugins};
pub use renewal::{BeginRenewal, Begun, Renewal, RenewalEnd, RenewalStore, RenewalWrite};
pub use renewal_state::{Check, RenewalIntent, RenewalState};
pub use root::{Reseal, Rewrap, RootChange, RootRecord, RootStore, Wrapping};
pub use row::{
    Again, AppCounts, NewRow, RowCounts, RowEffect, RowInput, RowRecord, RowSettlement, RowState, TakeBack, UndoWrite,
};
pub use session::{NewSession, SessionRecord, SessionStore};
pub(crate) use store::Failure;
pub use store::{Census, DiskUse, FatalWatch, Store, StoreHealth};
pub use values::{Expect, MalformedObjectId, ObjectId, Timestamp};
pub use webhook::{
    ConnectionEvent, UnknownEvent, WebhookMethod, WebhookRecord, WebhookState, WebhookStore, WebhookWrite,
};
pub use webhook_notifier::WebhookNotifier;
