//! Writers that lost a race for the same integration: they retry one after the other, so that each completes however many they
//! are.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use tokio::sync::{Mutex, MutexGuard};

use keyferry_store::IntegrationKey;

/// Enough that writers of different integrations seldom wait for each other. It would do no harm.
const LANES: usize = 64;

/// The lanes in which they wait.
#[derive(Debug)]
pub(super) struct StripedLock {
    lanes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for StripedLock {
    fn default() -> Self {
        Self { lanes: (0..LANES).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl StripedLock {
    /// Waits for a turn, unless there is one already. It lasts until it is dropped: the first one to be overtaken is the next
    /// to try, and only those who have not tried yet can be faster.
    pub(super) async fn next<'a>(&'a self, key: &IntegrationKey, turn: &mut Option<MutexGuard<'a, ()>>) {
        if turn.is_some() {
            return;
        }
        let lane = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % LANES;
        if let Some(lane) = self.lanes.get(lane) {
            *turn = Some(lane.lock().await);
        }
    }
}
