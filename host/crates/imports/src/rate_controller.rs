//! [`RateController`]: how many rows of one app are under way at once. The number grows with each success, and is halved after a
//! 429. Whether a host is asked at all is decided in `host_health`.

use std::time::Duration;

use tokio::time::Instant;

/// Concurrent rows at first.
const FIRST: f64 = 4.0;
/// Refusals within this time count as one.
const ONCE: Duration = Duration::from_secs(5);

/// The outcome of an attempt, as far as it concerns the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProviderOutcome {
    /// The provider has responded, or was not needed.
    Fine,
    /// It responded with 429; the wait that it asks for, if any.
    RateLimited(Option<Duration>),
    /// There was no connection: the name does not resolve, nothing listens, the TLS handshake failed, or no grant allows the
    /// host. Where the credential names the host, that is the credential's fault.
    NotConnected,
    /// It responded with an error of its own, or not at all.
    Failing,
}

/// The concurrency of one app's rows.
#[derive(Debug)]
pub(super) struct RateController {
    most: f64,
    at_once: f64,
    slowed: Option<Instant>,
}

impl RateController {
    /// Creates a controller with this maximum of concurrent rows.
    pub(super) fn new(most: usize) -> Self {
        let most = f64::from(u32::try_from(most.max(1)).unwrap_or(u32::MAX));
        Self { most, at_once: FIRST.min(most), slowed: None }
    }

    /// How many rows may be under way.
    pub(super) fn room(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `most`")]
        let room = self.at_once as usize;
        room
    }

    /// Raises the limit after a success.
    pub(super) fn quicken(&mut self) {
        self.at_once = (self.at_once + 1.0 / self.at_once).min(self.most);
    }

    /// Halves the limit after a 429.
    pub(super) fn slow(&mut self, now: Instant) {
        if self.slowed.is_none_or(|slowed| now >= slowed + ONCE) {
            self.slowed = Some(now);
            self.at_once = (self.at_once / 2.0).max(1.0);
        }
    }

    /// Starts again from the first limit: a provider that was down may be weak.
    pub(super) fn start_over(&mut self) {
        self.at_once = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_are_under_way_while_all_goes_well_and_never_more_than_allowed() {
        let mut pace = RateController::new(8);
        assert_eq!(pace.room(), 4);
        (0..100).for_each(|_| pace.quicken());
        assert_eq!(pace.room(), 8);
        assert_eq!((RateController::new(2).room(), RateController::new(0).room()), (2, 1));
        pace.start_over();
        assert_eq!(pace.room(), 1);
    }

    #[test]
    fn of_many_refusals_the_first_one_halves_the_pace() {
        let (mut pace, now) = (RateController::new(8), Instant::now());
        (0..3).for_each(|_| pace.slow(now));
        assert_eq!(pace.room(), 2);
        (0..9).for_each(|round| pace.slow(now + ONCE * round));
        assert_eq!(pace.room(), 1);
    }
}
