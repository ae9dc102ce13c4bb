//! The store of several machines, on PostgreSQL: the only module that names it.
//!
//! Each table is one of two columns, key and record. A batch of writes is one SERIALIZABLE transaction, and a caller gets its reply
//! after the `COMMIT` has returned. The SQL is portable: no triggers, no sequences, no advisory locks.
//!
//! | file | answers |
//! |---|---|
//! | `settings`, `passfile` | where is the database, and who asks? |
//! | `connect` | how is a connection made? |
//! | `schema` | which tables must there be, and who makes them? |
//! | `engine` | how do reads and writes get to the database? |
//! | `committer`, `batch` | how does a batch of writes become durable? |
//! | `copying`, `lent` | how is all content read as of one moment? |
//! | `rows`, `sql` | how are rows read, and by which statements? |
//! | `lease`, `identity` | which processes have the database open, and which may write? |
//! | `watcher`, `places` | what have other servers changed? how are events of all of them in order? |
//! | `fault`, `standing` | what has failed, and can it be used at the moment? |

mod batch;
mod committer;
mod connect;
mod copying;
mod engine;
mod fault;
mod identity;
mod lease;
mod lent;
mod passfile;
mod places;
mod rows;
mod schema;
mod settings;
mod sql;
mod standing;
#[cfg(test)]
mod tests;
mod watcher;

pub use engine::PostgresStore;
pub use lease::Access;
pub use schema::{Migrated, migrate};
pub use settings::{InvalidPostgresUrl, PostgresSettings};
