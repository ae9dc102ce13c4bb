//! The load generator: a process of its own, so that its work is not counted as a server's.
//!
//! | file | answers |
//! |---|---|
//! | `spec` | which requests are sent, and which results are reported? |
//! | `client` | how is a request sent and its response read, with the least work? |
//! | `generate` | when is each request sent: after the last response, or at a fixed time? |
//! | `process` | how is the process started, and when are the server's counters read? |

mod client;
mod generate;
mod process;
mod spec;

pub(crate) use generate::run;
pub(crate) use process::{Run, measure};
pub(crate) use spec::{Load, Pace};
