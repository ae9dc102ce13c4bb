//! A circuit breaker: after many failures to reach a host in a row, requests to it fail at once for a while.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open the breaker.
const FAILURES: u32 = 10;

/// How long it stays open.
const PAUSE: Duration = Duration::from_secs(10);

/// The breaker of one host.
#[derive(Debug)]
pub(super) struct Breaker(State);

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// The pause is over, and one request is on its way to see whether the host is back.
    HalfOpen,
}

/// How a request went, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The host answered, whatever it said.
    Reached,
    /// It could not be reached or did not answer.
    Failed,
    /// The request says nothing about the host.
    Unknown,
}

/// The breaker is open for so long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open(pub(super) Duration);

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Whether a request may go. Each one that may has to be followed by [`report`](Self::report).
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Open> {
        match self.0 {
            State::Closed { .. } => Ok(()),
            State::Open { until } if now < until => Err(Open(until - now)),
            State::Open { .. } => {
                self.0 = State::HalfOpen;
                Ok(())
            }
            State::HalfOpen => Err(Open(Duration::from_secs(1))),
        }
    }

    /// Tells how a request went that was let through.
    pub(super) fn report(&mut self, outcome: Outcome, now: Instant) {
        self.0 = match (&self.0, outcome) {
            (_, Outcome::Reached) => State::Closed { failures: 0 },
            (State::Closed { failures }, Outcome::Failed) if failures + 1 < FAILURES => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. } | State::HalfOpen, Outcome::Failed) => State::Open { until: now + PAUSE },
            // The next request is the one to find out.
            (State::HalfOpen, Outcome::Unknown) => State::Open { until: now },
            // Requests that were under way when it opened do not prolong the pause.
            (State::Open { .. } | State::Closed { .. }, _) => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.admit(now).unwrap();
            breaker.report(Outcome::Failed, now);
        }
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 0..FAILURES - 1 {
                breaker.report(Outcome::Failed, now);
            }
            breaker.report(Outcome::Unknown, now);
            breaker.report(Outcome::Reached, now);
        }
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(opened(now).admit(now), Err(Open(PAUSE)));
    }

    #[test]
    fn lets_one_request_through_after_the_pause() {
        let now = Instant::now();
        for (outcome, then) in
            [(Outcome::Reached, Ok(())), (Outcome::Failed, Err(Open(PAUSE))), (Outcome::Unknown, Ok(()))]
        {
            let mut breaker = opened(now);
            let later = now + PAUSE;
            assert!(breaker.admit(later - Duration::from_millis(1)).is_err());
            assert_eq!(breaker.admit(later), Ok(()));
            assert!(breaker.admit(later).is_err(), "the second waits");
            breaker.report(outcome, later);
            assert_eq!(breaker.admit(later), then, "{outcome:?}");
        }
    }

    #[test]
    fn latecomers_do_not_prolong_the_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.report(Outcome::Failed, now + PAUSE / 2);
        assert_eq!(breaker.admit(now + PAUSE), Ok(()));
    }
}
