//! Nonces that were used already, as many as memory is given for.

use std::collections::BTreeSet;

/// Remembers (timestamp, nonce) pairs until they are too old to be accepted anyway.
pub(super) struct NonceMemory {
    seen: BTreeSet<(u64, String)>,
    capacity: usize,
}

impl NonceMemory {
    pub(super) fn new(capacity: usize) -> Self {
        Self { seen: BTreeSet::new(), capacity }
    }

    /// Whether the pair is new; it is remembered from now on. Pairs older than `oldest` (seconds since 1970) are
    /// forgotten, and when all room is taken, the oldest ones.
    pub(super) fn is_new(&mut self, timestamp: u64, nonce: &str, oldest: u64) -> bool {
        while self.seen.first().is_some_and(|(seen, _)| *seen < oldest) || self.seen.len() >= self.capacity {
            if self.seen.pop_first().is_none() {
                break;
            }
        }
        self.seen.insert((timestamp, nonce.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_new_once_and_memory_stays_bounded() {
        let mut memory = NonceMemory::new(3);
        assert!(memory.is_new(100, "a", 0));
        assert!(!memory.is_new(100, "a", 0));
        assert!(memory.is_new(101, "a", 0), "the nonce only has to be unique for its timestamp");
        for nonce in ["b", "c", "d", "e"] {
            assert!(memory.is_new(200, nonce, 150));
            assert!(memory.seen.len() <= 3);
        }
        assert!(!memory.is_new(200, "e", 150));
    }
}
