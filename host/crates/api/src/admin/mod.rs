//! What an operator can ask of a running server: HTTP on a Unix socket in the data folder that only its owner can use.
//!
//! ```sh
//! curl --unix-socket keyferry-data/admin.sock http://keyferry/admin/v1/plugins
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `operations` | what is an operation, and what is its form in a request? |
//! | `operator` | what do operations work on? |
//! | `plugins`, `organisations`, `api_keys`, `keys`, `rewrap`, `audit`, `health`, `backup` | what can be asked for? |
//! | `openapi` | how is that described to a machine? |
//! | `routes`, `socket` | how does a server respond? |
//! | `response` | which forms do responses have? |
//! | `error` | why was an operation not carried out? |
//! | `guard` | who may ask over TCP, where that is switched on? |
//! | `client` | how does a command ask? |
//!
//! The same [`Operation`]s are carried out in the command's own process where no server runs.

mod api_keys;
mod audit;
mod backup;
mod client;
mod error;
mod guard;
mod health;
mod keys;
mod openapi;
mod operations;
mod operator;
mod organisations;
mod plugins;
mod response;
mod rewrap;
mod routes;
mod socket;

pub use api_keys::{ApiKeyState, CreateApiKey, CreatedApiKey, ListApiKeys, RevokeApiKey, ShownApiKey};
pub use audit::{AuditLine, ReadAudit, VerifiedAudit, VerifyAudit};
pub use client::{BackupBytes, call, take_backup};
pub use error::AdminError;
pub use guard::{OperatorToken, TokenError, guarded};
pub use health::{ServerHealth, ShowHealth};
pub use keys::{DestroyKey, DisableKey, KeyState, ListKeys, Place, ResealCredentials, ResealStep, RotateKey, ShownKey};
pub use operations::{Operation, Route, Verb};
pub use operator::{Operator, Warnings};
pub use organisations::{ListOrganisations, ShownOrganisation};
pub use plugins::{
    GrantPlugin, ListPlugins, PushPlugin, PutPluginPart, RevokePlugin, RollbackPlugin, ShowPlugin, StoredPart,
};
pub use rewrap::{Form, ListRoots, NewForms, RewrapRoots, Rewrapped, StoredRoot};
pub use socket::{Socket, listen};
