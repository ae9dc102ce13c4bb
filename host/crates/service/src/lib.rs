//! The service layer: the use cases over the store, the vault and the sandbox. A credential is put onto a linked account's
//! integration, proven to work and encrypted, or everything stays as it was. The crate knows no HTTP, no WebAssembly and no
//! database.
//!
//! | file | answers |
//! |---|---|
//! | `migrate`, `row` | how is a credential migrated, by a request and by a row of an import? |
//! | `verify_new`, `verify_stored` | how is a credential verified before it is stored, and again afterwards? |
//! | `sealing`, `commit` | how is a credential sealed, and what does each write of it have in common? |
//! | `renewal` | how are tokens renewed, and how does a reader get one that lasts? |
//! | `read`, `custom_app`, `sessions` | how is a credential read, one of the organisation's own app changed, a session opened? |
//! | `oauth_clients`, `oauth_client_values` | how are the organisation's OAuth clients stored, shown, opened? what is a valid one? |
//! | [`keys`], [`rewrap`] | how are roots unlocked, rotated, disabled? how are they put under another key-encryption key? |
//! | `credential_service` | what is the service made of, and which apps does it serve? |
//! | `request`, `policy`, `error` | what can be asked for, what is allowed, and why did it not happen? |
//! | `rejection_limit` | how many rejected credentials does an API key have left? |
//! | `write_order`, `retry` | in which order do requests write an integration, and what does one do that lost a race? |
//! | `in_flight`, `foreground_load` | what about concurrent requests with one `Idempotency-Key`, and imports beside requests? |
//!
//! A revision is what a client sends back in `If-Match`:
//!
//! ```
//! use keyferry_service::Revision;
//!
//! let revision: Revision = "0123456789abcdef01234567-3".parse().map_err(|()| "no revision")?;
//! assert_eq!(revision.version, 3);
//! assert_eq!(revision.to_string(), "0123456789abcdef01234567-3");
//! # Ok::<(), &str>(())
//! ```

pub mod keys;
pub mod rewrap;

mod commit;
mod credential_service;
mod custom_app;
mod error;
mod foreground_load;
mod in_flight;
mod migrate;
mod oauth_client_values;
mod oauth_clients;
mod policy;
mod read;
mod rejection_limit;
mod renewal;
mod request;
mod retry;
mod row;
mod sealing;
mod sessions;
mod shared_plugins;
mod verify_new;
mod verify_stored;
mod write_order;

pub use credential_service::CredentialService;
pub use custom_app::{CustomCredential, DeleteOutcome, PutOutcome};
pub use error::ServiceError;
pub use foreground_load::{BackgroundWork, Throttle};
pub use oauth_client_values::OAUTH_CLIENT;
pub use oauth_clients::{ClientKind, DeleteOAuthClient, OAuthClient, OAuthClientPut, PutOAuthClient};
pub use policy::{Allowance, MigratePolicy};
pub use read::{ReadCredential, Shown, StoredCredential};
pub use rejection_limit::{CountedFor, LimitReached, LimitStatus, counts_as_rejected};
pub use renewal::{FreshCredential, ReadFresh, RenewalProblem};
pub use request::{
    Action, Caller, Migrated, Migration, Precondition, Preferences, Proof, Revision, Stored, VerifyMode,
};
pub use retry::{Conflict, retry_on_conflict};
pub use row::{RowMigrated, RowMigration, RowStored, Settle, Skip};
pub use sealing::{seal_context, webhook_context};
pub use sessions::{Freshness, OpenSession, SessionTokens};
pub use shared_plugins::{SharedPluginError, SharedPlugins, parts};
pub use verify_stored::{Reverified, VerifyStored};
