//! `keyferry plugin new`: a folder that builds, and passes its own cases, without a change.
//!
//! | file | answers |
//! |---|---|
//! | `options` | in which language, for which kind of credential? |
//! | `create` | may the folder be created, and what does it contain then? |
//! | `template` | which files does a template have, and what replaces its placeholders? |
//! | `rust` | what does a Rust plugin need besides its template? |
//! | `error` | why was no folder created? |
//!
//! A template is a folder of real files: `templates/<language>/common/`, then `templates/<language>/<auth>/`, then the
//! cases of `templates/cases/<auth>/`, which are the same for every language. A file's `.tmpl` is dropped.

mod create;
mod error;
mod options;
mod rust;
mod template;

pub use create::{Created, NewPlugin, new_plugin};
pub use error::NewError;
pub use options::{AuthKind, Language};
