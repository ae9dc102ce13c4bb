//! Keyferry.

pub mod ids;
pub mod secret;
pub mod store;
pub mod vault;
