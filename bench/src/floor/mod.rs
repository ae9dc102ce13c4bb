//! The floors: the cost of the same work with the same libraries. Two servers do the job of a migration without
//! sandbox, schema, audit chain and policy: hash the API key, parse the body, send a request to the provider over TLS,
//! read the response, seal, write durably, respond.
//!
//! | file | answers |
//! |---|---|
//! | `settings` | which floors are there, and which settings has each? |
//! | `job` | which steps do both do, apart from the request to the provider? |
//! | `tls` | which certificates do they accept? |
//! | `committer` | how do requests share a durable write? |
//! | `log`, `tree` | where are records written: into a log of its own, or into sled? |
//! | `cores` | one runtime per core, with hyper's client |
//! | `threads` | one runtime with many threads, with reqwest |
//! | `process` | how is a floor started? |

mod committer;
mod cores;
mod job;
mod log;
mod process;
mod settings;
mod threads;
mod tls;
mod tree;

pub(crate) use process::{run, start};
pub(crate) use settings::{Floor, FloorSettings};
