//! Shares processor time among plugins that compute for long.
//!
//! Plugins run on the threads that serve requests, and give way every tick. Where as many compute as there are threads, a
//! request still waits for a tick at each of its steps. So a call that has computed for longer than calls do needs a turn for
//! each tick more, and there is one turn less than there are threads: one thread is always left for other work. A plugin
//! whose calls do so is in debt, and until short calls have paid it off, each of its calls needs a turn to begin: otherwise many
//! callers of one plugin that loops would take all threads with what each call has free.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Ticks that a call computes without a turn. What a plugin in Rust does fits into one, and in two if it begins late in it.
const FREE_TICKS: u64 = 3;
/// Maximum debt of a plugin in ticks: after this number of short calls it owes nothing.
const MOST_DEBT: u64 = 200;

/// What one plugin owes: the ticks that its calls have computed beyond what is free. A short call pays one.
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

/// The turns of one sandbox.
#[derive(Debug, Clone)]
pub(super) struct CpuScheduler(Arc<Semaphore>);

impl CpuScheduler {
    /// One less than there are threads to serve requests, and at least one.
    pub(super) fn new() -> Self {
        // As many as tokio starts.
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self(Arc::new(Semaphore::new(threads.saturating_sub(1).max(1))))
    }

    /// For one call of the plugin that has this debt.
    pub(super) fn queue(&self, debt: &Arc<CpuDebt>) -> CpuShare {
        CpuShare { turns: self.clone(), debt: Arc::clone(debt), ticks: 0, turn: Arc::default() }
    }
}

/// One call's place among those that compute for long.
#[derive(Debug)]
pub(super) struct CpuShare {
    turns: CpuScheduler,
    debt: Arc<CpuDebt>,
    ticks: u64,
    turn: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl CpuShare {
    /// Waits for a turn to begin, if the plugin is in debt.
    pub(super) fn begin(&self) -> impl Future<Output = ()> + Send + use<> {
        self.turn(self.debt.is_owed())
    }

    /// Yields to other tasks, and waits for a turn if the call has computed for long or its plugin is in debt.
    pub(super) fn next(&mut self) -> impl Future<Output = ()> + Send + use<> {
        self.give_back();
        self.ticks = self.ticks.saturating_add(1);
        if self.is_long() {
            self.debt.change(|owed| owed.saturating_add(1).min(MOST_DEBT));
        }
        let turn = self.turn(self.is_long() || self.debt.is_owed());
        async move {
            tokio::task::yield_now().await;
            turn.await;
        }
    }

    fn is_long(&self) -> bool {
        self.ticks > FREE_TICKS
    }

    fn turn(&self, needed: bool) -> impl Future<Output = ()> + Send + use<> {
        let (turns, turn) = (Arc::clone(&self.turns.0), Arc::clone(&self.turn));
        async move {
            if needed && let Ok(permit) = turns.acquire_owned().await {
                *turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
            }
        }
    }

    /// Gives the turn back: while the call waits for a provider it does not compute.
    pub(super) fn give_back(&self) {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
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
        let turns = CpuScheduler(Arc::new(Semaphore::new(1)));
        let (mut one, mut other) = (turns.queue(&Arc::default()), turns.queue(&Arc::default()));
        for _ in 0..=FREE_TICKS {
            one.next().await;
        }
        for _ in 0..FREE_TICKS {
            other.next().await;
        }
        let mut waiting = Box::pin(other.next());
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut waiting).await.is_err(), "there is one turn, and it is taken");
        one.give_back();
        waiting.await;
        assert_eq!(turns.0.available_permits(), 0);
        drop((one, other));
        assert_eq!(turns.0.available_permits(), 1, "a call that ends gives its turn back");
    }
    #[tokio::test]
    async fn a_plugin_that_computed_for_long_needs_a_turn_to_begin_until_short_calls_have_paid() {
        let turns = CpuScheduler(Arc::new(Semaphore::new(1)));
        let (looping, good) = (Arc::default(), Arc::default());
        let mut long = turns.queue(&looping);
        for _ in 0..FREE_TICKS + 2 {
            long.next().await;
        }
        let soon = std::time::Duration::from_millis(20);
        let again = turns.queue(&looping);
        assert!(tokio::time::timeout(soon, again.begin()).await.is_err(), "the one turn is the first call's");
        turns.queue(&good).begin().await;
        drop(long);
        again.begin().await;
        assert_eq!(turns.0.available_permits(), 0);
        drop(again);
        // Two ticks were too many: one is paid by the call above, one by this.
        drop(turns.queue(&looping));
        let free = turns.queue(&looping);
        free.begin().await;
        assert_eq!(turns.0.available_permits(), 1);
    }
}
