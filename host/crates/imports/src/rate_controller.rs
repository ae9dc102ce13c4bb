//! [`RateController`]: how many of one app's rows are under way at once. More while all goes well, half as many after a refusal for too
//! many requests. Whether a host is asked at all is decided in `host_health`.

use std::time::Duration;

use tokio::time::Instant;

/// Rows at once in the beginning.
const FIRST: f64 = 4.0;
/// Refusals within this time slow the rows down once.
const ONCE: Duration = Duration::from_secs(5);

/// The outcome of an attempt, as far as it concerns the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProviderOutcome {
    /// The provider has responded, or was not needed.
    Fine,
    /// It has refused, since there were too many requests; how long to wait, if it says so.
    RateLimited(Option<Duration>),
    /// There was no connection: the name does not resolve, nothing listens, the TLS handshake failed, or no grant allows the
    /// host. Where the credential names the host, that is the credential's fault.
    NotConnected,
    /// It has failed, or has not responded.
    Failing,
}

/// The pace of one app.
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

    /// A row went well.
    pub(super) fn quicken(&mut self) {
        self.at_once = (self.at_once + 1.0 / self.at_once).min(self.most);
    }

    /// A row was refused, since there were too many requests.
    pub(super) fn slow(&mut self, now: Instant) {
        if self.slowed.is_none_or(|slowed| now >= slowed + ONCE) {
            self.slowed = Some(now);
            self.at_once = (self.at_once / 2.0).max(1.0);
        }
    }

    /// A provider that was down responds again, and may be weak.
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
