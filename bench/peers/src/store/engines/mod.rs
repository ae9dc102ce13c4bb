//! The engines under the common committer. Each has a cache of the same size as Keyferry's store, and each is
//! configured to have a batch on disk before the write returns.

mod fjall;
mod raw;
mod redb;
mod sled;
mod sqlite;

pub(super) use fjall::Fjall;
pub(super) use raw::Raw;
pub(super) use redb::Redb;
pub(super) use sled::Sled;
pub(super) use sqlite::Sqlite;

/// Bytes of cache, as Keyferry's default.
const CACHE: u64 = 64 << 20;

const INTEGRATIONS: &str = "integrations";
const AUDIT: &str = "audit";
const HEADS: &str = "audit_heads";
