//! Keyferry.

pub mod ids;
pub mod providers;
pub mod secret;
