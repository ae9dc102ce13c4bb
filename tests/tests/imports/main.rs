//! Bulk imports: every row of a file is accounted for, whatever its content and whatever happens to server and
//! providers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod busy;
mod command;
mod crash;
mod exports;
mod failures;
mod files;
mod interrupt;
mod own_fault;
mod pace;
mod policy;
mod shop;
mod undo;
mod unreachable;
