//! The generator of load: a process of its own, so that none of its work is counted as a server's.
//!
//! | file | answers |
//! |---|---|
//! | `spec` | what is sent, and what is reported? |
//! | `client` | how is a request sent and its response read, with as little work as possible? |
//! | `generate` | when is each request sent: after the last response, or at a time that was fixed before? |
//! | `process` | how is the process started, and when is a server's processor time read? |

mod client;
mod generate;
mod process;
mod spec;

pub(crate) use generate::run;
pub(crate) use process::{Run, measure};
pub(crate) use spec::{Load, Pace};
