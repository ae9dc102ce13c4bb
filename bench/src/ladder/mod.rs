//! The cost of each part of the job. A ladder of servers is measured: each rung is a process of its own that does one
//! step more of the job than the one before, assembled from the library's modules. The last rungs are the real
//! `keyferry serve`; the floors (`crate::floor`) and `wasmtime serve` are measured in the same rounds.
//!
//! | file | answers |
//! |---|---|
//! | `step` | which steps does the job have? |
//! | `components` | which keys, plugins, vault and store does a rung use? |
//! | `server` | how does a rung process a request? |
//! | `process` | how is a rung started? |
//! | `measure` | how are the rungs measured? |
//! | `report` | which figures are reported, and which goals are there? |

mod components;
mod measure;
mod process;
mod report;
mod server;
mod step;

pub(crate) use measure::{LadderOptions, ladder};
pub(crate) use server::run;
pub(crate) use step::Step;
