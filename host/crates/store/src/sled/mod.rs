//! The store for one machine, on sled 0.34: the only module that names it.
//!
//! sled's own `flush` does not bring data to disk, so a single committer thread drains what is queued, applies it as one
//! transaction, flushes, syncs the database file through a handle of its own, and only then answers. A failed sync is final:
//! the kernel may have dropped the pages, and asking again could get a false yes.

mod audit;
mod codec;
mod committer;
mod durability;
mod engine;
mod imports;
mod keys;
mod ledger;
mod open;
mod outbox;
mod read;
mod roots;
mod sessions;
mod settings;
mod tables;
mod view;
mod watermark;
mod webhooks;
mod write;

#[cfg(test)]
mod tests;

pub use engine::SledStore;
pub use settings::SledSettings;
