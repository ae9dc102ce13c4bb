//! Egress cannot be bypassed: the results of real components in the running binary, and the answers of its DNS servers.
//! `host/crates/egress/src/tests/mod.rs` has the table of all attempts, there and here.

mod abuse;
mod component;
mod dns;
mod environment;
mod namespaces;
mod probe;
