//! Keyferry.

pub mod devkit;
pub mod ids;
pub mod secret;
