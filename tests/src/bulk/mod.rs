//! Large imports, and requests alone and beside them.
//!
//! | file | answers |
//! |---|---|
//! | `rows` | which rows does a large file have, and which outcome must each have? |
//! | `import` | how is it imported? |
//! | `single` | how many single requests are served beside an import, and how long do they take? |

mod import;
mod rows;
mod single;

pub use import::{IMPORTS, ended, request, run, show, start, upload};
pub use rows::{Expected, generate};
pub use single::{CLIENTS, MADE, Times, Unit, alone, beside, rate};
