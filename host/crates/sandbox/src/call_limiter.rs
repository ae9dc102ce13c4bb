//! Limits of concurrent calls: a number of slots run calls, a number of calls wait, and further calls are refused at
//! once.
//!
//! One plugin gets at most three quarters of either. Each of its calls may wait for a provider for its whole time
//! limit, and its callers may be many: the last quarter is left to other plugins.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::CallError;
use super::retry_after_estimator::RetryAfterEstimator;
use keyferry_telemetry::metrics;

/// Limits calls that run and calls that wait.
#[derive(Debug)]
pub(super) struct CallLimiter {
    slots: usize,
    queue: usize,
    running: Semaphore,
    /// Permits of calls that run or wait.
    places: Semaphore,
    estimator: RetryAfterEstimator,
}

/// The permit of a call. Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct CallPermit<'a> {
    _permits: [SemaphorePermit<'a>; 4],
    _counted: metrics::InProgress,
    estimators: [&'a RetryAfterEstimator; 2],
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        self.estimators.iter().for_each(|estimator| estimator.ended());
    }
}

impl CallLimiter {
    pub(super) fn new(slots: usize, queue: usize) -> Self {
        let places = Semaphore::new(slots.saturating_add(queue).min(Semaphore::MAX_PERMITS));
        Self {
            slots,
            queue,
            running: Semaphore::new(slots.min(Semaphore::MAX_PERMITS)),
            places,
            estimator: RetryAfterEstimator::new(),
        }
    }

    /// The limiter of one plugin: three quarters of this one's slots and queue.
    pub(super) fn share(&self) -> Self {
        let most = |all: usize| all - all / 4;
        Self::new(most(self.slots), most(self.queue))
    }

    /// Acquires a slot within `patience`. Permits of the plugin's share are taken first, so a plugin at its limit does
    /// not fill the queue of all.
    ///
    /// # Errors
    /// `Busy`, with the time after which a repetition is likely to succeed.
    pub(super) async fn acquire<'a>(
        &'a self,
        share: &'a Self,
        patience: Duration,
    ) -> Result<CallPermit<'a>, CallError> {
        let own = share.places.try_acquire().map_err(|_| share.busy())?;
        let place = self.places.try_acquire().map_err(|_| self.busy())?;
        let waiting = metrics::InProgress::waiting();
        let wait = async {
            Ok::<_, tokio::sync::AcquireError>((share.running.acquire().await?, self.running.acquire().await?))
        };
        let entered = tokio::time::timeout(patience, wait).await;
        drop(waiting);
        match entered {
            Ok(Ok((own_slot, slot))) => Ok(CallPermit {
                _permits: [own, place, own_slot, slot],
                _counted: metrics::InProgress::running(),
                estimators: [&share.estimator, &self.estimator],
            }),
            Ok(Err(_)) | Err(_) => Err(if share.running.available_permits() == 0 { share.busy() } else { self.busy() }),
        }
    }

    fn busy(&self) -> CallError {
        // Calls that hold a place and do not run.
        let taken = self.slots.saturating_add(self.queue).saturating_sub(self.places.available_permits());
        let waiting = taken.saturating_sub(self.slots);
        CallError::Busy { slots: self.slots, queue: self.queue, retry_after: self.estimator.retry_after(waiting) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn one_plugin_cannot_take_the_last_quarter_of_slots_or_of_the_queue() {
        let all = CallLimiter::new(4, 4);
        let (greedy, modest) = (all.share(), all.share());
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(all.acquire(&greedy, SHORT).await.unwrap());
        }
        let busy = CallError::Busy { slots: 3, queue: 3, retry_after: Duration::from_secs(1) };
        assert_eq!(all.acquire(&greedy, SHORT).await.unwrap_err(), busy, "its share is taken");
        // Three of its calls wait, and the fourth is turned away at once.
        let patient = Duration::from_secs(60);
        let mut waiting = Box::pin(futures_util::future::join_all((0..3).map(|_| all.acquire(&greedy, patient))));
        assert!(tokio::time::timeout(SHORT, &mut waiting).await.is_err());
        assert_eq!(all.acquire(&greedy, patient).await.unwrap_err(), busy, "so is its part of the queue");
        let place = all.acquire(&modest, SHORT).await.unwrap();
        assert_eq!(all.acquire(&modest, SHORT).await.unwrap_err(), all.busy(), "now every slot is taken");
        drop((place, waiting, taken));
        assert!(all.acquire(&greedy, SHORT).await.is_ok(), "a slot that is given back is another's");
    }

    #[tokio::test]
    async fn one_slot_is_everybodys() {
        let all = CallLimiter::new(1, 0);
        let share = all.share();
        let place = all.acquire(&share, SHORT).await.unwrap();
        assert!(all.acquire(&share, SHORT).await.is_err());
        drop(place);
        assert!(all.acquire(&share, SHORT).await.is_ok());
    }
}
