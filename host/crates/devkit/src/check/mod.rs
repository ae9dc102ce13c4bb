//! `keyferry plugin check`: what is wrong with a plugin, or will be.
//!
//! | file | answers |
//! |---|---|
//! | `code` | which things are looked for, and what helps? |
//! | `file` | may this file run at all? |
//! | `schema` | is the description one that people and other tools can work with? |
//! | `pattern` | can a regular expression explode? |
//! | `grants` | does it ask for more than it should? |
//! | `sample` | what is a credential that fits a schema? |
//! | `trial` | what does it do with one, while no provider answers? |
//! | `lint` | all of it, in order |

mod code;
mod file;
mod grants;
mod lint;
mod pattern;
mod sample;
mod schema;
mod trial;

pub use code::{Code, Finding, Level};
pub use lint::lint;
