//! The tools for plugin authors, behind the commands `keyferry plugin ...`.
//!
//! | module | answers |
//! |---|---|
//! | `build` | how does a plugin's folder become a component in a plugins folder? ([`build()`]) |
//! | [`cases`] | does a plugin pass its test cases and the conformance suite? |
//! | `cargo` | which packages does a workspace have, and how are they compiled for WebAssembly? |
//! | [`check`] | what is wrong with a plugin, or will be? |
//! | `component` | how does a core module become a component, and the component a file? |
//! | `inspect` | what does a plugin file contain? ([`inspect()`]) |
//! | `live` | how does a plugin verify with a real provider? ([`call()`]) |
//! | `new` | which folder does a new plugin begin with? ([`new_plugin`]) |
//! | `script` | how are JavaScript and Python plugins built? |
//! | `source` | which component does a person mean by a file or a folder? ([`Source`]) |
//! | `workbench` | in which sandbox are plugins tested? ([`workbench()`]) |
//! | `error` | why can a plugin not be built? |
//!
//! ```
//! use keyferry_devkit::check::Code;
//!
//! assert!(Code::ALL.iter().any(|code| code.as_str() == "KF020"));
//! ```

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
