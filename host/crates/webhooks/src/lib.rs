//! Webhooks: receivers of the events of connections, and deliveries to them.
//!
//! | file | what it is for |
//! |---|---|
//! | `request` | what a webhook is asked to be |
//! | `manage` | registering, listing, changing, deleting |
//! | `secrets` | its signing secret and its headers' values, sealed and opened |
//! | `message` | what it is sent, and the signature |
//! | `schedule` | what is tried when: an account's events in their order, no webhook at another's expense |
//! | `deliver` | one attempt, and what follows from it |
//!
//! An event is stored in the transaction that causes it, and is removed when the receiver has responded with 200. Delivery is
//! at least once, whatever happens to this process meanwhile; an event may arrive twice.

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
pub use request::{
    HeaderChange, InvalidHeaders, InvalidSigningSecret, MOST_HEADERS, NewWebhook, SigningSecret, WebhookChange,
    WebhookHeaders,
};
pub use schedule::MOST_DELIVERIES;
