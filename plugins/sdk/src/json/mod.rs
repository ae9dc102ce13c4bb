//! JSON of a response. It is parsed here rather than by a general library, which would make up half of a plugin's size.
//!
//! | file | answers |
//! |---|---|
//! | `read` | how is JSON parsed? |
//! | `tree` | how is a value found by its pointer? |

mod read;
mod tree;

pub use tree::Json;
