//! Writers that lost a race for the same integration retry one after the other, so that each completes however many they are.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use tokio::sync::{Mutex, MutexGuard};

use super::retry::{Conflict, retry_on_conflict};
use keyferry_store::IntegrationKey;

/// Enough that writers of different integrations seldom share a lane; if they do, they only wait for each other.
const LANES: usize = 64;

/// The lanes in which writers wait, chosen by a hash of the integration's key.
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
    /// As [`retry_on_conflict`], and from the second attempt on in the lane of the integration: a writer that lost a race is
    /// the next one to try, and only writers at their first attempt can come before it.
    pub(super) async fn retry_on_conflict<T, E, F>(
        &self,
        key: &IntegrationKey,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: Conflict,
        F: Future<Output = Result<T, E>>,
    {
        match attempt().await {
            Err(error) if error.is_conflict() => {
                let _lane = self.acquire(key).await;
                retry_on_conflict(attempt).await
            }
            done => done,
        }
    }

    async fn acquire(&self, key: &IntegrationKey) -> Option<MutexGuard<'_, ()>> {
        let lane = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % LANES;
        match self.lanes.get(lane) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        }
    }
}
