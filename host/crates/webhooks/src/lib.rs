//! Webhooks: receivers of the events of connections, and deliveries to them.
//!
//! | file | answers |
//! |---|---|
//! | `request` | what can be asked of a webhook? |
//! | `manage` | how is one registered, listed, changed, deleted? |
//! | `secrets` | how are its signing secret and the values of its headers sealed and opened? |
//! | `message` | what is it sent, and how is that signed and verified? |
//! | `schedule` | which delivery is attempted when? |
//! | `deliver` | how is one attempted, and when again? |
//! | `claims` | which of several servers delivers? |
//! | `error` | why is something not possible? |
//!
//! An event is stored in the transaction that causes it, and is removed when the receiver has responded with 200. Each event is
//! delivered at least once, also if this process ends meanwhile; an event may arrive twice. A linked account's events arrive in
//! their order, and a slow webhook does not delay another one.
//!
//! ```
//! use keyferry_types::secret::{Secret, SharedSecret};
//! use keyferry_webhooks::SigningSecret;
//!
//! let signing_secret = |text: &str| SigningSecret::new(SharedSecret::new(Secret::new(text)));
//! assert!(signing_secret("example-0123456789").is_ok());
//! assert!(signing_secret("too short").is_err()); // 16 to 256 printable ASCII characters, no spaces
//! ```

mod claims;
mod deliver;
mod error;
mod manage;
mod message;
mod request;
mod schedule;
mod secrets;

pub use deliver::{Deliverer, DeliverySettings};
pub use error::WebhookError;
pub use manage::{MOST_WEBHOOKS, Registered, Webhooks};
pub use message::{ATTEMPT, IDEMPOTENCY_KEY, SIGNATURE, verify};
pub use request::{
    HeaderChange, InvalidHeaders, InvalidSigningSecret, MOST_HEADERS, NewWebhook, SigningSecret, WebhookChange,
    WebhookHeaders,
};
pub use schedule::MOST_DELIVERIES;
