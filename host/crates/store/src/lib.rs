//! What is kept, and the transactions that change it.
//!
//! [`Store`] is a set of use cases, each one transaction that is durable before it is answered; there is no get and put.
//! Stores see sealed bytes only: they know no cipher, and what they hold opens nowhere without the vault's key.
//! [`sled`] is the store for one machine.

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
