//! Keyferry.

pub mod ids;
pub mod secret;
