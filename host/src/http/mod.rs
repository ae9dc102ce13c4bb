//! The public HTTP interface.
//!
//! | file | answers |
//! |---|---|
//! | `server` | how are connections accepted, bounded and drained? |
//! | `cleared` | what is left of a request while its connection is kept? |
//! | `tls` | which certificate do they see, and what if it is renewed? |
//! | `routes` | which path leads where? |
//! | `access`, `last_use` | who is calling, and when did they last? |
//! | `rate` | how much may they ask for? |
//! | `body` | how is a request's body read, and what if it is not JSON? |
//! | `failure` | what does each failure look like, in the documented shape and as an RFC 9457 problem? |
//! | `prefer` | what did the caller ask for in headers? |
//! | `migrate_token`, `linked_account`, `credentials`, `application`, `health` | what does each resource do? |
//! | `trace` | request ids and the access log |

mod access;
mod application;
mod body;
mod cleared;
mod credentials;
mod failure;
mod health;
mod last_use;
mod linked_account;
mod migrate_token;
mod prefer;
mod rate;
mod routes;
mod server;
mod tls;
mod trace;

pub use health::Readiness;
pub use rate::{RateLimit, RateLimits};
pub use routes::{Api, router};
pub use server::{HttpServer, HttpSettings};
pub use tls::{Tls, TlsError, TlsFiles};
