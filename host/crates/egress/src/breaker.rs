//! A circuit breaker: after many failures to reach a host in a row, requests to it fail at once for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::error::ErrorKind;

/// Number of consecutive failures that open the breaker.
const FAILURES: u32 = 10;

/// Time for which the breaker stays open.
const PAUSE: Duration = Duration::from_secs(10);

/// The breaker of one host. It counts consecutive failures of all callers.
#[derive(Debug)]
pub(super) struct Breaker(State);

#[derive(Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        cause: Arc<Cause>,
    },
    /// The pause is over, and one request probes the host.
    HalfOpen {
        cause: Arc<Cause>,
    },
}

/// Why a host could not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// Kind of the failure, which decides the error's code.
    pub(super) kind: ErrorKind,
    /// Explanation for people, without a secret in it: requests of other callers get it, too.
    pub(super) message: String,
}

/// Result of a request, as far as it concerns the breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The host responded, with any status.
    Reached,
    /// The host could not be reached or did not respond.
    Failed(Cause),
    /// The request says nothing about the host.
    Unknown,
}

/// The error of a request that an open breaker holds back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// Time until the breaker lets a request through.
    pub(super) left: Duration,
    /// The failure that opened the breaker.
    pub(super) cause: Arc<Cause>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Whether a request may be sent. Each admitted request has to be followed by [`report`](Self::report).
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Open> {
        match &self.0 {
            State::Closed { .. } => Ok(()),
            State::Open { until, cause } if now < *until => Err(Open { left: *until - now, cause: Arc::clone(cause) }),
            State::Open { cause, .. } => {
                self.0 = State::HalfOpen { cause: Arc::clone(cause) };
                Ok(())
            }
            State::HalfOpen { cause } => Err(Open { left: Duration::from_secs(1), cause: Arc::clone(cause) }),
        }
    }

    /// Records the result of an admitted request.
    pub(super) fn report(&mut self, outcome: Outcome, now: Instant) {
        self.0 = match (&self.0, outcome) {
            (_, Outcome::Reached) => State::Closed { failures: 0 },
            (State::Closed { failures }, Outcome::Failed(_)) if failures + 1 < FAILURES => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. } | State::HalfOpen { .. }, Outcome::Failed(cause)) => {
                State::Open { until: now + PAUSE, cause: Arc::new(cause) }
            }
            // The next request becomes the probe.
            (State::HalfOpen { cause }, Outcome::Unknown) => State::Open { until: now, cause: Arc::clone(cause) },
            // Requests that were under way when it opened do not prolong the pause.
            (State::Open { .. } | State::Closed { .. }, _) => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Outcome {
        Outcome::Failed(Cause { kind: ErrorKind::Refused, message: "connect ECONNREFUSED a:443".to_owned() })
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.admit(now).unwrap();
            breaker.report(failed(), now);
        }
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 0..FAILURES - 1 {
                breaker.report(failed(), now);
            }
            breaker.report(Outcome::Unknown, now);
            breaker.report(Outcome::Reached, now);
        }
        assert_eq!(breaker.admit(now), Ok(()));
        let open = opened(now).admit(now).unwrap_err();
        assert_eq!(open.left, PAUSE);
        assert_eq!(
            (&open.cause.kind, open.cause.message.as_str()),
            (&ErrorKind::Refused, "connect ECONNREFUSED a:443")
        );
    }

    #[test]
    fn lets_one_request_through_after_the_pause() {
        let now = Instant::now();
        for (outcome, then) in [(Outcome::Reached, None), (failed(), Some(PAUSE)), (Outcome::Unknown, None)] {
            let mut breaker = opened(now);
            let later = now + PAUSE;
            assert!(breaker.admit(later - Duration::from_millis(1)).is_err());
            assert_eq!(breaker.admit(later), Ok(()));
            assert!(breaker.admit(later).is_err(), "the second waits");
            breaker.report(outcome.clone(), later);
            assert_eq!(breaker.admit(later).err().map(|open| open.left), then, "{outcome:?}");
        }
    }

    #[test]
    fn latecomers_do_not_prolong_the_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.report(failed(), now + PAUSE / 2);
        assert_eq!(breaker.admit(now + PAUSE), Ok(()));
    }
}
