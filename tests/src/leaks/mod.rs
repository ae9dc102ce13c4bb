//! Looking for secrets where none may be: canaries that are recognised in any spelling, and the places to look.
//!
//! | file | answers |
//! |---|---|
//! | `canary` | what is looked for, and in which spellings? |
//! | `haystack` | is it in these answers, these files, these processes' arguments? |
//! | `memory` | is it in the memory of a process? |
//! | `timing` | does the time that something takes tell what it was asked? |

mod canary;
mod haystack;
mod memory;
pub mod timing;

pub use canary::{Canary, Finding, Searcher};
pub use haystack::{Haystack, folder_holds};
pub use memory::{Copy, Memory, MemoryError};
