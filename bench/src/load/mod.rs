//! The generator of load: a process of its own, so that none of its work is counted as a server's.
//!
//! | file | answers |
//! |---|---|
//! | `spec` | what is to be sent, and what is told of it? |
//! | `client` | how is a request sent and its answer read, with as little work as can be? |
//! | `generate` | when is each request sent: as soon as the last one is answered, or at a time that was fixed before? |
//! | `process` | how is the process started, and when is a server's processor time read? |

mod client;
mod generate;
mod process;
mod spec;

pub(crate) use generate::run;
pub(crate) use process::{Run, measure};
pub(crate) use spec::{Load, Pace};
