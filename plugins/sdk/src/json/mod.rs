//! JSON of an answer. It is read here rather than by a general library, which would make up half of a plugin's size.

mod read;
mod tree;

pub use tree::Json;
