//! Keyferry.

pub mod ids;
pub mod schema;
pub mod secret;
