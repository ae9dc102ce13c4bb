//! Egress cannot be talked round: what real components in the running binary are told, and what its DNS servers may answer.
//! `host/crates/egress/src/tests/mod.rs` has the table of all that is tried, here and there.

mod abuse;
mod component;
mod dns;
mod environment;
mod namespaces;
mod probe;
