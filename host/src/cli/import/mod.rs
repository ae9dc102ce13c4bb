//! `keyferry import` and `keyferry imports`: bulk imports on a running server, over HTTP.
//!
//! | file | answers |
//! |---|---|
//! | `args` | which arguments does `keyferry import` take? |
//! | `run` | what does it do, in order? |
//! | `source` | what is read of a file? |
//! | `upload` | how is a file sent to the server? |
//! | `follow` | how are the events of an import received? |
//! | `interrupt` | what happens at Ctrl-C? |
//! | `progress` | how is its progress shown: a bar, lines, or events for programs? |
//! | `failures` | how are failed rows written down, ready to be corrected? |
//! | `summary`, `waiting` | what is shown at the end? of rows that wait? |
//! | `manage` | `keyferry imports`: commands for existing imports |

mod args;
mod failures;
mod follow;
mod interrupt;
mod manage;
mod progress;
mod run;
pub(super) mod source;
mod summary;
mod upload;
mod waiting;

pub(super) use args::ImportArgs;
pub(super) use manage::{ImportsCommand, run as manage};
pub(super) use run::run;
