//! The store for one machine, on sled 0.34: the only module that names it.
//!
//! sled's own `flush` does not bring data to disk, so a single committer thread drains what is queued, applies it as one
//! transaction, flushes, syncs the database file through a handle of its own, and only then replies. A failed sync is final:
//! the kernel may have dropped the pages, and a second sync could succeed without them.
//!
//! | file | answers |
//! |---|---|
//! | `open`, `settings`, `watermark` | how is a folder opened and checked? |
//! | `reserve` | how is it opened on a full disk? |
//! | `engine` | how do reads and writes get to the database? |
//! | `committer`, `durability`, `sweep` | how does a batch of writes get to disk? |
//! | `view` | what does one write of a batch see and change? |
//! | `tables`, `keys`, `codec`, `read` | which trees are there, and what are their keys and bytes? |
//! | `census` | how many records are there, and how large are the files? |
//! | `audit_chain` | how are events chained? |
//! | the others | how is the trait of that subject implemented? |

mod accounts;
mod api_keys;
mod audit;
mod audit_chain;
mod census;
mod codec;
mod committer;
mod durability;
mod engine;
mod imports;
mod integrations;
mod keys;
mod ledger;
mod migrations;
mod open;
mod outbox;
mod read;
mod reserve;
mod roots;
mod sessions;
mod settings;
mod sweep;
mod tables;
mod view;
mod watermark;
mod webhooks;

#[cfg(test)]
mod tests;

pub use engine::SledStore;
pub use settings::SledSettings;
