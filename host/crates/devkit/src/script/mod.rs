//! Plugins in languages whose toolchain puts an interpreter into the component.
//!
//! | file | answers |
//! |---|---|
//! | `javascript` | how does componentize-js make a component? |
//! | `python` | how does componentize-py make one? |
//! | `project` | which files are the plugin, and what is it called? |
//! | `built` | were the same sources built before? |
//! | `tool` | is a tool there, and what did it say? |

mod built;
mod javascript;
mod project;
mod python;
mod tool;

pub(super) use project::Project;
