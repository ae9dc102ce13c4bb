//! The defences against a hostile caller, plugin, provider or disk: egress, sandbox, keys, and the rules of the
//! sources.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod egress;
mod file_graph;
mod hostile;
mod hostile_corpus;
mod house;
mod key_provider;
mod keys;
mod kms;
mod leaks;
mod least_privilege;
mod mutations;
mod supply_chain;
mod threat_model;
mod transit;
