//! `keyferry plugin new`: a folder that builds, and passes its own cases, as it stands.
//!
//! | file | answers |
//! |---|---|
//! | `choice` | in which language, for which kind of credential? |
//! | `create` | may the folder be made, and what is in it then? |
//! | `template` | which files are that, and what stands in them where a name is wanted? |
//! | `rust` | what does a Rust plugin need beside its template? |
//! | `error` | why is there no folder? |
//!
//! A template is a folder of real files: `templates/<language>/common/`, then `templates/<language>/<auth>/`, then the
//! cases of `templates/cases/<auth>/`, which are the same for every language. A file's `.tmpl` is dropped.

mod choice;
mod create;
mod error;
mod rust;
mod template;

pub use choice::{AuthKind, Language};
pub use create::{Created, NewPlugin, new_plugin};
pub use error::NewError;
