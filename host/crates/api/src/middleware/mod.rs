//! Middleware around every handler.
//!
//! | file | answers |
//! |---|---|
//! | `trace` | request ids, the access log, metrics and traces |
//! | `request_context` | which request is a line of the log about? |
//! | `rate` | how many requests may a key make? |
//! | `framing` | which requests could be read in two ways? |
//! | `conditional` | what if the caller has a response already? |
//! | `unknown_parameters` | which parameters of the query are ignored? |
//! | `cors` | which web pages may read responses? |
//! | `detach_on_drop` | what if the caller hangs up before the work is done? |

pub(crate) mod conditional;
pub(crate) mod cors;
pub(crate) mod detach_on_drop;
pub(crate) mod framing;
pub(crate) mod rate;
pub(crate) mod request_context;
pub(crate) mod trace;
pub(crate) mod unknown_parameters;
