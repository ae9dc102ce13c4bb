//! Many readers of one integration become one renewal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;

use super::RenewalProblem;
use keyferry_store::IntegrationKey;

/// The result of a renewal, for all who wait for it.
pub(super) type Outcome = Result<(), RenewalProblem>;
type Flight = Shared<BoxFuture<'static, Outcome>>;
type Table = Arc<Mutex<HashMap<IntegrationKey, Flight>>>;

/// The renewals under way in this process. Each is a task of its own: it continues when a reader leaves.
#[derive(Default)]
pub(crate) struct Flights(Table);

/// Takes a renewal off the table, also if it panics.
struct Landing {
    table: Table,
    key: IntegrationKey,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.table.lock().remove(&self.key);
    }
}

impl Flights {
    /// Waits for the renewal that is under way, or begins one.
    pub(super) async fn join(
        &self,
        key: &IntegrationKey,
        begin: impl FnOnce() -> BoxFuture<'static, Outcome>,
    ) -> Outcome {
        let flight = {
            let mut flights = self.0.lock();
            match flights.get(key) {
                Some(flight) => flight.clone(),
                None => {
                    let landing = Landing { table: Arc::clone(&self.0), key: key.clone() };
                    let work = begin();
                    let task = tokio::spawn(async move {
                        let outcome = work.await;
                        drop(landing);
                        outcome
                    });
                    let flight = task.map(|outcome| outcome.unwrap_or_else(|_| Err(panicked()))).boxed().shared();
                    flights.insert(key.clone(), flight.clone());
                    flight
                }
            }
        };
        flight.await
    }
}

fn panicked() -> RenewalProblem {
    let why = "the renewal did not finish; the server's log says why".to_owned();
    RenewalProblem::Unavailable { why, retry_after: Duration::from_secs(5) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use keyferry_store::AccountKey;
    use keyferry_types::ids::Environment;

    fn key() -> IntegrationKey {
        let account = AccountKey {
            org: "acme".parse().unwrap(),
            environment: Environment::Test,
            account: "user_1".parse().unwrap(),
        };
        IntegrationKey { account, slug: "hubspot".parse().unwrap() }
    }

    #[tokio::test]
    async fn a_thousand_readers_are_one_renewal_and_a_later_one_is_another() {
        let (flights, begun, gate) =
            (Arc::new(Flights::default()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let join = || {
            let (flights, begun, gate) = (Arc::clone(&flights), Arc::clone(&begun), Arc::clone(&gate));
            tokio::spawn(async move {
                let begin = || {
                    begun.fetch_add(1, Ordering::Relaxed);
                    async move {
                        gate.notified().await;
                        Ok(())
                    }
                    .boxed()
                };
                flights.join(&key(), begin).await
            })
        };
        let readers: Vec<_> = (0..1000).map(|_| join()).collect();
        tokio::task::yield_now().await;
        gate.notify_one();
        for reader in readers {
            assert_eq!(reader.await.unwrap(), Ok(()));
        }
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        gate.notify_one();
        assert_eq!(join().await.unwrap(), Ok(()));
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_renewal_that_panics_ends_for_all_and_can_be_repeated() {
        let flights = Flights::default();
        let outcome = flights.join(&key(), || async { panic!("a defect") }.boxed()).await;
        assert_eq!(outcome, Err(panicked()));
        assert_eq!(flights.join(&key(), || async { Ok(()) }.boxed()).await, Ok(()));
    }
}
