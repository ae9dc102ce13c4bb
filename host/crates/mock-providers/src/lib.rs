//! Mock providers: servers on loopback that imitate real providers, behind real TLS with a temporary certificate authority.
//!
//! `keyferry demo` shows the product with them, and the black-box tests drive the binary against them. They are strict where
//! a real provider is strict: the NetSuite one rebuilds every OAuth 1.0a signature with code that the rest of Keyferry does
//! not use. All credentials that they accept are invented, so tables of them are plain text.
//!
//! | file | answers |
//! |---|---|
//! | [`apps`] | what do HubSpot, NetSuite, Slack and Stripe reply? |
//! | `providers` | how do several mock providers run under one authority? |
//! | `exchange` | what does a handler get, and what can it reply? |
//! | `response` | how does a reply become an HTTP response, faults included? |
//! | `connection`, `wire` | how is a connection served? how are bytes sent that are no HTTP? |
//! | `ca` | how are certificates issued? |
//! | `log` | which requests were received? |
//! | `error` | what can fail during setup? |
//!
//! ```no_run
//! # async fn run() -> Result<(), keyferry_mock_providers::ProviderError> {
//! use keyferry_mock_providers::{MockProviders, Reply};
//! let mut providers = MockProviders::start().await?;
//! providers.add("api.example.com", |_request| Reply::text(200, "hello")).await?;
//! providers.write_ca_pem("/tmp/ca.pem".as_ref())?;
//! for flag in providers.resolve_flags() {
//!     println!("--dev-resolve {flag}"); // api.example.com=127.0.0.1:40123
//! }
//! # Ok(())
//! # }
//! ```

pub mod apps;

mod ca;
mod connection;
mod error;
mod exchange;
mod log;
mod providers;
mod response;
#[cfg(test)]
mod test_client;
mod wire;

pub use ca::ThrowAwayCa;
pub use error::ProviderError;
pub use exchange::{Delivery, Received, Reply};
pub use providers::MockProviders;
