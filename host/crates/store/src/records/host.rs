//! [`Host`]: one of several servers that have a store open.

use serde::{Deserialize, Serialize};

/// A host: the place of its lease, and the lease's number. It is what a row of a claim consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) slot: u8,
    pub(crate) number: i64,
}
