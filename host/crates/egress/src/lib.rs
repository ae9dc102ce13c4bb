//! Egress: the only way from the sandbox to the network. It checks a plugin's request, inserts secrets, sends it, and redacts
//! the response.
//!
//! | file | answers |
//! |---|---|
//! | `grant`, `host_pattern`, `path_prefix` | which requests does a grant allow? |
//! | `host_concern` | what should an operator know about the hosts of a grant? |
//! | `call` | which grants, budget and known secrets has one call? |
//! | `request`, `shape`, `steering`, `target` | what does a plugin ask for, and is its form allowed? |
//! | `address`, `resolver`, `dns` | which addresses may be dialled, and which has a name? |
//! | `tls` | which certificates are trusted? |
//! | `outgoing`, `parts`, `headers`, `body`, `encode` | how is a request assembled from text and secrets? |
//! | `jwt`, `oauth1`, `sigv4` | how is it signed? |
//! | `culprit` | which value makes it impossible to build a request? |
//! | `client`, `hosts`, `breaker` | how is it sent, and when is a host left alone? |
//! | `contact` | how far did the last request come? |
//! | `error`, `failure` | why did a request get no response? |
//! | `receive`, `mint`, `json_strings` | how is a response read, and how are tokens moved out of it? |
//! | `redact` | how are known secrets found in a response, in every form? |
//! | `mock_transport` | what replaces the network while a plugin is tested? |
//! | `webhook` | how are webhooks called? |
//! | `settings` | what can the operator set? |
//!
//! No other crate names the HTTP client, and this one does not know the sandbox.
//!
//! ```
//! use keyferry_egress::Grant;
//!
//! let grant: Grant = "GET,POST https://api.example.com/v1/*".parse()?;
//! assert_eq!(grant.to_string(), "GET,POST https://api.example.com/v1/*");
//! # Ok::<(), keyferry_egress::InvalidGrant>(())
//! ```

mod address;
mod body;
mod breaker;
mod call;
mod client;
mod contact;
mod culprit;
mod dns;
mod encode;
mod error;
mod failure;
mod grant;
mod headers;
mod host_concern;
mod host_pattern;
mod hosts;
mod json_strings;
mod jwt;
mod mint;
mod mock_transport;
mod oauth1;
mod outgoing;
mod parts;
mod path_prefix;
mod receive;
mod redact;
mod request;
mod resolver;
mod settings;
mod shape;
mod sigv4;
mod steering;
mod target;
mod tls;
mod webhook;

#[cfg(test)]
mod tests;

pub use address::{AddressClass, Forbidden, check};
pub use call::Call;
pub use client::{AppClient, Egress};
pub use contact::{Contact, Reached};
pub use culprit::Culprit;
pub use error::{EgressSetupError, ErrorKind, SendError};
pub use grant::{Denied, Grant, GrantSet, InvalidGrant, Method};
pub use host_concern::{GrantConcern, HostConcern};
pub use host_pattern::{HostPattern, InvalidHostPattern};
pub use mock_transport::{ExchangeObserver, Fault, MockExchange, MockTransport};
pub use path_prefix::{InvalidPathPrefix, PathPrefix};
pub use redact::each_reading;
pub use request::{
    Auth, Body, JsonMember, JsonValue, Jwt, JwtAlgorithm, Minted, OAuth1, Pair, Part, Request, Response, SigV4,
};
pub use settings::{
    DevResolve, DnsServer, EgressLimits, EgressSettings, InvalidDevResolve, InvalidDnsServer, InvalidStandIn, Loopback,
    StandIn,
};
pub use steering::refusal;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use target::requested_url;
pub use webhook::{InvalidWebhook, WebhookAnswer, WebhookClient, WebhookHeader, WebhookRequest, WebhookUrl};
