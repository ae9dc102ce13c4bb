//! [`Peers`]: what other hosts on the same store have changed of what this one keeps in memory.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

/// What is kept in memory of the store, and must be given up when another host changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// API keys.
    ApiKeys,
    /// Roots.
    Roots,
    /// Imports and their states.
    Imports,
    /// Plugins and their grants.
    Plugins,
}

impl Kept {
    pub(crate) const ALL: [Self; 4] = [Self::ApiKeys, Self::Roots, Self::Imports, Self::Plugins];

    /// Key of the row that changes with it.
    pub(crate) fn row(self) -> &'static [u8] {
        match self {
            Self::ApiKeys => b"changed/api_keys",
            Self::Roots => b"changed/roots",
            Self::Imports => b"changed/imports",
            Self::Plugins => b"changed/plugins",
        }
    }
}

/// How long what was read of other hosts' changes holds. Revocations reach all hosts within that time.
const FRESH: Duration = Duration::from_millis(900);

/// A number for each of [`Kept`], which is another one after each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Generations([u64; Kept::ALL.len()]);

impl Generations {
    /// The number of this kind.
    pub(crate) fn of(&self, kept: Kept) -> u64 {
        self.0.get(kept as usize).copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, kept: Kept, number: u64) {
        if let Some(place) = self.0.get_mut(kept as usize) {
            *place = number;
        }
    }
}

/// The changes of other hosts, as they were read last.
#[derive(Debug)]
pub struct Peers {
    /// When the reading began that was the last to succeed.
    read_at: Mutex<Option<Instant>>,
    generations: watch::Sender<Generations>,
}

impl Peers {
    /// Nothing was read yet.
    pub(crate) fn new() -> Self {
        Self { read_at: Mutex::new(None), generations: watch::Sender::default() }
    }

    /// The number of this kind; `None` where the last reading is too old to rely on what is in memory.
    pub fn generation(&self, kept: Kept) -> Option<u64> {
        let is_fresh = self.read_at.lock().is_some_and(|at| at.elapsed() < FRESH);
        is_fresh.then(|| self.generations.borrow().of(kept))
    }

    /// The changes of this kind from now on.
    pub fn changes(&self, kept: Kept) -> KeptChanges {
        let mut generations = self.generations.subscribe();
        let known = generations.borrow_and_update().of(kept);
        KeptChanges { kept, known, generations }
    }

    /// These were read, by a reading that began then.
    pub(crate) fn read(&self, began: Instant, generations: Generations) {
        *self.read_at.lock() = Some(began);
        self.generations.send_if_modified(|known| std::mem::replace(known, generations) != generations);
    }
}

/// Changes of one kind by other hosts, one after the other; several at once can be one.
#[derive(Debug)]
pub struct KeptChanges {
    kept: Kept,
    known: u64,
    generations: watch::Receiver<Generations>,
}

impl KeptChanges {
    /// Waits for the next change. `false` once the store is closed.
    pub async fn next(&mut self) -> bool {
        while self.generations.changed().await.is_ok() {
            let now = self.generations.borrow_and_update().of(self.kept);
            if std::mem::replace(&mut self.known, now) != now {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_holds_for_less_than_a_second() {
        let peers = Peers::new();
        assert_eq!(peers.generation(Kept::ApiKeys), None, "nothing was read yet");
        let mut generations = Generations::default();
        generations.set(Kept::Roots, 7);
        peers.read(Instant::now(), generations);
        assert_eq!(peers.generation(Kept::Roots), Some(7));
        assert_eq!(peers.generation(Kept::ApiKeys), Some(0));
        peers.read(Instant::now().checked_sub(FRESH).unwrap(), generations);
        assert_eq!(peers.generation(Kept::Roots), None);
    }
}
