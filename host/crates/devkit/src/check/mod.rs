//! `keyferry plugin check`: what is wrong with a plugin, or will be.
//!
//! | file | answers |
//! |---|---|
//! | `code` | which findings are there, and what is the remedy of each? |
//! | `component` | may this component run at all? |
//! | `schema` | can people and other tools use the schema? |
//! | `pattern` | can a regular expression explode? |
//! | `grants` | does it ask for more than it should? |
//! | `sample` | what is a credential that fits a schema? |
//! | `trial` | what does it do with one and with each choice, while the provider is unavailable or answers 401? |
//! | `lint` | all of it, in order |

mod code;
mod component;
mod grants;
mod lint;
mod pattern;
mod sample;
mod schema;
mod trial;

pub use code::{Code, Finding, Level};
pub use lint::lint;
