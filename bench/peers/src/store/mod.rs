//! Durable writes: the records of one migration, by several concurrent writers that each wait for a reply.
//!
//! | file | answers |
//! |---|---|
//! | `records` | which records are written? |
//! | `ours`, `engines` | which stores are they written to? |
//! | `committer` | how are writers grouped where the engine does not do it? |
//! | `contestants` | which contestants are there? |
//! | `load` | how are they put under load? |
//! | `worker` | how is one contestant's work kept out of another's figures? |
//! | `alone` | how fast does the disk take the same bytes, without queue and replies? |
//! | `measure` | in which order are they measured, and how are the figures reported? |

mod alone;
mod committer;
mod contestants;
mod engines;
mod load;
mod measure;
mod ours;
mod records;
mod worker;

pub(crate) use measure::{Choice, sections};
pub(crate) use worker::{Duty, work};
