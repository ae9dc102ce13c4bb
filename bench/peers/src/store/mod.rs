//! Durable writes: what one migration writes, by so many writers at once, each of whom waits for its answer.
//!
//! | file | answers |
//! |---|---|
//! | `records` | what is written? |
//! | `ours`, `engines` | to what? |
//! | `committer` | how are writers grouped where the engine does not do it? |
//! | `contestants` | who takes part? |
//! | `load` | how is it written to? |
//! | `worker` | how is what one does kept out of another's figures? |
//! | `alone` | what does the disk take of the same bytes, without queue and answers? |
//! | `measure` | in what order, and what comes out? |

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
