//! [`HostHealth`]: whether a host that rows are verified at responds at all, and when it is asked next if it does not.
//!
//! Only different rows that fail one after another make a host count as down: a few of them can each have a credential that
//! the provider cannot cope with. A host that is down is asked by one row at a time. As long as the credentials can be the
//! cause, other rows of the file are tried soon; otherwise the host is left alone for longer and longer.

use std::time::Duration;

use tokio::time::Instant;

use super::outcome::Outcome;
use super::rate_controller::ProviderOutcome;
use keyferry_sandbox::{Contact, Reached};
use keyferry_store::Timestamp;

/// Consecutive failures of different rows after which a host counts as down.
pub(super) const FAILURES: usize = 5;
/// The first and the longest pause between probes of a host that is down.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Delays of probes that look for rows to which the host responds: short at first; their number is the limit.
const SEARCH_WAIT: Duration = Duration::from_millis(250);
const LONGEST_SEARCH_WAIT: Duration = Duration::from_secs(2);
const SOON: u32 = 5;
const SEARCHED: u32 = 200;
/// The pause after a 429 without `Retry-After`, and the longest one with it.
const REFUSED: Duration = Duration::from_secs(5);
pub(super) const LONGEST_REFUSAL: Duration = Duration::from_secs(15 * 60);
/// After this time another credential is tried, even if the host named a later time: most limits are for one credential.
const ANOTHER: Duration = Duration::from_secs(30);
/// Consecutive refusals of different rows after which a host that limits each credential counts as busy.
const REFUSALS: u32 = 3;

/// The health of a host that has failed a row, or refused one.
#[derive(Debug)]
pub(super) struct HostHealth {
    /// The rows that failed since it last responded.
    failed: Vec<u64>,
    down: Option<Down>,
    /// Time of the last 429, and the end of the pause after it.
    refused_at: Option<Instant>,
    refused_until: Option<Instant>,
    /// Refusals since it last responded, and the latest moment that one of them named.
    refusals: u32,
    named: Option<Instant>,
    /// It has responded to one row while another one was still refused.
    limits_each: bool,
    /// Whether a probe is under way.
    is_probed: bool,
    /// Whether there was a connection when it failed.
    pub(super) is_connected: bool,
    /// Whether it also failed a row that was verified there before.
    pub(super) is_certain: bool,
    /// Since when rows fail there or are refused, and their last outcome, for people.
    pub(super) since: Timestamp,
    pub(super) cause: String,
    /// Whether that outcome is a refusal.
    pub(super) is_cause_a_limit: bool,
}

impl Default for HostHealth {
    fn default() -> Self {
        Self {
            failed: Vec::new(),
            down: None,
            refused_at: None,
            refused_until: None,
            refusals: 0,
            named: None,
            limits_each: false,
            is_probed: false,
            is_connected: false,
            is_certain: false,
            since: Timestamp::now(),
            cause: String::new(),
            is_cause_a_limit: false,
        }
    }
}

#[derive(Debug)]
struct Down {
    since: Instant,
    next: Instant,
    /// When a row is asked again that was verified there before.
    verify: Instant,
    wait: Duration,
    probes: u32,
    search: Search,
}

/// Whether credentials can be the cause of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// They can: rows with others are tried soon.
    Others,
    /// They cannot, or there are no other rows to try.
    Nothing,
}

/// Whether a host may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// By as many rows as the rate controller allows.
    Free,
    /// Probe the host by one row.
    Probe,
    /// No row may use the host before this time.
    NotBefore(Instant),
    /// No row may use the host until the running row has ended.
    Probed,
}

impl HostHealth {
    /// Stores the outcome of a row that failed there or was refused. If the host was not asked, the former outcome stays.
    pub(super) fn note(&mut self, outcome: &Outcome) {
        let is_held_back = matches!(outcome.contact, Some(Contact { reached: Reached::HeldBack(_), .. }));
        if is_held_back && !self.cause.is_empty() {
            return;
        }
        self.is_connected = outcome.provider != ProviderOutcome::NotConnected;
        self.is_cause_a_limit = matches!(outcome.provider, ProviderOutcome::RateLimited(_));
        self.cause = outcome.shown_detail().unwrap_or_default();
    }

    /// Whether it may be asked now.
    pub(super) fn access(&self, now: Instant) -> Access {
        let next = self.refused_until.max(self.down.as_ref().map(|down| down.next));
        match next {
            None => Access::Free,
            Some(_) if self.is_probed => Access::Probed,
            Some(next) if next > now => Access::NotBefore(next),
            Some(_) => Access::Probe,
        }
    }

    /// Since when it has been down.
    pub(super) fn down_since(&self) -> Option<Instant> {
        self.down.as_ref().map(|down| down.since)
    }

    /// Whether the host counts as down, and a formerly verified row could show that it is up.
    pub(super) fn is_doubtful(&self, now: Instant) -> bool {
        self.down.as_ref().is_some_and(|down| down.verify <= now)
    }

    /// When that row may be asked.
    pub(super) fn verify_at(&self) -> Option<Instant> {
        self.down.as_ref().map(|down| down.verify)
    }

    /// Whether the host responds with 429.
    pub(super) fn is_refusing(&self) -> bool {
        self.refused_until.is_some()
    }

    /// A probe begins.
    pub(super) fn begin_probe(&mut self) {
        self.is_probed = true;
    }

    /// A probe has ended. If the host is still down, the back-off to the next probe begins.
    pub(super) fn end_probe(&mut self, search: Search, now: Instant) {
        self.is_probed = false;
        if let Some(down) = &mut self.down {
            down.search = search;
            down.probes += 1;
            down.back_off(now);
        }
    }

    /// The host has responded, with any status, to a row that was begun at `began`.
    pub(super) fn responded(&mut self, began: Instant, now: Instant) {
        if self.refused_at.is_some_and(|at| began < at) {
            // A request from before the refusal says nothing about the limit now.
            (self.down, self.is_certain) = (None, false);
            self.failed.clear();
            return;
        }
        if self.named.is_some_and(|named| named > now) {
            self.limits_each = true;
        }
        let limits_each = self.limits_each;
        let named = self.named.filter(|named| *named > now);
        *self = Self { limits_each, named, ..Self::default() };
    }

    /// Whether the entry holds nothing worth keeping.
    pub(super) fn is_clean(&self) -> bool {
        self.failed.is_empty() && self.down.is_none() && self.refused_until.is_none() && !self.limits_each
    }

    /// Counts a failed row. Returns whether the host counts as down.
    pub(super) fn failed(&mut self, number: u64, search: Search, now: Instant) -> bool {
        if self.down.is_some() {
            return true;
        }
        if !self.failed.contains(&number) {
            self.failed.push(number);
        }
        if self.failed.len() >= FAILURES {
            self.go_down(search, Duration::ZERO, now);
        }
        self.down.is_some()
    }

    /// A row was not sent: the host has failed too many requests and is in its back-off.
    pub(super) fn held_back(&mut self, wait: Duration, now: Instant) {
        match &mut self.down {
            None => self.go_down(Search::Nothing, wait, now),
            Some(down) => {
                let next = now + wait;
                (down.next, down.verify) = (down.next.max(next), down.verify.max(next));
            }
        }
    }

    fn go_down(&mut self, search: Search, at_least: Duration, now: Instant) {
        let next = now + at_least;
        let mut down = Down { since: now, next, verify: next, wait: FIRST_WAIT / 2, probes: 0, search };
        down.back_off(now);
        self.down = Some(down);
    }

    /// Counts a refusal with 429. Returns when that row may be tried again.
    pub(super) fn refused(&mut self, wait: Option<Duration>, now: Instant) -> Instant {
        let named = wait.unwrap_or(REFUSED).min(LONGEST_REFUSAL);
        let until = now + jittered(named);
        self.named = self.named.max(Some(now + named));
        self.refused_at = Some(now);
        // Of many that are refused at once, the first one counts.
        if self.limits_each || self.refused_until.is_none_or(|held| held <= now) {
            self.refusals += 1;
        }
        if self.limits_each && self.refusals < REFUSALS {
            return until;
        }
        self.limits_each = false;
        let hold = if self.refusals > 1 { until } else { until.min(now + jittered(ANOTHER)) };
        self.refused_until = self.refused_until.max(Some(hold));
        until
    }
}

impl Down {
    fn back_off(&mut self, now: Instant) {
        let wait = if self.search == Search::Others && self.probes < SEARCHED {
            let further = self.probes.saturating_sub(SOON);
            (SEARCH_WAIT * 2_u32.saturating_pow(further)).min(LONGEST_SEARCH_WAIT)
        } else {
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
            self.wait
        };
        self.next = self.next.max(now + jittered(wait));
    }
}

/// The pause after a refusal.
pub(super) fn refusal(named: Option<Duration>) -> Duration {
    jittered(named.unwrap_or(REFUSED).min(LONGEST_REFUSAL))
}

/// Adds up to a quarter, so that waiting rows do not continue all at once.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn down(search: Search, now: Instant) -> HostHealth {
        let mut host = HostHealth::default();
        for number in 0..5 {
            host.failed(number, search, now);
        }
        host
    }

    /// The back-off before each of a number of failing probes.
    fn waits(host: &mut HostHealth, search: Search, mut now: Instant, count: usize) -> Vec<Duration> {
        let mut waits = Vec::new();
        for _ in 0..count {
            let Access::NotBefore(next) = host.access(now) else { panic!("{host:?}") };
            waits.push(next - now);
            now = next;
            assert_eq!(host.access(now), Access::Probe);
            host.begin_probe();
            assert_eq!(host.access(now), Access::Probed, "one at a time");
            host.end_probe(search, now);
        }
        waits
    }

    #[test]
    fn only_different_rows_that_fail_in_a_row_make_a_host_count_as_down() {
        let (mut host, now) = (HostHealth::default(), Instant::now());
        for _ in 0..20 {
            assert!(!host.failed(7, Search::Others, now));
        }
        assert_eq!(host.access(now), Access::Free, "one row with a bad credential");
        for number in 0..3 {
            assert!(!host.failed(number, Search::Others, now));
        }
        host.responded(now, now);
        for number in 0..4 {
            assert!(!host.failed(number, Search::Others, now), "since it last responded");
        }
        assert!(host.failed(4, Search::Others, now));
        assert_eq!(host.down_since(), Some(now));
        host.responded(now, now);
        assert!(host.is_clean() && host.access(now) == Access::Free);
    }

    #[test]
    fn a_host_that_is_down_is_tried_by_one_row_at_a_time_and_less_and_less_often() {
        let now = Instant::now();
        let mut host = down(Search::Nothing, now);
        let waits = waits(&mut host, Search::Nothing, now, 12);
        assert!(waits[0] >= FIRST_WAIT && waits[3] > waits[0] * 4 && waits[11] >= LONGEST_WAIT, "{waits:?}");
        assert!(waits[11] <= LONGEST_WAIT * 5 / 4, "{waits:?}");
        assert_eq!(host.down_since(), Some(now));
    }

    #[test]
    fn while_credentials_can_be_the_cause_other_rows_are_tried_soon_and_not_without_end() {
        let now = Instant::now();
        let mut host = down(Search::Others, now);
        let waits = waits(&mut host, Search::Others, now, 220);
        let first: Duration = waits[..6].iter().sum();
        assert!(first < SECOND * 3, "{first:?}");
        assert!(waits[100] >= LONGEST_SEARCH_WAIT && waits[100] < SECOND * 3, "{:?}", waits[100]);
        assert!(waits[219] >= LONGEST_WAIT, "{:?}", waits[219]);
    }

    #[test]
    fn a_host_that_is_left_alone_by_all_is_left_alone_by_rows_for_as_long() {
        let (mut host, now) = (HostHealth::default(), Instant::now());
        host.held_back(SECOND * 9, now);
        assert!(matches!(host.access(now + SECOND * 8), Access::NotBefore(_)));
        assert_eq!(host.access(now + SECOND * 10), Access::Probe);
    }

    #[test]
    fn a_refusal_holds_until_the_moment_that_was_named_and_of_many_at_once_the_first_one_counts() {
        let (mut host, now) = (HostHealth::default(), Instant::now());
        for _ in 0..4 {
            let until = host.refused(Some(SECOND * 10), now);
            assert!(until >= now + SECOND * 10 && until <= now + SECOND * 13);
        }
        host.responded(now - SECOND, now + SECOND);
        assert!(matches!(host.access(now + SECOND * 9), Access::NotBefore(_)), "that row was begun before");
        assert_eq!(host.access(now + SECOND * 13), Access::Probe, "one row finds out");
        host.responded(now + SECOND * 13, now + SECOND * 13);
        assert_eq!(host.access(now + SECOND * 13), Access::Free);
        assert!(host.refused(None, now) >= now + REFUSED);
    }

    #[test]
    fn after_half_a_minute_another_credential_finds_out_whether_the_refusal_was_for_one_alone() {
        let (mut host, now) = (HostHealth::default(), Instant::now());
        let until = host.refused(Some(SECOND * 3600), now);
        assert!(until >= now + LONGEST_REFUSAL && until <= now + LONGEST_REFUSAL * 5 / 4, "a day is not waited");
        assert!(matches!(host.access(now + SECOND * 29), Access::NotBefore(_)));
        let later = now + SECOND * 40;
        assert_eq!(host.access(later), Access::Probe);
        // It was for all.
        host.refused(Some(SECOND * 600), later);
        assert!(matches!(host.access(later + SECOND * 590), Access::NotBefore(_)));
    }

    #[test]
    fn a_host_that_limits_each_credential_keeps_only_those_waiting_that_it_refuses() {
        let (mut host, now) = (HostHealth::default(), Instant::now());
        host.refused(Some(SECOND * 600), now);
        host.responded(now + SECOND * 35, now + SECOND * 35);
        for minute in 1..5 {
            let then = now + SECOND * 60 * minute;
            assert!(host.refused(Some(SECOND * 600), then) >= then + SECOND * 600, "that row waits");
            assert_eq!(host.access(then), Access::Free, "and no other");
            host.responded(then + SECOND, then + SECOND);
        }
        let then = now + SECOND * 400;
        for _ in 0..3 {
            host.refused(Some(SECOND * 600), then);
        }
        assert!(matches!(host.access(then + SECOND), Access::NotBefore(_)), "all that it was asked for were refused");
    }
}
