//! Plugins: dropped in, granted, replaced, signed, and the output of the tools for their authors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod drop_in;
mod field_reads;
mod grants;
mod hot_swap;
mod languages;
mod plugin_check;
mod plugin_live;
mod plugin_new;
mod plugin_test;
mod plugin_test_renewals;
mod reproducible;
mod signing;
