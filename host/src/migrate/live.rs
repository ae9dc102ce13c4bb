//! Who goes first: a request that somebody waits for, or a row of an import, which can wait.
//!
//! A row begins when no request is under way. As long as requests keep coming, only a few rows are under way at once: those that
//! have begun share processors and the store's next batch with whoever comes in the middle of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, Semaphore, SemaphorePermit};

/// How long one row waits for a moment without requests. While there is none, this is the time from one row to the next.
const PATIENCE: Duration = Duration::from_millis(25);
/// Requests keep coming as long as the last one is not longer ago.
const RECENT: Duration = Duration::from_secs(1);
/// Rows under way at once while they do.
const FEW: usize = 2;

/// Requests that somebody waits for.
#[derive(Debug)]
pub(super) struct Live {
    requests: Arc<Requests>,
    patience: Duration,
    recent: Duration,
    few: Semaphore,
    /// The one row that may begin next.
    gate: Mutex<()>,
}

#[derive(Debug)]
struct Requests {
    count: AtomicUsize,
    none: Notify,
    began: Instant,
    /// Milliseconds from then to the last request; none yet where it is 0.
    last: AtomicU64,
}

/// One request, until it is dropped.
#[derive(Debug)]
pub(super) struct LiveRequest(Arc<Requests>);

/// The right of a row to be under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _few: Option<SemaphorePermit<'a>>,
}

impl Default for Live {
    fn default() -> Self {
        let requests = Requests {
            count: AtomicUsize::new(0),
            none: Notify::new(),
            began: Instant::now(),
            last: AtomicU64::new(0),
        };
        Self {
            requests: Arc::new(requests),
            patience: PATIENCE,
            recent: RECENT,
            few: Semaphore::new(FEW),
            gate: Mutex::default(),
        }
    }
}

impl Live {
    /// A request has come.
    pub(super) fn enter(&self) -> LiveRequest {
        self.requests.count.fetch_add(1, Ordering::Relaxed);
        self.requests.last.store(self.requests.now(), Ordering::Relaxed);
        LiveRequest(Arc::clone(&self.requests))
    }

    /// Waits until a row may begin: in a moment without requests, and while they keep coming as one of a few. While there are
    /// always some, one row after the other goes on all the same, slowly.
    pub(super) async fn give_way(&self) -> Turn<'_> {
        let few = if self.is_recent() { self.few.acquire().await.ok() } else { None };
        if self.is_quiet() {
            return Turn { _few: few };
        }
        let _gate = self.gate.lock().await;
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
        Turn { _few: few }
    }

    fn is_quiet(&self) -> bool {
        self.requests.count.load(Ordering::Relaxed) == 0
    }

    fn is_recent(&self) -> bool {
        let last = self.requests.last.load(Ordering::Relaxed);
        let since = self.requests.now().saturating_sub(last);
        !self.is_quiet() || (last > 0 && u128::from(since) < self.recent.as_millis())
    }
}

impl Requests {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
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

    #[tokio::test]
    async fn few_rows_are_under_way_while_requests_keep_coming_and_as_many_as_there_are_once_they_do_not() {
        let (live, later) =
            (Live { recent: LONG, ..Live::default() }, Live { recent: Duration::ZERO, ..Live::default() });
        let mut turns = Vec::new();
        for _ in 0..3 * FEW {
            turns.push(live.give_way().await);
        }
        drop(live.enter());
        let mut few = Vec::new();
        for _ in 0..FEW {
            few.push(live.give_way().await);
        }
        assert!(tokio::time::timeout(Duration::from_millis(20), live.give_way()).await.is_err(), "one more");
        few.pop();
        live.give_way().await;
        drop(later.enter());
        for _ in 0..3 * FEW {
            turns.push(later.give_way().await);
        }
    }
}
