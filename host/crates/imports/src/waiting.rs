//! Reports on an app's waiting rows: the reason, the start and the expected end of the wait.

use std::time::Duration;

use tokio::time::Instant;

use super::app_worker::{AppWorker, Blocked};
use super::host_health::Access;
use super::outcome::Outcome;
use super::progress::{RowWaiting, Waiting, WaitingFor, WaitingRows};
use super::rate_controller::ProviderOutcome;
use super::retry_queue::StartedRow;
use keyferry_store::Timestamp;

/// The wait when only running rows can change anything.
const LONG: Duration = Duration::from_secs(3600);

impl AppWorker {
    /// Publishes why rows wait.
    pub(super) fn report_waits(&self, now: Instant) {
        let waiting = self.all_wait(now).or_else(|| self.some_wait(now));
        self.worker.job.progress.wait(&self.worker.slug, waiting);
    }

    /// Publishes why a single row waits.
    pub(super) fn report_row(&self, row: &StartedRow, until: Option<Instant>) {
        let waiting = RowWaiting {
            since: row.since,
            until: until.map(|until| ahead(until, Instant::now())),
            attempts: row.attempts,
            detail: row.outcome.as_ref().and_then(Outcome::shown_detail),
        };
        self.worker.job.progress.wait_row(row.number, Some(waiting));
    }

    fn all_wait(&self, now: Instant) -> Option<Waiting> {
        if let Some(Blocked { since, until, reason }) = &self.blocked {
            let (since, until, detail) = (*since, ahead(*until, now), reason.clone());
            return Some(Waiting { reason: WaitingFor::Server, since, until, detail, rows: WaitingRows::All });
        }
        let host = self.blocking_host.as_ref()?;
        let health = self.hosts.get(host)?;
        let until = match health.access(now) {
            Access::NotBefore(until) => until,
            Access::Free | Access::Probe | Access::Probed => now,
        };
        Some(Waiting {
            reason: reason(health.is_cause_a_limit),
            since: health.since,
            until: ahead(until, now),
            detail: health.cause.clone(),
            rows: WaitingRows::All,
        })
    }

    fn some_wait(&self, now: Instant) -> Option<Waiting> {
        let rows = WaitingRows::Some(u64::try_from(self.retries.len()).unwrap_or(u64::MAX));
        if let Some((until, row)) = self.retries.first() {
            let outcome = row.outcome.as_ref()?;
            let reason = reason(matches!(outcome.provider, ProviderOutcome::RateLimited(_)));
            let detail = outcome.shown_detail().unwrap_or_default();
            return Some(Waiting { reason, since: row.since, until: ahead(until, now), detail, rows });
        }
        let (until, health) = self
            .retries
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
        let (reason, since, detail) = (reason(health.is_cause_a_limit), health.since, health.cause.clone());
        Some(Waiting { reason, since, until: ahead(until, now), detail, rows })
    }

    /// When a row may be begun next, if no running row ends before.
    pub(super) fn wake(&self, now: Instant) -> Instant {
        if let Some(blocked) = &self.blocked {
            return blocked.until;
        }
        let patience = self.worker.importer.settings.patience;
        let hosts = self.blocking_host.iter().chain(self.retries.hosts()).filter_map(|host| self.hosts.get(host));
        let next = hosts.filter_map(|health| {
            let over = health.down_since().map(|since| since + patience).filter(|over| *over > now);
            match health.access(now) {
                Access::NotBefore(next) => Some(over.map_or(next, |over| over.min(next))),
                Access::Free | Access::Probe | Access::Probed => over,
            }
        });
        let verify = self.hosts.iter().filter(|(host, _)| self.verified.contains_key(*host));
        let verify = verify.filter_map(|(_, health)| health.verify_at());
        let first = self.retries.first().map(|(until, _)| until);
        next.chain(verify).chain(first).min().unwrap_or(now + LONG).max(now)
    }

    /// The reason to pause, if a host that rows need has been down for too long.
    pub(super) fn given_up(&self, now: Instant) -> Option<String> {
        let patience = self.worker.importer.settings.patience;
        let waited_for: Vec<_> = match &self.blocking_host {
            Some(host) => vec![host],
            None if self.queued.is_over() && self.retries.is_all_parked() => self.retries.hosts().collect(),
            None => return None,
        };
        let mut down = Vec::new();
        for host in waited_for {
            let health = self.hosts.get(host)?;
            down.push((health.down_since().filter(|since| now >= *since + patience)?, health));
        }
        let (since, health) = down.into_iter().min_by_key(|(since, _)| *since)?;
        let (slug, seconds) = (&self.worker.slug, now.duration_since(since).as_secs());
        let down = if seconds < 60 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
        Some(format!(
            "{slug} has been down for {down}, since {}: {}; rows that are not done are `queued` in the results, and `resume` \
             resumes them",
            health.since, health.cause
        ))
    }
}

/// The reason that goes with the detail of the same outcome.
fn reason(is_limit: bool) -> WaitingFor {
    if is_limit { WaitingFor::RateLimit } else { WaitingFor::Provider }
}

/// A time of the runtime's clock as one of the system's clock.
fn ahead(until: Instant, now: Instant) -> Timestamp {
    Timestamp::now().after(until.saturating_duration_since(now))
}
