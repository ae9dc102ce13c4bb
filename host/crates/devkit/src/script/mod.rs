//! Plugins in languages whose toolchain puts an interpreter into the component.
//!
//! | file | answers |
//! |---|---|
//! | `build` | in which language is the plugin in a folder written, and how is it built? |
//! | `javascript` | how does componentize-js make a component? |
//! | `python` | how does componentize-py make one? |
//! | `project` | what does the plugin's manifest say? |
//! | `sources` | which files are the plugin? |
//! | `cache` | were the same sources built before? |
//! | `install` | which command installs what a folder is built with? |
//! | `tool` | how does a tool run, and what is reported if it fails? |

mod build;
mod cache;
mod install;
mod javascript;
mod project;
mod python;
mod sources;
mod tool;

pub(super) use build::{build, find};
pub(crate) use install::{npm, pip};
pub(super) use project::Project;
