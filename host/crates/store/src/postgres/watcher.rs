//! Sees what other servers on the same database do: what they have changed, and which of them have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use tokio_postgres::Client;

use super::fault::Fault;
use super::lease::{LEASE, Lease};
use super::lent::Lent;
use super::sql;
use crate::peers::Generations;
use crate::records::Table;
use crate::{Kept, Peers};
use keyferry_telemetry::metrics;

/// How often what others have changed is read.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often leases are looked at.
const LEASES_EVERY: Duration = Duration::from_secs(1);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// A pause of this length between two looks that succeeded says that the database, or this server, was away.
const GAP: Duration = Duration::from_secs(3);

/// What is known of other servers, and by which means.
pub(super) struct Watcher {
    pub(super) pool: Pool,
    pub(super) lease: Lease,
    pub(super) peers: Arc<Peers>,
    pub(super) leads: Arc<AtomicBool>,
}

impl Watcher {
    /// Looks for as long as the store is open.
    pub(super) async fn run(self) {
        let (mut seen, mut steady_since, mut leases_at) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let began = Instant::now();
            if began.duration_since(seen) > GAP {
                steady_since = began;
            }
            let with_leases = leases_at.elapsed() >= LEASES_EVERY;
            // After the database was away, the leases of all servers have ended: each has the time to renew its own.
            let is_steady = steady_since.elapsed() > LEASE;
            let look = tokio::time::timeout(PATIENCE, self.look(began, with_leases, is_steady));
            match look.await {
                Ok(Ok(())) => {
                    seen = Instant::now();
                    if with_leases {
                        leases_at = began;
                    }
                }
                Ok(Err(fault)) => tracing::debug!(reason = %fault.reason, "what other servers do is not known"),
                Err(_) => tracing::debug!("the database does not say in time what other servers do"),
            }
        }
    }

    async fn look(&self, began: Instant, with_leases: bool, is_steady: bool) -> Result<(), Fault> {
        let client = self.pool.get().await.map_err(|error| Fault::lost(error.to_string()))?;
        // A connection in the middle of a request must not be put back, also where the time is up.
        let lent = Lent::new(client);
        let client = lent.client()?;
        self.peers.read(began, generations(client).await?);
        if with_leases {
            let servers = self.lease.servers(client).await?;
            metrics::store_servers(servers.live);
            self.leads.store(servers.leads, Ordering::Relaxed);
            if is_steady && servers.some_ended {
                self.lease.retire_others(client).await?;
            }
        }
        lent.put_back();
        Ok(())
    }
}

async fn generations(client: &Client) -> Result<Generations, tokio_postgres::Error> {
    let rows = sql::get_all(client, Table::Meta, &Kept::ALL.map(Kept::row)).await?;
    let mut generations = Generations::default();
    for kept in Kept::ALL {
        let row = rows.iter().find(|(key, _)| key == kept.row()).map(|(_, record)| record);
        if let Some(number) = row.and_then(|record| record.first_chunk::<8>()) {
            generations.set(kept, u64::from_be_bytes(*number));
        }
    }
    Ok(generations)
}
