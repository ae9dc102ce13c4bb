//! What each store does, whichever engine keeps its records.

mod audit;
pub(crate) mod engines;
mod idempotency;
mod integrations;
mod listing;
mod oauth_clients;
pub(crate) mod outbox;
pub(crate) mod records;
mod sessions;
mod tenants;
