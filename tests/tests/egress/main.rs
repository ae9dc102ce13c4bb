//! Egress cannot be talked round: what real components in the running binary are told, and what its DNS servers may answer.
//! `host/src/egress/tests/mod.rs` has the table of all that is tried, here and there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod abuse;
mod component;
mod dns;
mod environment;
mod namespaces;
mod probe;
