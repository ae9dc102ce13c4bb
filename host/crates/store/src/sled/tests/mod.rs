//! The store in real folders.

mod audit;
mod durability;
mod harness;
mod idempotency;
mod integrations;
mod listing;
mod opening;
mod outbox;
mod sessions;
mod tenants;
