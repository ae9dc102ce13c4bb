//! How native code on disk is known to be of this installation.

use std::sync::Arc;

pub(super) const MAC_BYTES: usize = 32;

/// Computes the message authentication code of an entry, under a key of this installation.
pub type CodeSeal = Arc<dyn Fn(&[u8]) -> Option<[u8; 32]> + Send + Sync>;
