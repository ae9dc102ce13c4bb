//! Shares processor time among plugins that compute for long.
//!
//! Plugins run on the threads that serve requests, and yield every tick. If as many calls compute as there are threads, a
//! request still waits for a tick at each of its steps. So a call that computes for longer than usual needs a turn (a permit)
//! for each further tick, and there is one turn less than there are threads: one thread is always left for other work. The
//! plugin of such a call gets into debt, and until short calls have paid it off, each of its calls needs a turn to begin:
//! otherwise many callers of one plugin that loops would take all threads with the free ticks of each call.
//!
//! No other thread takes over requests from the thread of a core. [`took_long`] says when a call should leave that thread.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Ticks that a call computes without a turn. What a plugin in Rust does fits into one, and in two if it begins late in it.
const FREE_TICKS: u64 = 3;
/// Maximum debt of a plugin in ticks: after this number of short calls it owes nothing.
const MOST_DEBT: u64 = 200;

thread_local! {
    /// Whether a call that was polled on this thread is about to compute for long.
    static IS_LONG: Cell<bool> = const { Cell::new(false) };
}

/// Whether a call has paused on this thread, since this was last asked, to compute for long when it is polled again. A thread that
/// serves requests alone should leave that to another one.
pub fn took_long() -> bool {
    IS_LONG.take()
}

/// Debt of one plugin: the ticks that its calls have computed beyond the free ones. A short call pays one.
#[derive(Debug, Default)]
pub(super) struct CpuDebt(AtomicU64);

impl CpuDebt {
    fn is_owed(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        let _former = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| Some(change(owed)));
    }
}

/// Permits to compute for long, of one sandbox.
#[derive(Debug, Clone)]
pub(super) struct CpuScheduler(Arc<Semaphore>);

impl CpuScheduler {
    /// One less than there are threads to serve requests, and at least one.
    pub(super) fn new() -> Self {
        // As many as tokio starts.
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self(Arc::new(Semaphore::new(threads.saturating_sub(1).max(1))))
    }

    /// The share of one call, whose plugin has this debt.
    pub(super) fn share(&self, debt: &Arc<CpuDebt>) -> CpuShare {
        CpuShare { scheduler: self.clone(), debt: Arc::clone(debt), ticks: 0, permit: Arc::default() }
    }
}

/// The processor time of one call.
#[derive(Debug)]
pub(super) struct CpuShare {
    scheduler: CpuScheduler,
    debt: Arc<CpuDebt>,
    /// Ticks that the call has computed.
    ticks: u64,
    /// The turn that the call has now, if any.
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl CpuShare {
    /// Waits for a turn to begin, if the plugin is in debt.
    pub(super) fn begin(&self) -> impl Future<Output = ()> + Send + use<> {
        self.acquire(self.debt.is_owed())
    }

    /// Yields to other tasks, and waits for a turn if the call has computed for long or its plugin is in debt.
    pub(super) fn next(&mut self) -> impl Future<Output = ()> + Send + use<> {
        self.release();
        self.ticks = self.ticks.saturating_add(1);
        if self.is_long() {
            self.debt.change(|owed| owed.saturating_add(1).min(MOST_DEBT));
        }
        let is_long = self.is_long() || self.debt.is_owed();
        let turn = self.acquire(is_long);
        async move {
            if !is_long {
                tokio::task::yield_now().await;
            }
            turn.await;
        }
    }

    fn is_long(&self) -> bool {
        self.ticks > FREE_TICKS
    }

    fn acquire(&self, needed: bool) -> impl Future<Output = ()> + Send + use<> {
        let (turns, slot) = (Arc::clone(&self.scheduler.0), Arc::clone(&self.permit));
        async move {
            if !needed {
                return;
            }
            IS_LONG.set(true);
            tokio::task::yield_now().await;
            if let Ok(permit) = turns.acquire_owned().await {
                *slot.lock() = Some(permit);
            }
        }
    }

    /// Gives the turn back: while the call waits for a provider it does not compute.
    pub(super) fn release(&self) {
        self.permit.lock().take();
    }
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        if !self.is_long() {
            self.debt.change(|owed| owed.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_computes_for_long_waits_for_its_turn_and_a_short_one_does_not() {
        let cpu = CpuScheduler(Arc::new(Semaphore::new(1)));
        let (mut one, mut other) = (cpu.share(&Arc::default()), cpu.share(&Arc::default()));
        for _ in 0..=FREE_TICKS {
            one.next().await;
        }
        for _ in 0..FREE_TICKS {
            other.next().await;
        }
        let mut waiting = Box::pin(other.next());
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut waiting).await.is_err(), "there is one turn, and it is taken");
        one.release();
        waiting.await;
        assert_eq!(cpu.0.available_permits(), 0);
        drop((one, other));
        assert_eq!(cpu.0.available_permits(), 1, "a call that ends gives its turn back");
    }
    #[tokio::test]
    async fn a_plugin_that_computed_for_long_needs_a_turn_to_begin_until_short_calls_have_paid() {
        let cpu = CpuScheduler(Arc::new(Semaphore::new(1)));
        let (looping, good) = (Arc::default(), Arc::default());
        let mut long = cpu.share(&looping);
        for _ in 0..FREE_TICKS + 2 {
            long.next().await;
        }
        let soon = std::time::Duration::from_millis(20);
        let again = cpu.share(&looping);
        assert!(tokio::time::timeout(soon, again.begin()).await.is_err(), "the one turn is the first call's");
        cpu.share(&good).begin().await;
        drop(long);
        again.begin().await;
        assert_eq!(cpu.0.available_permits(), 0);
        drop(again);
        // Two ticks were too many: one is paid by the call above, one by this.
        drop(cpu.share(&looping));
        let free = cpu.share(&looping);
        free.begin().await;
        assert_eq!(cpu.0.available_permits(), 1);
    }
}
