//! The long runs, each with its results as a section in Markdown.

mod beside;
mod endings;
mod fuzz;
mod hostile;
mod imports;
mod mutants;
mod timing;

pub(crate) use beside::{Beside, beside};
pub(crate) use endings::{endings, hosts};
pub(crate) use fuzz::fuzz;
pub(crate) use hostile::hostile_plugins;
pub(crate) use imports::{Imports, imports};
pub(crate) use mutants::mutants;
pub(crate) use timing::timing;
