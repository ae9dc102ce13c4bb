//! What plugin authors work with.
//!
//! - `build`: from a plugin's crate to a component in a plugins folder ([`build()`]).
//! - [`cases`]: the plugin test runner.
//! - `cargo`: asking cargo what there is, and having it compile for WebAssembly.
//! - `component`: from a core module to a component, and from there to a file.
//! - `live`: one verification with a real provider ([`call()`]).
//! - `source`: the component that a person means by a file or a folder ([`Source`]).
//! - `workbench`: the sandbox that plugins are tried out in ([`workbench()`]).

mod build;
mod cargo;
pub mod cases;
mod component;
mod error;
mod live;
mod source;
mod workbench;

pub use build::{BuildOptions, BuiltPlugin, Selection, build};
pub use component::Change;
pub use error::BuildError;
pub use live::{Live, LiveError, LiveExchange, LiveOptions, call};
pub use source::{Source, SourceError};
pub use workbench::workbench;
