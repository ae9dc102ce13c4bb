//! A file for each resource.
//!
//! | file | resource |
//! |---|---|
//! | `migrate_token`, `save_credentials` | putting a credential onto a linked account |
//! | `linked_account` | accounts and their integrations |
//! | `credentials`, `verification` | reading and verifying a stored credential |
//! | `application` | apps and their auth schemas |
//! | `session`, `front_end` | session tokens, and what a front end does with one |
//! | `oauth_client` | app registrations at providers |
//! | `webhook` | registrations |
//! | `imports` | bulk imports |
//! | `whoami` | the API key of a request |
//! | `health` | liveness and readiness |
//! | `index` | `/`: links to the description and the health |

pub(crate) mod application;
pub(crate) mod credentials;
pub(crate) mod front_end;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod index;
pub(crate) mod linked_account;
pub(crate) mod migrate_token;
pub(crate) mod oauth_client;
pub(crate) mod save_credentials;
pub(crate) mod session;
pub(crate) mod verification;
pub(crate) mod webhook;
pub(crate) mod whoami;
