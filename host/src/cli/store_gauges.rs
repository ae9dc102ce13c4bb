//! Gauges of the store: its size and the free space, measured at each export; and what is counted by walking through its records.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use keyferry_store::Store;
use keyferry_telemetry::metrics;

/// The shortest pause between two counts.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// How many times as long as a count the pause after it is, so that counting takes at most a hundredth of a processor's time.
const PAUSE: u32 = 100;

/// The store whose gauges are set. It is not kept open for them.
#[derive(Clone)]
pub(super) struct StoreGauges(Weak<dyn Store>);

impl StoreGauges {
    pub(super) fn new(store: &Arc<dyn Store>) -> Self {
        Self(Arc::downgrade(store))
    }

    /// Sets the gauges of the disk. It blocks: the kernel is asked.
    pub(super) fn measure(&self) {
        if let Some(store) = self.0.upgrade() {
            let disk = store.disk();
            metrics::store_disk(disk.used, disk.free);
            // Where there can be several, the store counts them.
            if store.peers().is_none() {
                metrics::store_servers(1);
            }
        }
    }

    /// Sets the gauges of records again and again, for as long as the store is there.
    pub(super) async fn count_repeatedly(self) {
        loop {
            let Some(store) = self.0.upgrade() else { return };
            let began = Instant::now();
            match store.census().await {
                Ok(census) => {
                    metrics::connections_expired(census.expired_connections);
                    metrics::deliveries(census.waiting_deliveries, census.failed_deliveries);
                }
                Err(error) => tracing::warn!(%error, "the records of the store could not be counted for metrics"),
            }
            let took = began.elapsed();
            drop(store);
            tokio::time::sleep((took * PAUSE).max(SHORTEST_PAUSE)).await;
        }
    }
}
