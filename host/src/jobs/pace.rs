//! How fast one app's rows are worked on: as fast as its provider lets them.
//!
//! More at once while all goes well, half as many after a refusal for too many requests, and nothing until the moment that the
//! provider named. A provider that fails row after row is left alone, and then tried by one row at a time, less and less often.
//!
//! Where credentials name their own hosts, one tenant's refusal says nothing of the next one's: that row alone waits.

use std::time::Duration;

use tokio::time::Instant;

use super::progress::WaitingFor;
use crate::plugins::Reach;

/// Rows at once in the beginning.
const FIRST: f64 = 4.0;
/// So many different rows in a row have to fail until the provider counts as down: a single row can have a wrong host.
const FAILURES: usize = 5;
/// The same where each can have asked another host: one tenant with many accounts may have closed its shop.
const FAILURES_OF_TENANTS: usize = 40;
/// How long a provider that is down is left alone at first, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long it is waited where a provider refuses and does not say for how long, and at most where it does.
const REFUSED: Duration = Duration::from_secs(5);
const LONGEST_REFUSAL: Duration = Duration::from_secs(15 * 60);

/// How a row went, as far as the pace is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// The provider has answered, or was not needed.
    Well,
    /// It has refused, since there were too many requests; how long to wait, if it says so.
    TooFast(Option<Duration>),
    /// It could not be reached, or has failed.
    Down,
}

/// Why nothing is begun for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The provider has said when it takes requests again.
    RateLimited,
    /// It is down.
    Down,
}

/// The pace of one app.
#[derive(Debug)]
pub(super) struct Pace {
    reach: Reach,
    most: f64,
    at_once: f64,
    /// When a tenant's refusal has last slowed all of them down.
    slowed: Option<Instant>,
    /// The rows that failed since the last one that went well.
    failed: Vec<u64>,
    down: Option<Down>,
    hold: Option<(Hold, Instant)>,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    since: Instant,
    wait: Duration,
}

impl Pace {
    /// With so many rows at once at most.
    pub(super) fn new(most: usize, reach: Reach) -> Self {
        let most = f64::from(u32::try_from(most.max(1)).unwrap_or(u32::MAX));
        let at_once = FIRST.min(most);
        Self { reach, most, at_once, slowed: None, failed: Vec::new(), down: None, hold: None }
    }

    /// What a row waits for that waits for itself alone.
    pub(super) fn waits_alone_for(&self) -> WaitingFor {
        match self.reach {
            Reach::SameHosts => WaitingFor::Provider,
            Reach::HostsOfCredentials => WaitingFor::RateLimit,
        }
    }

    /// How many rows may be under way now.
    pub(super) fn room(&mut self, now: Instant) -> usize {
        if self.hold.is_some_and(|(_, until)| until <= now) {
            self.hold = None;
        }
        match (self.hold, self.down) {
            (Some(_), _) => 0,
            (None, Some(_)) => 1,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `most`")]
            (None, None) => self.at_once as usize,
        }
    }

    /// Until when nothing is begun, and why.
    pub(super) fn hold(&self) -> Option<(Hold, Instant)> {
        self.hold
    }

    /// Since when the provider has been down.
    pub(super) fn down_since(&self) -> Option<Instant> {
        self.down.map(|down| down.since)
    }

    /// A row has ended. Until when it has to wait, if that is for it alone.
    pub(super) fn ended(&mut self, number: u64, went: Went, now: Instant) -> Option<Instant> {
        match went {
            Went::Well => {
                self.failed.clear();
                self.down = None;
                self.at_once = (self.at_once + 1.0 / self.at_once).min(self.most);
            }
            Went::TooFast(wait) if self.reach == Reach::HostsOfCredentials => {
                if self.slowed.is_none_or(|slowed| now >= slowed + REFUSED) {
                    self.slowed = Some(now);
                    self.at_once = (self.at_once / 2.0).max(1.0);
                }
                return Some(now + refusal(wait));
            }
            Went::TooFast(wait) => {
                // Of many that are refused at once, the first has slowed all of them down.
                if self.hold.is_none() {
                    self.at_once = (self.at_once / 2.0).max(1.0);
                }
                let until = now + refusal(wait);
                if self.hold.is_none_or(|(_, held)| held < until) {
                    self.hold = Some((Hold::RateLimited, until));
                }
            }
            Went::Down => self.failed(number, now),
        }
        None
    }

    fn failed(&mut self, number: u64, now: Instant) {
        if let Some(down) = &mut self.down {
            if self.hold.is_none() {
                down.wait = (down.wait * 2).min(LONGEST_WAIT);
                self.hold = Some((Hold::Down, now + jittered(down.wait)));
            }
            return;
        }
        if !self.failed.contains(&number) {
            self.failed.push(number);
        }
        let most = match self.reach {
            Reach::SameHosts => FAILURES,
            Reach::HostsOfCredentials => FAILURES_OF_TENANTS,
        };
        if self.failed.len() >= most {
            self.down = Some(Down { since: now, wait: FIRST_WAIT });
            self.at_once = 1.0;
            self.hold = Some((Hold::Down, now + jittered(FIRST_WAIT)));
        }
    }
}

/// How long it is waited after a refusal.
fn refusal(named: Option<Duration>) -> Duration {
    jittered(named.unwrap_or(REFUSED).min(LONGEST_REFUSAL))
}

/// Up to a quarter longer, so that several who wait do not come back at the same moment.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 + fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn steady(most: usize) -> Pace {
        Pace::new(most, Reach::SameHosts)
    }

    #[test]
    fn more_are_under_way_while_all_goes_well_and_never_more_than_allowed() {
        let (mut pace, now) = (steady(8), Instant::now());
        assert_eq!(pace.room(now), 4);
        for number in 0..100 {
            pace.ended(number, Went::Well, now);
        }
        assert_eq!(pace.room(now), 8);
        assert_eq!(steady(2).room(now), 2);
        assert_eq!(steady(0).room(now), 1);
    }

    #[test]
    fn a_refusal_halves_the_pace_and_holds_it_until_the_moment_that_was_named() {
        let (mut pace, now) = (steady(8), Instant::now());
        for number in 0..3 {
            pace.ended(number, Went::TooFast(Some(SECOND * 10)), now);
        }
        assert_eq!(pace.room(now), 0);
        assert!(matches!(pace.hold(), Some((Hold::RateLimited, _))));
        assert_eq!(pace.room(now + SECOND * 9), 0);
        assert_eq!(pace.room(now + SECOND * 13), 2, "half of four, once for all three");
        pace.ended(4, Went::TooFast(Some(SECOND * 86_400)), now);
        assert!(pace.room(now + LONGEST_REFUSAL * 2) > 0, "a day is not waited");
    }

    #[test]
    fn only_different_rows_that_fail_make_a_provider_count_as_down() {
        let (mut pace, now) = (steady(8), Instant::now());
        for _ in 0..20 {
            pace.ended(7, Went::Down, now);
        }
        assert_eq!((pace.room(now), pace.down_since()), (4, None), "one row with a wrong host");
        for number in 0..4 {
            pace.ended(number, Went::Down, now);
        }
        assert_eq!((pace.room(now), pace.down_since()), (0, Some(now)));
    }

    #[test]
    fn a_tenants_refusal_holds_its_own_row_and_slows_the_others_once() {
        let (mut pace, now) = (Pace::new(8, Reach::HostsOfCredentials), Instant::now());
        for number in 0..3 {
            let until = pace.ended(number, Went::TooFast(Some(SECOND * 10)), now).unwrap();
            assert!(until >= now + SECOND * 10 && until <= now + SECOND * 13);
        }
        assert_eq!((pace.room(now), pace.hold()), (2, None), "half of four, once for all three");
        for number in 0..39 {
            pace.ended(number, Went::Down, now);
        }
        assert_eq!(pace.down_since(), None, "a tenant's many rows are no outage");
        pace.ended(39, Went::Down, now);
        assert_eq!((pace.room(now), pace.down_since()), (0, Some(now)));
    }

    #[test]
    fn a_provider_that_is_down_is_tried_by_one_row_at_a_time_and_less_and_less_often() {
        let (mut pace, mut now) = (steady(8), Instant::now());
        let began = now;
        for number in 0..5 {
            pace.ended(number, Went::Down, now);
        }
        let mut waits = Vec::new();
        for number in 5..15 {
            let (_, until) = pace.hold().unwrap();
            waits.push(until - now);
            now = until;
            assert_eq!(pace.room(now), 1);
            pace.ended(number, Went::Down, now);
        }
        assert!(waits[0] >= FIRST_WAIT && waits[3] > waits[0] * 4 && waits[9] >= LONGEST_WAIT, "{waits:?}");
        assert!(waits[9] <= LONGEST_WAIT * 5 / 4, "{waits:?}");
        assert_eq!(pace.down_since(), Some(began));
        now += LONGEST_WAIT * 2;
        assert_eq!(pace.room(now), 1);
        pace.ended(15, Went::Well, now);
        assert!(pace.room(now) >= 1 && pace.down_since().is_none());
    }
}
