//! Keyferry.

pub mod egress;
pub mod ids;
pub mod secret;
