//! The HTTP/1.1 client for services that the operator names: key services, a collector, a running Keyferry server. Requests
//! of plugins and webhooks do not use it: they leave through `keyferry-egress`, whose policy decides what is dialled.
//!
//! A request has a connection of its own: these services are called rarely, so there is nothing to pool. Bodies are wiped
//! from memory after use, because a key service's response contains a key.
//!
//! | file | answers |
//! |---|---|
//! | `address` | where is a service? |
//! | `trust` | which certificates are trusted? |
//! | `connection` | how is a connection made, by TCP, TLS or a Unix socket? |
//! | `exchange` | how is one request sent and its whole response read? |
//!
//! ```no_run
//! # async fn health() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use http::Request;
//! use http_body_util::Full;
//! use keyferry_service_client::{Deadlines, ServiceAddress, exchange, tls_config};
//!
//! let vault = ServiceAddress::from_url(&"https://vault.example.com:8200".parse()?).ok_or("not an HTTP URL")?;
//! let request = Request::get("/v1/sys/health").header("host", vault.authority()).body(Full::default())?;
//! let deadlines = Deadlines { connect: Duration::from_secs(3), response: Duration::from_secs(4) };
//! let (head, body) = exchange(&vault, &tls_config(None)?, request, deadlines).await?;
//! println!("{}: {} bytes", head.status, body.len());
//! # Ok(())
//! # }
//! ```

mod address;
mod connection;
mod exchange;
mod trust;

pub use address::{Scheme, ServiceAddress};
pub use connection::{Connection, ExchangeError};
pub use exchange::{Deadlines, exchange};
pub use trust::{TrustError, read_certificates, tls_config};
