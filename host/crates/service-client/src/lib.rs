//! One HTTP/1.1 request to a service that the operator names, such as a key service or a collector. Requests of plugins have
//! nothing to do with this: those leave through `keyferry-egress`.
//!
//! | file | answers |
//! |---|---|
//! | `exchange` | how is a request sent and its answer read? |
//! | `trust` | whose certificates are believed? |

mod exchange;
mod trust;

pub use exchange::{Connection, Deadlines, Scheme, Upstream, connect, exchange};
pub use trust::{UpstreamError, client_config, read};
