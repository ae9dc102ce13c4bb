//! The public HTTP interface.
//!
//! | file | answers |
//! |---|---|
//! | `server` | how are connections accepted, bounded and drained? |
//! | `connection` | how long may a client take? |
//! | `unread` | what if a response comes before its request was read? |
//! | `descriptors` | how many connections can there be? |
//! | `framing` | what could be taken for another request than it is? |
//! | `cleared` | what is left of a request while its connection is kept? |
//! | `tls` | which certificate do they see, and what if it is renewed? |
//! | `routes` | which path leads where? |
//! | `access`, `last_use` | who is calling, by which key or session token, and when did they last? |
//! | `account_name` | which linked account does a request name? |
//! | `repeated` | what if a request says something twice? |
//! | `rate` | how much may they ask for? |
//! | `body` | how is a request's body read, and what if it is not JSON? |
//! | `parameters` | what stands in a path and a query? |
//! | `kind` | which failures are there, and what is fixed of each? |
//! | `failure` | what does each failure look like, in the documented shape and as an RFC 9457 problem? |
//! | `answers` | what do the bodies of answers consist of? |
//! | `conditional` | what if the caller has an answer already? |
//! | `cors` | which web pages may read answers? |
//! | `prefer`, `prefer_list` | what did the caller ask for in headers? |
//! | `secret_json` | how does an answer hold a secret? |
//! | `migrate_token`, `save_credentials`, `linked_account`, `credentials`, `verification`, `application`, `session`, `front_end`, `webhook`, `imports`, `health` | what does each resource do? |
//! | `webhook_body` | what does a request say of a webhook? |
//! | `openapi` | how is all of this described to a machine? |
//! | `docs` | how is that shown to people? |
//! | `to_its_end` | what if the caller hangs up meanwhile? |
//! | `trace` | request ids, the access log, metrics and traces |

mod access;
mod account_name;
pub mod admin;
mod answers;
mod application;
mod body;
mod certificate;
mod cleared;
mod conditional;
mod connection;
mod cors;
mod credentials;
mod descriptors;
mod docs;
mod failure;
mod framing;
mod front_end;
mod health;
mod imports;
mod kind;
mod last_use;
mod linked_account;
mod migrate_token;
mod openapi;
mod parameters;
mod prefer;
mod prefer_list;
mod rate;
mod repeated;
mod routes;
mod save_credentials;
mod secret_json;
mod server;
mod session;
mod tls;
mod to_its_end;
mod trace;
mod unread;
mod verification;
mod webhook;
mod webhook_body;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use body::json_of;
pub use cors::{CorsOrigin, InvalidOrigin};
pub use descriptors::room_for_connections;
pub use health::Readiness;
pub use openapi::description_of;
pub use rate::RateLimit;
pub use routes::{Api, router};
pub(crate) use server::Terms;
pub use server::{HttpServer, HttpSettings};
pub use tls::{Tls, TlsError, TlsFiles};
