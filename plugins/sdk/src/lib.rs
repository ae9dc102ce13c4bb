//! The SDK for Keyferry app plugins in Rust.
//!
//! A plugin describes how one app authenticates, and verifies a credential with the app's provider, **without ever seeing
//! the credential**: secret fields are handles, and Keyferry inserts their values into requests. A plugin is a type with
//! two functions:
//!
//! ```
//! use keyferry_plugin::prelude::*;
//!
//! struct Acme;
//!
//! impl Plugin for Acme {
//!     fn describe() -> App {
//!         App::new("acme", "Acme")
//!             .docs("https://developers.acme.example/api-keys")
//!             .grant(Grant::host("api.acme.example").get("/v1/me"))
//!             .auth(AuthType::keybased("API key").field(
//!                 Field::secret("api_key", "API key").required().help("Settings > API keys.").example("ak_2f8c0d"),
//!             ))
//!     }
//!
//!     fn verify(credential: Credential) -> Result<Verified, Failure> {
//!         let response = Request::get("https://api.acme.example/v1/me").bearer(credential.secret("api_key")?).send()?;
//!         match response.status() {
//!             200 => {
//!                 let me = response.json()?;
//!                 Ok(Verified::new().account_id(me.text("/id")?).display_name(me.text("/name")?))
//!             }
//!             401 => Err(Failure::rejected("Acme does not know this API key").field("api_key")),
//!             _ => Err(response.unexpected()),
//!         }
//!     }
//! }
//!
//! keyferry_plugin::export!(Acme);
//! ```
//!
//! The crate's `Cargo.toml` says `crate-type = ["cdylib"]`, and `keyferry plugin build` makes a component of it.
//!
//! [`Request::send`] already maps the provider's own errors (no response, 429, 5xx, a redirect) to the right [`Failure`], so
//! that a plugin returns `rejected` only where the provider itself rejected the credential.
//!
//! Builders and [`Plugin::describe`] run anywhere, in ordinary unit tests too. The parts that call Keyferry
//! ([`Request::send`], [`clock`], [`random`], [`log`], [`Credential`]) work inside it only, and panic elsewhere.
//!
//! | file | answers |
//! |---|---|
//! | `plugin` | which functions does a plugin implement, and how is it exported? |
//! | `describe` | how are an app, its auth types, fields and grants described? |
//! | `credential` | which values does a plugin get, and which as handles? |
//! | `request`, `value` | how is a request built from text and secrets? |
//! | `jwt`, `signing` | how is it signed? |
//! | `response`, `json` | how is the response read? |
//! | `failure`, `verified` | which verdicts can a plugin return? |
//! | `renewal` | how are tokens renewed? |
//! | `address`, `url`, `time` | how are addresses, URLs and times parsed? |
//! | [`clock`], [`random`], [`log`] | what else does Keyferry provide? |
//! | [`prelude`] | which names does a plugin usually import? |
//! | `allocator`, `heap`, `bindings` | how does a component allocate, and call the contract? |

#[doc(hidden)]
pub mod bindings;

mod address;
mod credential;
mod describe;
mod failure;
mod json;
mod jwt;
mod plugin;
mod renewal;
mod request;
mod response;
mod signing;
mod time;
mod url;
mod value;
mod verified;

#[cfg(target_arch = "wasm32")]
mod allocator;
#[cfg(any(target_arch = "wasm32", test))]
mod heap;

pub mod clock;
pub mod log;
pub mod prelude;
pub mod random;

pub use address::Address;
pub use bindings::exports::keyferry::plugin::app::UnreachableKind;
pub use bindings::keyferry::plugin::http::{Error, ErrorKind};
pub use bindings::keyferry::plugin::secrets::Secret;
pub use credential::Credential;
pub use describe::{App, AuthType, Field, Grant};
pub use failure::Failure;
pub use json::Json;
pub use jwt::Jwt;
pub use plugin::Plugin;
#[doc(hidden)]
pub use plugin::{Component, assert_plugin};
pub use renewal::{Client, ClientAuth, DAY, HOUR, MINUTE, Renewal, RenewalFailure, Renewed, Rotation};
pub use request::Request;
pub use response::Response;
pub use signing::{OAuth1, SigV4};
pub use value::Value;
pub use verified::Verified;
