//! The received requests, for tests: bounded, so that a load test on the demo does not fill memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Received;

/// How many requests are remembered; older ones are forgotten.
const REMEMBERED: usize = 10_000;

#[derive(Default)]
pub(super) struct RequestLog(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    latest: VecDeque<Received>,
    total: u64,
}

impl RequestLog {
    pub(super) fn record(&self, request: Received) {
        let mut entries = self.lock();
        if entries.latest.len() >= REMEMBERED {
            entries.latest.pop_front();
        }
        entries.latest.push_back(request);
        entries.total = entries.total.saturating_add(1);
    }

    pub(super) fn latest(&self) -> Vec<Received> {
        self.lock().latest.iter().cloned().collect()
    }

    pub(super) fn total(&self) -> u64 {
        self.lock().total
    }

    pub(super) fn forget(&self) {
        *self.lock() = Entries::default();
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Entries are whole after every statement above, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
