//! The whole job: its rate, latency and cost, next to a server in Node.js with PostgreSQL.
//!
//! | file | answers |
//! |---|---|
//! | `runs` | which loads are there, and which results has each? |
//! | `measure` | how are the two servers measured in turns? |
//! | `report` | which figures are reported, and which goals are there? |

mod measure;
mod report;
mod runs;

pub(crate) use measure::{JobOptions, job};
