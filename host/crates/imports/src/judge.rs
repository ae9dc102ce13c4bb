//! What becomes of a row that was worked on, and what it says of its host.
//!
//! A host that is made of the credential, and cannot be connected to, is that row's own fault. A host that is the same for all
//! credentials, or has failed different rows of the same tenant, counts as down, and its rows wait for it; until another row is
//! answered there, after which rows that fail again fail on their own account.

use std::sync::Arc;

use tokio::time::Instant;

use super::app_worker::{AppWorker, Host, Turn};
use super::health::{FAILURES, HostHealth, LONGEST_REFUSAL, Search, refusal};
use super::outcome::{Blocked, Outcome, WAIT};
use super::rate_controller::ProviderOutcome;
use super::work::{Pending, Worked};
use keyferry_sandbox::{Contact, Reached};
use keyferry_store::RowState;
use keyferry_telemetry::metrics;

/// How often a row is tried while its host is down or refuses it.
const MOST_ATTEMPTS: u32 = 50;
/// Hosts that are remembered at once, of which each can be a credential's own.
const MOST_HOSTS: usize = 4096;

impl AppWorker {
    pub(super) async fn row_ended(&mut self, mut pending: Pending, worked: Worked, turn: Turn, now: Instant) {
        match worked {
            Worked::Settled { state, contact } => {
                self.pace.quicken();
                self.count(state, now);
                if let Some(Contact { host, reached: Reached::Answered }) = contact {
                    if turn.is_fresh {
                        self.fresh_failed = 0;
                        // Not all rows need the host that they wait for.
                        if let Some(gate) = self.gate.take_if(|gate| *gate != host) {
                            self.beside.insert(gate);
                        }
                    }
                    self.host_answered(&host, turn.began, now);
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
            Worked::Open(outcome) => self.judge(pending, outcome, &turn, now).await,
        }
    }

    /// What becomes of a row for which trying again can help.
    async fn judge(&mut self, mut pending: Pending, outcome: Outcome, turn: &Turn, now: Instant) {
        let row = &mut pending.row;
        row.outcome = Some(outcome.clone());
        if turn.is_last || row.attempts >= MOST_ATTEMPTS || self.open.is_full() {
            return self.give_up(pending, outcome).await;
        }
        let Some(Contact { host, reached }) = outcome.contact.clone() else {
            // No host was asked, so that none can be waited for.
            return self.fail(pending, outcome, now, now).await;
        };
        let is_shared = self.is_shared(&host);
        match (outcome.went, reached) {
            (ProviderOutcome::TooFast(wait), _) => {
                self.pace.slow(now);
                let until = if is_shared {
                    let until = self.health(&host, &outcome).map(|health| health.refused(wait, now));
                    self.gate =
                        self.hosts.get(&host).filter(|health| health.is_refusing()).map(|_| host).or(self.gate.take());
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
            // Where it was not asked, it would have come to what the others came to.
            (ProviderOutcome::Unconnected, _) if !is_shared => self.fail(pending, outcome, now, now).await,
            (_, Reached::HeldBack(wait)) if !is_shared => self.fail(pending, outcome, now + wait, now).await,
            (_, Reached::HeldBack(wait)) => {
                row.attempts = row.attempts.saturating_sub(1);
                let Some(health) = self.health(&host, &outcome) else { return self.wait(pending.row, now + wait) };
                health.held_back(wait, now);
                self.fell(&host, is_shared, turn);
                self.park(pending.row, &host);
            }
            _ if row.is_own_fault => self.fail(pending, outcome, now, now).await,
            _ => {
                let (number, search) = (row.number, self.search(&host));
                let is_down = self.health(&host, &outcome).is_some_and(|health| health.failed(number, search, now));
                if is_down {
                    self.fell(&host, is_shared, turn);
                    self.park(pending.row, &host);
                } else {
                    if is_shared && turn.is_fresh {
                        self.fresh_failed += 1;
                    }
                    self.fail(pending, outcome, now, now).await;
                }
            }
        }
    }

    /// A host is down. Rows that are not begun wait for it, too, if it is one that all of them seem to need.
    fn fell(&mut self, host: &Host, is_shared: bool, turn: &Turn) {
        if !is_shared {
            return;
        }
        if turn.is_fresh {
            self.fresh_failed += 1;
        }
        if self.gate.is_none() && self.fresh_failed >= FAILURES && !self.beside.contains(host) {
            self.gate = Some(Arc::clone(host));
        }
    }

    /// A row has failed on its own account.
    async fn fail(&mut self, mut pending: Pending, outcome: Outcome, not_before: Instant, now: Instant) {
        match pending.row.fail(now) {
            Some(until) => self.wait(pending.row, until.max(not_before)),
            None => self.give_up(pending, outcome).await,
        }
    }

    /// Settles a row that was tried often enough. It can be tried again by `retry-failed`.
    async fn give_up(&mut self, pending: Pending, outcome: Outcome) {
        let now = Instant::now();
        match self.bench.settle(&pending, &outcome).await {
            Worked::Settled { state, .. } => self.count(state, now),
            Worked::Blocked(Blocked { wait, reason }) => {
                self.block(wait, reason);
                self.wait(pending.row, now);
            }
            Worked::Open(_) | Worked::NotBegun => self.wait(pending.row, now),
        }
    }

    /// A host has answered a row, whatever it said.
    pub(super) fn host_answered(&mut self, host: &Host, began: Instant, now: Instant) {
        let Some(health) = self.hosts.get_mut(host) else { return };
        let was_down = health.down_since();
        let was_held = was_down.is_some() || health.is_refusing();
        health.answered(began, now);
        if health.is_clean() {
            self.hosts.remove(host);
        }
        let is_held = self.hosts.get(host).is_some_and(|health| health.down_since().is_some() || health.is_refusing());
        if !was_held || is_held {
            return;
        }
        if was_down.is_some_and(|since| now >= since + WAIT) {
            self.pace.start_over();
        }
        self.open.release(host, now);
        self.beside.remove(host);
        if self.gate.as_ref() == Some(host) {
            (self.gate, self.fresh_failed) = (None, 0);
        }
    }

    /// Whether a host is the same for all credentials. Any other one is what a credential says.
    pub(super) fn is_shared(&self, host: &str) -> bool {
        // Rows of an app that is not in service are settled without a request.
        let app = self.bench.importer.credentials.app(self.bench.slug.as_str());
        app.is_ok_and(|app| app.grants.names_host(host))
    }

    /// Whether credentials can be why a host fails rows, and others are there that it may answer.
    pub(super) fn search(&self, host: &Host) -> Search {
        let is_doubtful = self.hosts.get(host).is_none_or(|health| health.is_connected && !health.is_certain);
        if is_doubtful && !self.fresh.is_over() && self.is_shared(host) { Search::Others } else { Search::Nothing }
    }

    /// What is known of a host; `None` where too many are remembered.
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
        self.bench.job.progress.settled(now);
        self.tally.settled(state);
    }
}
