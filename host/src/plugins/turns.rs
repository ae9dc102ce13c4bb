//! Who computes when several plugins compute for long.
//!
//! Plugins run on the threads that serve requests, and give way every tick. Where as many compute as there are threads, a
//! request still waits for a tick at each of its steps. So a call that has computed for longer than calls do needs a turn for
//! each tick more, and there is one turn less than there are threads: one thread is always there for everybody else.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Ticks that a call computes without a turn. What a plugin in Rust does fits into one, and in two if it begins late in it.
const FREE_TICKS: u64 = 3;

/// The turns of one sandbox.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    /// One less than there are threads to serve requests, and at least one.
    pub(super) fn new() -> Self {
        // As many as tokio starts.
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Self(Arc::new(Semaphore::new(threads.saturating_sub(1).max(1))))
    }

    /// For one call.
    pub(super) fn queue(&self) -> Queue {
        Queue { turns: self.clone(), ticks: 0, turn: Arc::default() }
    }
}

/// One call's place among those that compute for long.
#[derive(Debug)]
pub(super) struct Queue {
    turns: Turns,
    ticks: u64,
    turn: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Queue {
    /// Gives way to everybody else, and waits for a turn if the call has computed for long.
    pub(super) fn next(&mut self) -> impl Future<Output = ()> + Send + use<> {
        self.give_back();
        self.ticks = self.ticks.saturating_add(1);
        let needs_turn = self.ticks > FREE_TICKS;
        let (turns, turn) = (Arc::clone(&self.turns.0), Arc::clone(&self.turn));
        async move {
            tokio::task::yield_now().await;
            if needs_turn && let Ok(permit) = turns.acquire_owned().await {
                *turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
            }
        }
    }

    /// Gives the turn back: while the call waits for a provider it does not compute.
    pub(super) fn give_back(&self) {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_computes_for_long_waits_for_its_turn_and_a_short_one_does_not() {
        let turns = Turns(Arc::new(Semaphore::new(1)));
        let (mut one, mut other) = (turns.queue(), turns.queue());
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
}
