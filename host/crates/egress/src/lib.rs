//! The only way out of the sandbox: checks what a plugin asks for, puts secrets in, sends, and takes them out of the
//! answer again.
//!
//! | step | files |
//! |---|---|
//! | what a plugin may do | `grant`, `host_pattern`, `host_concern`, `path_prefix`, `call` |
//! | what it asks for | `request`, `shape`, `steering`, `target` |
//! | where that leads | `address`, `resolver`, `dns`, `tls` |
//! | putting it together, or saying what keeps it from that | `outgoing`, `parts`, `headers`, `body`, `encode`, `jwt`, `oauth1`, `sigv4`, `culprit` |
//! | sending it, and how far it came | `client`, `hosts`, `breaker`, `contact`, `failure` |
//! | reading the answer | `receive`, `mint`, `json_strings`, `redact` |
//! | trying a plugin out | `mock_transport` |
//! | calling webhooks, which no plugin has a part in | `webhook` |
//!
//! Nothing outside this module names the HTTP client, and nothing in it knows the sandbox.

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
