//! The row of an app that is begun next.

use tokio::time::Instant;

use super::app_worker::{AppWorker, Host, Next};
use super::host_health::{Access, HostHealth};
use keyferry_store::StoreResult;

impl AppWorker {
    /// The next row to begin, and the host that it probes.
    pub(super) async fn next(&mut self, now: Instant) -> StoreResult<Option<(Next, Option<Host>)>> {
        let mut doubtful = self.hosts.iter().filter(|(_, health)| health.is_doubtful(now)).map(|(host, _)| host);
        if let Some(host) = doubtful.find(|host| self.verified.contains_key(*host)).cloned()
            && let Some(input) = self.verified.remove(&host)
        {
            return Ok(Some((Next::Verified(host, input), None)));
        }
        if let Some(host) = self.blocking_host.clone()
            && self.access(&host, now) == Access::Probe
            && let Some(next) = self.probe(&host).await?
        {
            return Ok(Some((next, Some(host))));
        }
        if let Some(host) = self.parked_that_may(now)
            && let Some(row) = self.retries.parked(&host)
        {
            let over = self.hosts.get(&host).and_then(HostHealth::down_since);
            let is_over = over.is_some_and(|since| now >= since + self.worker.importer.settings.patience);
            // Rows with hosts of their own do not make the others wait.
            return Ok(Some(if is_over && !self.is_shared(&host) {
                (Next::Settle(row), None)
            } else {
                (Next::Retry(row), Some(host))
            }));
        }
        self.is_retrys_turn = !self.is_retrys_turn;
        let has_fresh = self.blocking_host.is_none() && !self.queued.is_over();
        if !has_fresh || self.is_retrys_turn {
            while let Some(row) = self.retries.due(now) {
                let Some(host) = row.host().cloned() else { return Ok(Some((Next::Retry(row), None))) };
                match self.access(&host, now) {
                    Access::Free => return Ok(Some((Next::Retry(row), None))),
                    Access::Probe => return Ok(Some((Next::Retry(row), Some(host)))),
                    Access::NotBefore(_) | Access::Probed => self.park(row, &host),
                }
            }
        }
        Ok(if has_fresh { self.queued.next().map(|input| (Next::Fresh(input), None)) } else { None })
    }

    /// A row to probe the host that all rows wait for: in turns one from elsewhere in the file, the next one, and one that has
    /// failed there before. Failures at the beginning of a file say nothing about the rest.
    async fn probe(&mut self, host: &Host) -> StoreResult<Option<Next>> {
        self.probes += 1;
        let first = self.probes;
        for kind in first..first + 3 {
            let next = match kind % 3 {
                1 => self.queued.elsewhere(&self.worker).await?.map(Next::Fresh),
                2 => self.queued.next().map(Next::Fresh),
                _ => self.retries.parked(host).map(Next::Retry),
            };
            if next.is_some() {
                return Ok(next);
            }
        }
        Ok(None)
    }

    /// A host that rows wait for and that may be asked, or that has been down for too long.
    fn parked_that_may(&self, now: Instant) -> Option<Host> {
        let patience = self.worker.importer.settings.patience;
        let mut hosts = self.retries.hosts().filter(|host| self.blocking_host.as_ref() != Some(host));
        let may = |host: &Host| match self.hosts.get(host) {
            None => true,
            Some(health) => match health.access(now) {
                Access::Probe | Access::Free => true,
                Access::Probed | Access::NotBefore(_) => {
                    !self.is_shared(host) && health.down_since().is_some_and(|since| now >= since + patience)
                }
            },
        };
        hosts.find(|host| may(host)).cloned()
    }
}
