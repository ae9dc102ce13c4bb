//! Searches for secrets where they must not be: canaries in any encoding, and the places to search.
//!
//! | file | answers |
//! |---|---|
//! | `canary` | which values are searched, and in which encodings? |
//! | `haystack` | is one in these responses, these files, these processes' arguments? |
//! | `memory` | is one in the memory of a process? |
//! | `timing` | does the duration of a look-up reveal its key? |

mod canary;
mod haystack;
mod memory;
pub mod timing;

pub use canary::{Canary, Finding, Searcher};
pub use haystack::{Haystack, folder_holds};
pub use memory::{Copy, Memory, MemoryError};
