//! What plugin authors work with.
//!
//! - `build`: from a plugin's folder to a component in a plugins folder ([`build()`]).
//! - [`cases`]: the plugin test runner.
//! - `cargo`: asking cargo what there is, and having it compile for WebAssembly.
//! - [`check`]: what is wrong with a plugin, or will be.
//! - `component`: from a core module to a component, and from there to a file.
//! - `inspect`: what a plugin file is ([`inspect()`]).
//! - `live`: one verification with a real provider ([`call()`]).
//! - `new`: a folder to begin with ([`new_plugin`]).
//! - `script`: the same for JavaScript and Python.
//! - `source`: the component that a person means by a file or a folder ([`Source`]).
//! - `workbench`: the sandbox that plugins are tried out in ([`workbench()`]).

mod build;
mod cargo;
pub mod cases;
pub mod check;
mod component;
mod error;
mod inspect;
mod live;
mod new;
mod script;
mod source;
mod workbench;

pub use build::{BuildOptions, BuiltPlugin, Selection, build};
pub use component::Change;
pub use error::BuildError;
pub use inspect::{InspectedAuthType, InspectedField, Inspection, inspect};
pub use live::{Live, LiveError, LiveExchange, LiveOptions, call};
pub use new::{AuthKind, Created, Language, NewError, NewPlugin, new_plugin};
pub use source::{Source, SourceError};
pub use workbench::workbench;
