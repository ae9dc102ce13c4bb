//! Reports on an app's waiting rows: the reason, the start and the expected end of the wait.

use std::time::Duration;

use tokio::time::Instant;

use super::app_worker::{AppWorker, Blocked};
use super::health::Access;
use super::open::OpenRow;
use super::outcome::Outcome;
use super::progress::{RowWaiting, Waiting, WaitingFor, WaitingRows};
use super::rate_controller::ProviderOutcome;
use keyferry_store::Timestamp;

/// Nothing to wait for but what is under way.
const LONG: Duration = Duration::from_secs(3600);

impl AppWorker {
    /// Publishes why rows wait.
    pub(super) fn tell(&self, now: Instant) {
        let waiting = self.all_wait(now).or_else(|| self.some_wait(now));
        self.bench.job.progress.wait(&self.bench.slug, waiting);
    }

    /// Publishes why a single row waits.
    pub(super) fn tell_row(&self, row: &OpenRow, until: Option<Instant>) {
        let waiting = RowWaiting {
            since: row.since,
            until: until.map(|until| ahead(until, Instant::now())),
            attempts: row.attempts,
            detail: row.outcome.as_ref().and_then(Outcome::shown_detail),
        };
        self.bench.job.progress.wait_row(row.number, Some(waiting));
    }

    fn all_wait(&self, now: Instant) -> Option<Waiting> {
        if let Some(Blocked { since, until, reason }) = &self.blocked {
            let (since, until, detail) = (*since, ahead(*until, now), reason.clone());
            return Some(Waiting { reason: WaitingFor::Server, since, until, detail, rows: WaitingRows::All });
        }
        let gate = self.gate.as_ref()?;
        let health = self.hosts.get(gate)?;
        let until = match health.access(now) {
            Access::NotBefore(until) => until,
            Access::Free | Access::Probe | Access::Probed => now,
        };
        let reason = if health.down_since().is_some() { WaitingFor::Provider } else { WaitingFor::RateLimit };
        Some(Waiting {
            reason,
            since: health.since,
            until: ahead(until, now),
            detail: health.cause.clone(),
            rows: WaitingRows::All,
        })
    }

    fn some_wait(&self, now: Instant) -> Option<Waiting> {
        let rows = WaitingRows::Some(u64::try_from(self.open.len()).unwrap_or(u64::MAX));
        if let Some((until, row)) = self.open.first() {
            let outcome = row.outcome.as_ref()?;
            let is_refused = matches!(outcome.went, ProviderOutcome::TooFast(_));
            let reason = if is_refused { WaitingFor::RateLimit } else { WaitingFor::Provider };
            let detail = outcome.shown_detail().unwrap_or_default();
            return Some(Waiting { reason, since: row.since, until: ahead(until, now), detail, rows });
        }
        let (until, health) = self
            .open
            .hosts()
            .filter_map(|host| self.hosts.get(host))
            .map(|health| {
                (
                    match health.access(now) {
                        Access::NotBefore(until) => until,
                        Access::Free | Access::Probe | Access::Probed => now,
                    },
                    health,
                )
            })
            .min_by_key(|(until, _)| *until)?;
        let (since, detail) = (health.since, health.cause.clone());
        Some(Waiting { reason: WaitingFor::Provider, since, until: ahead(until, now), detail, rows })
    }

    /// When there may be something to begin, if nothing that is under way ends before.
    pub(super) fn wake(&self, now: Instant) -> Instant {
        if let Some(blocked) = &self.blocked {
            return blocked.until;
        }
        let patience = self.bench.importer.settings.patience;
        let hosts = self.gate.iter().chain(self.open.hosts()).filter_map(|host| self.hosts.get(host));
        let next = hosts.filter_map(|health| {
            let over = health.down_since().map(|since| since + patience).filter(|over| *over > now);
            match health.access(now) {
                Access::NotBefore(next) => Some(over.map_or(next, |over| over.min(next))),
                Access::Free | Access::Probe | Access::Probed => over,
            }
        });
        let verify = self.hosts.iter().filter(|(host, _)| self.verified.contains_key(*host));
        let verify = verify.filter_map(|(_, health)| health.verify_at());
        let first = self.open.first().map(|(until, _)| until);
        next.chain(verify).chain(first).min().unwrap_or(now + LONG).max(now)
    }

    /// The reason to pause, if a host that rows need has been down for too long.
    pub(super) fn given_up(&self, now: Instant) -> Option<String> {
        let patience = self.bench.importer.settings.patience;
        let waited_for: Vec<_> = match &self.gate {
            Some(gate) => vec![gate],
            None if self.fresh.is_over() && self.open.is_all_parked() => self.open.hosts().collect(),
            None => return None,
        };
        let mut down = Vec::new();
        for host in waited_for {
            let health = self.hosts.get(host)?;
            down.push((health.down_since().filter(|since| now >= *since + patience)?, health));
        }
        let (since, health) = down.into_iter().min_by_key(|(since, _)| *since)?;
        let (slug, minutes) = (&self.bench.slug, now.duration_since(since).as_secs().div_ceil(60));
        Some(format!(
            "{slug} has been down for {minutes} min, since {}: {}; rows that are not done are `queued` in the results, and `resume` \
             resumes them",
            health.since, health.cause
        ))
    }
}

/// A moment as the system's clock has it.
fn ahead(until: Instant, now: Instant) -> Timestamp {
    Timestamp::now().after(until.saturating_duration_since(now))
}
