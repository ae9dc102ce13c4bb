//! The store: records, and the transactions that change them.
//!
//! [`Store`] is a set of use cases, each one a transaction that is durable before it returns; there is no get and put.
//! Stores see sealed bytes only: they know no cipher, and their content cannot be opened without the vault's key.
//!
//! | file | answers |
//! |---|---|
//! | `traits`, `ledger` | which transactions are there, and which for imports? |
//! | `account`, `integration`, `session`, `tenant` | what is stored of linked accounts, integrations, sessions, API keys and roots? |
//! | `import`, `row` | what is stored of an import, and of its rows? |
//! | `webhook`, `webhook_notifier` | what is stored of a webhook, and how does the task that delivers learn of changes? |
//! | `idempotency` | which responses are stored for repeated requests? |
//! | `audit` | what does the audit trail record? |
//! | `values` | how are times and ids stored and shown? |
//! | `error` | what can fail? |
//! | [`sled`] | how is all of it stored on one machine? |
//!
//! ```
//! use keyferry_store::MaxFailures;
//!
//! let policy: MaxFailures = "5%".parse()?;
//! assert_eq!(policy.reached_at(1000), 50);
//! # Ok::<(), keyferry_store::InvalidMaxFailures>(())
//! ```

mod account;
mod audit;
mod error;
mod idempotency;
mod import;
mod integration;
mod ledger;
mod row;
mod session;
mod tenant;
mod traits;
mod values;
mod webhook;
mod webhook_notifier;

pub mod sled;

pub use account::{
    AccountKey, AccountPage, AccountRecord, AccountView, AccountWrite, Deleted, ListAccounts, PutAccount, PutMode,
    PutOutcome, UserField,
};
pub use audit::{AuditAction, AuditEntry, AuditEvent, AuditSummary};
pub use error::{StoreError, StoreResult};
pub use idempotency::{IdempotencyKey, IdempotencyRecord};
pub use import::{
    AccountChange, ImportKey, ImportMode, ImportPolicy, ImportRecord, ImportState, ImportWrite, InvalidMaxFailures,
    MaxFailures, MissingAccounts, OnExisting, OnUnverified, Restore, SameFile, UnknownChoice,
};
pub use integration::{
    Check, CheckWrite, Checked, DeleteOutcome, Expect, IntegrationKey, IntegrationRecord, MigrationWrite, Reauth,
    Reseal, RootChange, VerificationStatus,
};
pub use ledger::Ledger;
pub use row::{
    Again, AppCounts, Forget, NewRow, RowCounts, RowEffect, RowInput, RowRecord, RowSettlement, RowState, TakeBack,
    UndoWrite,
};
pub use session::{NewSession, SessionRecord};
pub use tenant::{ApiKeyRecord, NewApiKey, Rewrap, RootRecord, Scope, UnknownScope, Wrapping};
pub use traits::{FatalWatch, Store, StoreHealth};
pub use values::{MalformedObjectId, ObjectId, Timestamp};
pub use webhook::{
    ConnectionEvent, Delivery, DeliveryLog, FailedDelivery, Settled, UnknownEvent, WebhookKey, WebhookMethod,
    WebhookRecord, WebhookState, WebhookWrite,
};
pub use webhook_notifier::WebhookNotifier;
