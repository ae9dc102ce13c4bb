//! Priority of requests, whose clients wait, over the background work of imports.
//!
//! A row begins when no request is under way. As long as requests keep coming, rows begin one after the other and with some
//! time between them, however many wait for their providers: those that have begun share processors and the store's next batch
//! with requests that arrive during them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until, timeout};

/// The longest wait of one row for a moment without requests. Under constant load, it is the interval between rows.
const PATIENCE: Duration = Duration::from_millis(25);
/// Requests count as arriving steadily while the last one is not older than this.
const RECENT: Duration = Duration::from_secs(1);
/// The average interval between the starts of rows while requests arrive steadily.
const APART: Duration = Duration::from_millis(1);
/// The part of a delay that later rows may make up for.
const MADE_UP: Duration = Duration::from_millis(3);

/// The requests in progress.
#[derive(Debug)]
pub(super) struct ForegroundLoad {
    requests: Arc<Requests>,
    patience: Duration,
    recent: Duration,
    apart: Duration,
    made_up: Duration,
    rows: Gate,
    files: Gate,
}

/// Held by the worker that continues next; the value is when it may.
type Gate = Mutex<Option<Instant>>;

/// A group of background work. Groups do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackgroundWork {
    /// A row to process or to undo.
    Row,
    /// Part of a file to store or delete.
    File,
}

#[derive(Debug)]
struct Requests {
    count: AtomicUsize,
    none: Notify,
    began: Instant,
    /// Milliseconds from `began` to the last request; 0 before the first.
    last: AtomicU64,
}

/// One request, until it is dropped.
#[derive(Debug)]
pub(super) struct ForegroundRequest(Arc<Requests>);

/// The amount of work that a throttled worker may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// Unlimited: no request arrived recently.
    Free,
    /// A short slice: requests keep arriving.
    Short,
}

impl Default for ForegroundLoad {
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
            apart: APART,
            made_up: MADE_UP,
            rows: Gate::default(),
            files: Gate::default(),
        }
    }
}

impl ForegroundLoad {
    /// Counts a request until the guard is dropped.
    pub(super) fn enter(&self) -> ForegroundRequest {
        self.requests.count.fetch_add(1, Ordering::Relaxed);
        self.requests.last.store(self.requests.now(), Ordering::Relaxed);
        ForegroundRequest(Arc::clone(&self.requests))
    }

    /// Waits for permission to continue. Under constant load, workers still continue one after the other, slowly.
    pub(super) async fn yield_to_foreground(&self, work: BackgroundWork) -> Throttle {
        if !self.is_recent() {
            return Throttle::Free;
        }
        let gate = match work {
            BackgroundWork::Row => &self.rows,
            BackgroundWork::File => &self.files,
        };
        let mut due = gate.lock().await;
        if !self.is_recent() {
            return Throttle::Free;
        }
        if let Some(due) = *due {
            sleep_until(due).await;
        }
        let quiet = async {
            loop {
                let none = self.requests.none.notified();
                if self.is_quiet() {
                    return;
                }
                none.await;
            }
        };
        // After the patience the worker continues anyway.
        let _ = timeout(self.patience, quiet).await;
        let earliest = Instant::now().checked_sub(self.made_up);
        *due = (*due).max(earliest).map(|due| due + self.apart);
        Throttle::Short
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

impl Drop for ForegroundRequest {
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
    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_row_waits_while_a_request_is_under_way_and_goes_on_as_soon_as_there_is_none() {
        let load = ForegroundLoad { patience: LONG, recent: LONG, ..ForegroundLoad::default() };
        assert_eq!(load.yield_to_foreground(BackgroundWork::Row).await, Throttle::Free);
        let request = load.enter();
        let mut rows = Box::pin(async {
            tokio::join!(load.yield_to_foreground(BackgroundWork::Row), load.yield_to_foreground(BackgroundWork::Row))
        });
        assert!(timeout(SHORT, &mut rows).await.is_err());
        drop(request);
        assert_eq!(timeout(LONG / 60, rows).await.unwrap(), (Throttle::Short, Throttle::Short));
    }

    #[tokio::test]
    async fn requests_without_end_do_not_stop_a_row_for_ever() {
        let load = ForegroundLoad { patience: Duration::from_millis(5), ..ForegroundLoad::default() };
        let _request = load.enter();
        load.yield_to_foreground(BackgroundWork::Row).await;
        load.yield_to_foreground(BackgroundWork::Row).await;
    }

    #[tokio::test]
    async fn a_file_does_not_wait_behind_the_rows_that_wait() {
        let load = ForegroundLoad { patience: LONG, recent: LONG, ..ForegroundLoad::default() };
        let request = load.enter();
        let mut rows = Box::pin(async {
            tokio::join!(load.yield_to_foreground(BackgroundWork::Row), load.yield_to_foreground(BackgroundWork::Row))
        });
        assert!(timeout(SHORT, &mut rows).await.is_err());
        drop(request);
        assert_eq!(timeout(LONG / 60, load.yield_to_foreground(BackgroundWork::File)).await.unwrap(), Throttle::Short);
        rows.await;
    }

    #[tokio::test]
    async fn while_requests_keep_coming_rows_begin_some_time_apart_whether_or_not_those_before_have_ended() {
        let load = ForegroundLoad { recent: LONG, apart: SHORT, made_up: Duration::ZERO, ..ForegroundLoad::default() };
        drop(load.enter());
        let began = Instant::now();
        for number in 0..4 {
            assert_eq!(load.yield_to_foreground(BackgroundWork::Row).await, Throttle::Short);
            assert!(began.elapsed() >= SHORT * number, "row {number} after {:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn once_no_requests_come_any_more_rows_begin_as_they_like_those_that_wait_included() {
        let load = ForegroundLoad { recent: Duration::ZERO, patience: LONG, ..ForegroundLoad::default() };
        let request = load.enter();
        let mut waiting = Box::pin(async {
            tokio::join!(load.yield_to_foreground(BackgroundWork::Row), load.yield_to_foreground(BackgroundWork::Row))
        });
        assert!(timeout(SHORT, &mut waiting).await.is_err());
        drop(request);
        // The first of them was at the gate already.
        assert_eq!(timeout(LONG / 60, waiting).await.unwrap(), (Throttle::Short, Throttle::Free));
        assert_eq!(load.yield_to_foreground(BackgroundWork::Row).await, Throttle::Free);
    }
}
