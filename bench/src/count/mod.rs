//! The cost of a migration in figures that a busy machine does not change: instructions, allocations, system calls,
//! fuel, bytes.
//!
//! | file | answers |
//! |---|---|
//! | `subject` | which servers are counted, and how is each started? |
//! | `counted` | which figures does a server have? |
//! | `measure` | which requests are counted, and with which tools? |
//! | `stages` | which functions belong to which stage of a migration? |
//! | `report` | which figures are reported, and which goals are there? |

mod counted;
mod measure;
mod report;
mod stages;
mod subject;

pub(crate) use measure::{CountOptions, count};
