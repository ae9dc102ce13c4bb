//! `GET /openapi.json`: the public API in OpenAPI 3.1.
//!
//! Paths, parameters and bodies come from the handlers and their types, errors from the catalogue that handlers respond with,
//! what a credential consists of from the plugins that serve now, and examples from a file that a test holds against the
//! server.
//!
//! | file | question |
//! |---|---|
//! | `document` | how are the parts put together, and when anew? |
//! | `failures` | what can go wrong where, in both renderings? |
//! | `headers` | which headers go with a request and a response? |
//! | `apps` | what does migrate-token take for each app? |
//! | `examples` | which exchanges are shown? |

mod apps;
mod document;
mod examples;
mod failures;
mod headers;

pub(crate) use apps::{FlatCredential, MigrateTokenRequest};
pub(crate) use document::{__path_show, Description, preface, show};

pub use document::description_of;
