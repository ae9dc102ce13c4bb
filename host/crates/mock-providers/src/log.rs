//! The received requests, for tests: bounded, so that a load test on the demo does not fill memory.

use std::collections::VecDeque;

use parking_lot::Mutex;

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
        let mut entries = self.0.lock();
        if entries.latest.len() >= REMEMBERED {
            entries.latest.pop_front();
        }
        entries.latest.push_back(request);
        entries.total = entries.total.saturating_add(1);
    }

    pub(super) fn latest(&self) -> Vec<Received> {
        self.0.lock().latest.iter().cloned().collect()
    }

    pub(super) fn total(&self) -> u64 {
        self.0.lock().total
    }

    pub(super) fn forget(&self) {
        *self.0.lock() = Entries::default();
    }
}
