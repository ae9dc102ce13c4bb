//! Which of an app's rows is begun next.

use tokio::time::Instant;

use super::app_worker::{AppWorker, Host, Next};
use super::health::{Access, HostHealth};
use keyferry_store::StoreResult;

impl AppWorker {
    /// What can be begun, and which host it is to find out about.
    pub(super) async fn next(&mut self, now: Instant) -> StoreResult<Option<(Next, Option<Host>)>> {
        let mut doubtful = self.hosts.iter().filter(|(_, health)| health.is_doubtful(now)).map(|(host, _)| host);
        if let Some(host) = doubtful.find(|host| self.verified.contains_key(*host)).cloned()
            && let Some(input) = self.verified.remove(&host)
        {
            return Ok(Some((Next::Verified(host, input), None)));
        }
        if let Some(gate) = self.gate.clone()
            && self.access(&gate, now) == Access::Probe
            && let Some(next) = self.probe(&gate).await?
        {
            return Ok(Some((next, Some(gate))));
        }
        if let Some(host) = self.parked_that_may(now)
            && let Some(row) = self.open.parked(&host)
        {
            let over = self.hosts.get(&host).and_then(HostHealth::down_since);
            let is_over = over.is_some_and(|since| now >= since + self.bench.importer.settings.patience);
            // Where rows have hosts of their own, the others do not wait for one of them.
            return Ok(Some(if is_over && !self.is_shared(&host) {
                (Next::Settle(row), None)
            } else {
                (Next::Open(row), Some(host))
            }));
        }
        self.is_openers_turn = !self.is_openers_turn;
        let has_fresh = self.gate.is_none() && !self.fresh.is_over();
        if !has_fresh || self.is_openers_turn {
            while let Some(row) = self.open.due(now) {
                let Some(host) = row.host().cloned() else { return Ok(Some((Next::Open(row), None))) };
                match self.access(&host, now) {
                    Access::Free => return Ok(Some((Next::Open(row), None))),
                    Access::Probe => return Ok(Some((Next::Open(row), Some(host)))),
                    Access::NotBefore(_) | Access::Probed => self.park(row, &host),
                }
            }
        }
        Ok(if has_fresh { self.fresh.next().map(|input| (Next::Fresh(input), None)) } else { None })
    }

    /// A row that finds out how the host is that all rows wait for: in turns the next one of the file, one from elsewhere in
    /// it, and one that has failed there before. Those that fail at the beginning of a file say nothing of the rest.
    async fn probe(&mut self, gate: &Host) -> StoreResult<Option<Next>> {
        self.probes += 1;
        let turn = self.probes;
        for kind in turn..turn + 3 {
            let next = match kind % 3 {
                1 => self.fresh.elsewhere(&self.bench).await?.map(Next::Fresh),
                2 => self.fresh.next().map(Next::Fresh),
                _ => self.open.parked(gate).map(Next::Open),
            };
            if next.is_some() {
                return Ok(next);
            }
        }
        Ok(None)
    }

    /// A host for which rows wait, and which may be asked by one of them; or which has been down for too long.
    fn parked_that_may(&self, now: Instant) -> Option<Host> {
        let patience = self.bench.importer.settings.patience;
        let mut hosts = self.open.hosts().filter(|host| self.gate.as_ref() != Some(host));
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
