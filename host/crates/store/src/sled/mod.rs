//! The store for one machine, on sled 0.34: the only module that names it.
//!
//! A single committer thread drains what is queued, appends it to a journal as one batch, syncs, applies it to sled in memory, and
//! only then replies. Checkpoints bring sled to disk; an opening applies again what the journal holds since the last one. A failed
//! sync is final: the kernel may have dropped the pages, and a second sync could succeed without them.
//!
//! | file | answers |
//! |---|---|
//! | `open`, `settings`, `watermark` | how is a folder opened and checked? |
//! | `replay` | what does the journal hold that sled has not brought to disk? |
//! | `reserve` | how is it opened on a full disk? |
//! | `engine` | how do reads and writes get to the database? |
//! | `committer` | how do writes become a batch? |
//! | `journal`, `record`, `durability` | how does a batch get to disk? |
//! | `checkpoint` | when does sled get to disk? |
//! | `tap`, `copying` | how is all content read as of one moment, while batches become visible? |
//! | `tables` | which trees are there, and how are their rows read? |

mod checkpoint;
mod committer;
mod copying;
mod durability;
mod engine;
mod journal;
mod open;
mod record;
mod replay;
mod reserve;
mod settings;
mod tables;
mod tap;
mod watermark;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::settings as tests_settings;

pub use engine::SledStore;
pub use settings::SledSettings;
