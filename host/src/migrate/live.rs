//! Who goes first: a request that somebody waits for, or a row of an import, which can wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

/// How long one row waits for a moment without requests. While there is none, this is the time from one row to the next.
const PATIENCE: Duration = Duration::from_millis(25);

/// Requests that somebody waits for.
#[derive(Debug)]
pub(super) struct Live {
    requests: Arc<Requests>,
    patience: Duration,
    /// The one row that may begin next.
    gate: Mutex<()>,
}

#[derive(Debug, Default)]
struct Requests {
    count: AtomicUsize,
    none: Notify,
}

/// One request, until it is dropped.
#[derive(Debug)]
pub(super) struct LiveRequest(Arc<Requests>);

impl Default for Live {
    fn default() -> Self {
        Self { requests: Arc::default(), patience: PATIENCE, gate: Mutex::default() }
    }
}

impl Live {
    /// A request has come.
    pub(super) fn enter(&self) -> LiveRequest {
        self.requests.count.fetch_add(1, Ordering::Relaxed);
        LiveRequest(Arc::clone(&self.requests))
    }

    /// Waits for a moment without requests; while there are always some, one row after the other goes on all the same, slowly.
    pub(super) async fn give_way(&self) {
        if self.is_quiet() {
            return;
        }
        let _turn = self.gate.lock().await;
        let quiet = async {
            loop {
                let none = self.requests.none.notified();
                if self.is_quiet() {
                    return;
                }
                none.await;
            }
        };
        // Either way it is this row's turn.
        let _ = tokio::time::timeout(self.patience, quiet).await;
    }

    fn is_quiet(&self) -> bool {
        self.requests.count.load(Ordering::Relaxed) == 0
    }
}

impl Drop for LiveRequest {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_row_waits_while_a_request_is_under_way_and_goes_on_as_soon_as_there_is_none() {
        let live = Live { patience: LONG, ..Live::default() };
        live.give_way().await;
        let request = live.enter();
        let mut rows = Box::pin(async { tokio::join!(live.give_way(), live.give_way()) });
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut rows).await.is_err());
        drop(request);
        tokio::time::timeout(LONG / 60, rows).await.unwrap();
    }

    #[tokio::test]
    async fn requests_without_end_do_not_stop_a_row_for_ever() {
        let live = Live { patience: Duration::from_millis(5), ..Live::default() };
        let _request = live.enter();
        live.give_way().await;
        live.give_way().await;
    }
}
