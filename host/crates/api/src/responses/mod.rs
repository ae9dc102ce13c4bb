//! The bodies of responses, as types: the OpenAPI document is generated from them.
//!
//! | file | bodies of |
//! |---|---|
//! | `account` | linked accounts and their integrations |
//! | `application` | apps, and what their credentials consist of |
//! | `import` | bulk imports |
//! | `json`, `secret_json` | any of them, as a response |
//! | `migration` | migrate-token, and what saves a credential like it |
//! | `oauth_client` | OAuth clients |
//! | `own_app` | credentials of the organisation's own app |
//! | `session` | sessions of front ends |
//! | `verification` | verifying a stored credential |
//! | `webhook` | webhooks |
//! | `whoami` | the API key of a request |

mod account;
mod application;
mod import;
pub(crate) mod json;
mod migration;
mod oauth_client;
mod own_app;
pub(crate) mod secret_json;
mod session;
mod verification;
mod webhook;
mod whoami;

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

pub(crate) use account::{
    AccountCreated, AccountDeleted, AccountPage, AccountUpserted, LastCheck, LinkedAccount, Outcome,
};
pub(crate) use application::{Application, AuthStructure, FieldShape};
pub(crate) use import::{Import, ImportRow, Imports};
pub(crate) use migration::{CredentialSaved, CredentialVerdict, MigrateTokenResponse, SaveResponse, TokenMigrated};
pub(crate) use oauth_client::{OAuthClient, OAuthClientDeleted};
pub(crate) use own_app::{AuthCredentialDeleted, AuthCredentialPut, PutAction};
pub(crate) use session::{OrgBasics, SessionIssued, SessionRevoked};
pub(crate) use verification::CredentialChecked;
pub(crate) use webhook::{Masked, Webhook, WebhookCreated, WebhookEvent, WebhookShown, WebhookType};
pub(crate) use whoami::KeyIdentity;

/// The schema of a member that the documented product has, and that is always null here.
fn always_null() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null)).description(Some("Always null.")).build()
}
