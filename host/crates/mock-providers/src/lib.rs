//! Mock providers: servers on loopback that imitate real providers, behind real TLS with a temporary certificate authority.
//!
//! `keyferry demo` shows the product with them, and the black-box tests drive the binary against them. They are strict where
//! a real provider is strict: the NetSuite one rebuilds every OAuth 1.0a signature with code that the rest of Keyferry does
//! not use. All credentials that they accept are invented, so tables of them are plain text.
//!
//! | file | answers |
//! |---|---|
//! | [`apps`] | how do HubSpot, NetSuite, Slack and Stripe answer? |
//! | `world` | how do several mock providers run under one authority? |
//! | `exchange`, `delivery` | what does a handler get and reply, and how is the reply sent, faults included? |
//! | `connection` | how is a connection served? |
//! | `ca` | how are certificates issued? |
//! | `log` | which requests were received? |
//! | `error` | what can fail during setup? |
//!
//! ```no_run
//! # async fn run() -> Result<(), keyferry_mock_providers::ProviderError> {
//! use keyferry_mock_providers::{ProviderWorld, Reply};
//! let mut world = ProviderWorld::start().await?;
//! world.add("api.example.com", |_request| Reply::text(200, "hello")).await?;
//! world.write_ca_pem("/tmp/ca.pem".as_ref())?;
//! for flag in world.resolve_flags() {
//!     println!("--dev-resolve {flag}"); // api.example.com=127.0.0.1:40123
//! }
//! # Ok(())
//! # }
//! ```

pub mod apps;

mod ca;
mod connection;
mod delivery;
mod error;
mod exchange;
mod log;
#[cfg(test)]
mod test_client;
mod world;

pub use ca::ThrowAwayCa;
pub use error::ProviderError;
pub use exchange::{Delivery, Received, Reply};
pub use world::ProviderWorld;
