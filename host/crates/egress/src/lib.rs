//! Egress: the only way from the sandbox to the network. It checks a plugin's request, inserts secrets, sends it, and redacts
//! the response.
//!
//! | file | answers |
//! |---|---|
//! | `grant`, `host_pattern`, `path_prefix` | which requests does a grant allow? |
//! | `host_concern` | what should an operator know about the hosts of a grant? |
//! | `call` | which grants, budget and known secrets has one call? |
//! | `request`, `shape`, `overrides`, `origin`, `origins` | what does a plugin ask for, and is its form allowed? |
//! | `address`, `host_name`, `resolver`, `dns` | which addresses may be dialled, and which does a name have? |
//! | `tls` | which certificates are trusted? |
//! | `outgoing`, `assembler`, `headers`, `body`, `percent_encode` | how is a request assembled from text and secrets? |
//! | `jwt`, `oauth1`, `sigv4` | how is it signed? |
//! | `offending_parts` | which value makes it impossible to build a request? |
//! | `egress` | what do all clients share? |
//! | `dial`, `connection`, `idle` | how is a connection made, used and kept? |
//! | `client`, `request_time` | in which order is a request checked, sent and read, and how long may it take? |
//! | `hosts`, `breaker` | how many requests to a host are in progress, and when are they held back? |
//! | `contact` | how far did the last request come? |
//! | `error`, `transport_error` | why did a request get no response? |
//! | `receive`, `mint`, `secret_names`, `json_strings` | how is a response read, and how are tokens moved out of it? |
//! | `redact` | how are known secrets found in a response, in every form? |
//! | `mock_transport`, `observer` | what replaces the network while a plugin is tested, and who sees its requests? |
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
mod assembler;
mod body;
mod breaker;
mod call;
mod client;
mod connection;
mod contact;
mod dial;
mod dns;
mod egress;
mod error;
mod grant;
mod headers;
mod host_concern;
mod host_name;
mod host_pattern;
mod hosts;
mod idle;
mod json_strings;
mod jwt;
mod mint;
mod mock_transport;
mod oauth1;
mod observer;
mod offending_parts;
mod origin;
mod origins;
mod outgoing;
mod overrides;
mod path_prefix;
mod percent_encode;
mod receive;
mod redact;
mod request;
mod request_time;
mod resolver;
mod secret_names;
mod settings;
mod shape;
mod sigv4;
mod tls;
mod transport_error;
mod webhook;

#[cfg(test)]
mod tests;

pub use address::{AddressClass, Forbidden, check_address};
pub use call::Call;
pub use client::AppClient;
pub use contact::{Contact, Reached};
pub use egress::Egress;
pub use error::{EgressSetupError, ErrorKind, SendError};
pub use grant::{Denied, Grant, GrantSet, InvalidGrant, Method};
pub use host_concern::{GrantConcern, HostConcern};
pub use host_pattern::{HostPattern, InvalidHostPattern};
pub use mock_transport::{Fault, MockExchange, MockTransport};
pub use observer::ExchangeObserver;
pub use offending_parts::OffendingParts;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use origin::requested_url;
pub use overrides::override_refusal;
pub use path_prefix::{InvalidPathPrefix, PathPrefix};
pub use redact::each_reading;
pub use request::{
    Auth, Body, JsonMember, JsonValue, Jwt, JwtAlgorithm, Minted, OAuth1, Pair, Part, Request, Response, SigV4,
};
pub use settings::{
    DevResolve, DnsServer, EgressLimits, EgressSettings, InvalidDevResolve, InvalidDnsServer, InvalidMockProvider,
    Loopback, MockProvider,
};
pub use webhook::{InvalidWebhook, WebhookClient, WebhookHeader, WebhookRequest, WebhookResponse, WebhookUrl};
