//! Rust's own tools.
//!
//! - `workspace`: what there is, and compiling it.
//! - `toolchain`: what it is compiled with.
//! - `environment`: starting a tool as if from a shell.

mod environment;
mod toolchain;
mod workspace;

pub(super) use toolchain::Toolchain;
pub(super) use workspace::{Package, Workspace};

/// Compilation target of plugins.
const TARGET: &str = "wasm32-unknown-unknown";
