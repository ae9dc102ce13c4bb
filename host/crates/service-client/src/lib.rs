//! An HTTP/1.1 client for one request to a service that the operator names, such as a key service or a collector. Requests of
//! plugins do not use it: they leave through `keyferry-egress`.
//!
//! | file | answers |
//! |---|---|
//! | `exchange` | how is a request sent and its response read? |
//! | `trust` | which certificates are trusted? |
//!
//! ```
//! use keyferry_service_client::{Scheme, Upstream};
//!
//! let host = url::Host::Domain("kms.example.com".to_owned());
//! let service = Upstream { scheme: Scheme::Https, host, port: 8443 };
//! assert_eq!(service.authority(), "kms.example.com:8443");
//! ```

mod exchange;
mod trust;

pub use exchange::{Connection, Deadlines, Scheme, Upstream, connect, exchange};
pub use trust::{UpstreamError, client_config, read};
