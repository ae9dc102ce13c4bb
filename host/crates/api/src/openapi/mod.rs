//! `GET /openapi.json`: the public API in OpenAPI 3.1.
//!
//! Paths, parameters, bodies and errors come from the handlers and their types, what a credential consists of from the plugins
//! that serve now, and examples from a file that a test holds against the server.
//!
//! | file | question |
//! |---|---|
//! | `document` | how are the parts put together? |
//! | `cache` | when is the document made anew? |
//! | `operations` | which operations does a document have? |
//! | `bodies` | what can derived schemas not say? |
//! | `failures` | how is described what an operation fails with, in both forms? |
//! | `headers` | which headers go with a request and a response? |
//! | `values` | which values can a text have, and what does one look like? |
//! | `apps` | what does migrate-token take for each app? |
//! | `examples` | which exchanges are shown? |

mod apps;
mod bodies;
pub(crate) mod cache;
mod document;
mod examples;
mod failures;
mod headers;
mod operations;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use apps::{FlatCredential, MigrateTokenRequest};
pub(crate) use document::{OpenApiDocument, add_apps, complete, preface};
