//! The public API and the admin API, over HTTP.
//!
//! | module | answers |
//! |---|---|
//! | `server` | how are connections accepted, bounded, encrypted and drained? |
//! | `middleware` | what surrounds every handler? |
//! | `routes` | which path leads where? |
//! | `state` | what do handlers share? |
//! | `auth` | who sends a request, and may they? |
//! | `request` | what does a request say? |
//! | `handlers` | what does each resource do? |
//! | `responses` | what do the bodies of responses consist of? |
//! | `error` | which errors are there, and how is each rendered? |
//! | `openapi`, `docs` | how is all of this described to a machine, and shown to people? |
//! | [`admin`] | the operator's commands to a running server |
//!
//! ```
//! // The description of the API, as `GET /api/v2/public/openapi.json` serves it, without the fields of any app.
//! let description = keyferry_api::description_of(&[]);
//! # let _ = description;
//! ```

pub mod admin;
mod auth;
mod docs;
mod error;
mod handlers;
mod middleware;
mod openapi;
mod request;
mod responses;
mod routes;
mod server;
mod state;

pub use auth::known_keys::KnownKeys;
pub use middleware::cors::{CorsOrigin, InvalidOrigin};
pub use middleware::rate::RateLimit;
pub use middleware::request_context::{RequestCaller, RequestContext};
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use request::body::json_of;
pub use routes::{description_of, router};
pub(crate) use server::accept::ConnConfig;
pub use server::accept::{HttpServer, HttpSettings};
pub use server::cores::Cores;
pub use server::descriptors::room_for_connections;
pub use server::readiness::Readiness;
pub use server::tls::{Tls, TlsError, TlsFiles};
pub use state::Api;
