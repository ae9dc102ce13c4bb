//! What plugin authors work with.
//!
//! - `build`: from a plugin's crate to a component in a plugins folder ([`build()`]).
//! - `cargo`: asking cargo what there is, and having it compile for WebAssembly.
//! - `component`: from a core module to a component, and from there to a file.

mod build;
mod cargo;
mod component;
mod error;

pub use build::{BuildOptions, BuiltPlugin, Selection, build};
pub use component::Change;
pub use error::BuildError;
