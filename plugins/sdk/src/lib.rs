//! What a Keyferry app plugin is written with.
//!
//! A plugin tells how one app authenticates and proves a credential with the app's provider, **without ever seeing the
//! credential**: secret fields are handles, and Keyferry puts their values into requests. All of a plugin is a type with
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
//!         let answer = Request::get("https://api.acme.example/v1/me").bearer(credential.secret("api_key")?).send()?;
//!         match answer.status() {
//!             200 => {
//!                 let me = answer.json()?;
//!                 Ok(Verified::new().account_id(me.text("/id")?).display_name(me.text("/name")?))
//!             }
//!             401 => Err(Failure::rejected("Acme does not know this API key").field("api_key")),
//!             _ => Err(answer.unexpected()),
//!         }
//!     }
//! }
//!
//! keyferry_plugin::export!(Acme);
//! ```
//!
//! The crate's `Cargo.toml` says `crate-type = ["cdylib"]`, and `keyferry plugin build` makes a component of it.
//!
//! [`Request::send`] already turns what is the provider's fault (no answer, 429, 5xx, a redirect) into the right
//! [`Failure`], so that a plugin says `rejected` only where the provider itself said so.
//!
//! Builders and [`Plugin::describe`] run anywhere, in ordinary unit tests too. What needs Keyferry ([`Request::send`],
//! [`clock`], [`random`], [`log`], [`Credential`]) works inside it only, and panics elsewhere.

#[doc(hidden)]
pub mod bindings;

mod address;
mod answer;
mod credential;
mod describe;
mod failure;
mod json;
mod jwt;
mod plugin;
mod request;
mod signing;
mod time;
mod url;
mod value;
mod verified;

#[cfg(target_arch = "wasm32")]
mod allocator;

pub mod clock;
pub mod log;
pub mod prelude;
pub mod random;

pub use address::Address;
pub use answer::Answer;
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
pub use request::Request;
pub use signing::{OAuth1, SigV4};
pub use value::Value;
pub use verified::Verified;
