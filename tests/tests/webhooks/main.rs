//! Webhooks: registered as documented, told of what happens to connections, at least once whatever happens to the server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bench;
mod deliveries;
mod registration;
mod safety;
