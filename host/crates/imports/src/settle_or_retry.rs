//! Whether a row is settled or tried again after an attempt, and what the attempt says of its host.
//!
//! If the credential names the host and there is no connection to it, the credential is at fault. A host that is the same for all
//! credentials, or that has failed different rows of one tenant, counts as down, and its rows wait until it responds to one of
//! them. Rows that fail again after that are at fault themselves.

use std::sync::Arc;

use tokio::time::Instant;

use super::app_worker::{AppWorker, Attempt, Host};
use super::host_health::{FAILURES, HostHealth, LONGEST_REFUSAL, Search, refusal};
use super::outcome::{Blocked, Outcome, WAIT};
use super::rate_controller::ProviderOutcome;
use super::row_worker::{Pending, Worked};
use keyferry_sandbox::{Contact, Reached};
use keyferry_store::RowState;
use keyferry_telemetry::metrics;

/// Attempts at a row while its host is down or refuses it.
const MOST_ATTEMPTS: u32 = 50;
/// Hosts whose health is kept: each credential can name its own.
const MOST_HOSTS: usize = 4096;

impl AppWorker {
    pub(super) async fn row_ended(&mut self, mut pending: Pending, worked: Worked, attempt: Attempt, now: Instant) {
        match worked {
            Worked::Settled { state, contact } => {
                self.rate.quicken();
                self.count(state, now);
                if let Some(Contact { host, reached: Reached::Answered }) = contact {
                    if attempt.is_fresh {
                        self.fresh_failed = 0;
                        // Not all rows need the host that they wait for.
                        if let Some(bypassed) = self.blocking_host.take_if(|blocking| *blocking != host) {
                            self.bypassed_hosts.insert(bypassed);
                        }
                    }
                    self.host_responded(&host, attempt.began, now);
                    if state == RowState::Done && self.is_shared(&host) {
                        self.verified.insert(host, pending.input);
                    }
                }
            }
            Worked::Blocked(Blocked { wait, reason }) => {
                // The provider was not asked, or its response is lost.
                pending.row.attempts = pending.row.attempts.saturating_sub(1);
                self.block(wait, reason);
                self.wait(pending.row, now);
            }
            Worked::NotBegun => self.wait(pending.row, now),
            Worked::Retry(outcome) => self.settle_or_retry(pending, outcome, &attempt, now).await,
        }
    }

    /// Settles a row, or has it wait for another attempt, which can help.
    async fn settle_or_retry(&mut self, mut pending: Pending, outcome: Outcome, attempt: &Attempt, now: Instant) {
        let row = &mut pending.row;
        row.outcome = Some(outcome.clone());
        if attempt.is_last || row.attempts >= MOST_ATTEMPTS || self.retries.is_full() {
            return self.give_up(pending, outcome).await;
        }
        let Some(Contact { host, reached }) = outcome.contact.clone() else {
            // No host was asked, so there is none to wait for.
            return self.fail(pending, outcome, now, now).await;
        };
        let is_shared = self.is_shared(&host);
        match (outcome.provider, reached) {
            (ProviderOutcome::RateLimited(wait), _) => {
                self.rate.slow(now);
                let until = if is_shared {
                    let until = self.health(&host, &outcome).map(|health| health.refused(wait, now));
                    self.blocking_host = self
                        .hosts
                        .get(&host)
                        .filter(|health| health.is_refusing())
                        .map(|_| host)
                        .or(self.blocking_host.take());
                    until.unwrap_or(now + LONGEST_REFUSAL)
                } else {
                    now + refusal(wait)
                };
                self.wait(pending.row, until);
            }
            (_, Reached::Crowded(wait)) => {
                row.attempts = row.attempts.saturating_sub(1);
                self.wait(pending.row, now + wait);
            }
            // A host that was not asked would have failed this row like the others.
            (ProviderOutcome::NotConnected, _) if !is_shared => self.fail(pending, outcome, now, now).await,
            (_, Reached::HeldBack(wait)) if !is_shared => self.fail(pending, outcome, now + wait, now).await,
            (_, Reached::HeldBack(wait)) => {
                row.attempts = row.attempts.saturating_sub(1);
                let Some(health) = self.health(&host, &outcome) else { return self.wait(pending.row, now + wait) };
                health.held_back(wait, now);
                self.fell(&host, is_shared, attempt);
                self.park(pending.row, &host);
            }
            _ if row.is_own_fault => self.fail(pending, outcome, now, now).await,
            _ => {
                let (number, search) = (row.number, self.search(&host));
                let is_down = self.health(&host, &outcome).is_some_and(|health| health.failed(number, search, now));
                if is_down {
                    self.fell(&host, is_shared, attempt);
                    self.park(pending.row, &host);
                } else {
                    if is_shared && attempt.is_fresh {
                        self.fresh_failed += 1;
                    }
                    self.fail(pending, outcome, now, now).await;
                }
            }
        }
    }

    /// A host is down. Rows that are not begun wait for it, too, if it is one that all of them seem to need.
    fn fell(&mut self, host: &Host, is_shared: bool, attempt: &Attempt) {
        if !is_shared {
            return;
        }
        if attempt.is_fresh {
            self.fresh_failed += 1;
        }
        if self.blocking_host.is_none() && self.fresh_failed >= FAILURES && !self.bypassed_hosts.contains(host) {
            self.blocking_host = Some(Arc::clone(host));
        }
    }

    /// Counts a failure that is the row's own fault.
    async fn fail(&mut self, mut pending: Pending, outcome: Outcome, not_before: Instant, now: Instant) {
        match pending.row.fail(now) {
            Some(until) => self.wait(pending.row, until.max(not_before)),
            None => self.give_up(pending, outcome).await,
        }
    }

    /// Settles a row that was tried often enough. It can be tried again by `retry-failed`.
    async fn give_up(&mut self, pending: Pending, outcome: Outcome) {
        let now = Instant::now();
        match self.worker.settle(&pending, &outcome).await {
            Worked::Settled { state, .. } => self.count(state, now),
            Worked::Blocked(Blocked { wait, reason }) => {
                self.block(wait, reason);
                self.wait(pending.row, now);
            }
            Worked::Retry(_) | Worked::NotBegun => self.wait(pending.row, now),
        }
    }

    /// A host has responded to a row, with any status.
    pub(super) fn host_responded(&mut self, host: &Host, began: Instant, now: Instant) {
        let Some(health) = self.hosts.get_mut(host) else { return };
        let was_down = health.down_since();
        let was_held = was_down.is_some() || health.is_refusing();
        health.responded(began, now);
        if health.is_clean() {
            self.hosts.remove(host);
        }
        let is_held = self.hosts.get(host).is_some_and(|health| health.down_since().is_some() || health.is_refusing());
        if !was_held || is_held {
            return;
        }
        if was_down.is_some_and(|since| now >= since + WAIT) {
            self.rate.start_over();
        }
        self.retries.release(host, now);
        self.bypassed_hosts.remove(host);
        if self.blocking_host.as_ref() == Some(host) {
            (self.blocking_host, self.fresh_failed) = (None, 0);
        }
    }

    /// Whether a host is the same for all credentials. Any other host is named by a credential.
    pub(super) fn is_shared(&self, host: &str) -> bool {
        // Rows of an app that is not in service are settled without a request.
        let app = self.worker.importer.credentials.app(self.worker.slug.as_str());
        app.is_ok_and(|app| app.grants.names_host(host))
    }

    /// Whether credentials can be the cause of a host's failures, and there are other rows to try.
    pub(super) fn search(&self, host: &Host) -> Search {
        let is_doubtful = self.hosts.get(host).is_none_or(|health| health.is_connected && !health.is_certain);
        if is_doubtful && !self.queued.is_over() && self.is_shared(host) { Search::Others } else { Search::Nothing }
    }

    /// The health of a host; `None` if too many are kept.
    fn health(&mut self, host: &Host, outcome: &Outcome) -> Option<&mut HostHealth> {
        if self.hosts.len() >= MOST_HOSTS && !self.hosts.contains_key(host) {
            self.hosts.retain(|_, health| health.down_since().is_some() || health.is_refusing());
            if self.hosts.len() >= MOST_HOSTS {
                return None;
            }
        }
        let health = self.hosts.entry(Arc::clone(host)).or_default();
        health.note(outcome);
        Some(health)
    }

    fn count(&self, state: RowState, now: Instant) {
        metrics::import_row(state.as_str());
        self.worker.job.progress.settled(now);
        self.failures.settled(state);
    }
}
