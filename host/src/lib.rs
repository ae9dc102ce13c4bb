//! Keyferry.

pub mod ids;
pub mod secret;
pub mod vault;
