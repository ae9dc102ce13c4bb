//! The rungs of the ladder: servers that do more and more of the job, each a process of its own, put together from the library's
//! modules. The last rung is the real server, and not here.
//!
//! | file | answers |
//! |---|---|
//! | `step` | which rungs are there, and what does each add? |
//! | `parts` | what does a rung stand on: keys, plugins, vault, store? |
//! | `server` | how does it answer a request? |
//! | `process` | how is it started? |

mod parts;
mod process;
mod server;
mod step;

pub(crate) use process::{Setting, start};
pub(crate) use server::run;
pub(crate) use step::Step;
