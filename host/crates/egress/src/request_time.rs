//! [`RequestTime`]: when a request has to end, and what sets that limit.

use std::time::Duration;

use tokio::time::Instant;

use super::transport_error::format_duration;

/// Share of a call's remaining time that its last request may not use, or an eighth where that is less: after a timeout
/// a plugin still has to return its verdict. Without it, a provider that does not respond would look like a plugin that
/// does not end.
const VERDICT_RESERVE: Duration = Duration::from_millis(500);

/// The time that a request may take.
pub(super) struct RequestTime {
    /// When the request is given up.
    pub(super) end: Instant,
    allowed: Duration,
    bound: Bound,
}

/// The limit that a request's time follows from.
#[derive(PartialEq, Eq)]
enum Bound {
    Request,
    Call,
}

impl RequestTime {
    /// The time of a request that begins `now`: `request_time`, or what the call leaves if that is less.
    pub(super) fn new(now: Instant, request_time: Duration, call_end: Instant) -> Self {
        let left = call_end.saturating_duration_since(now);
        let left = left.saturating_sub(VERDICT_RESERVE.min(left / 8));
        if left < request_time {
            Self { end: now + left, allowed: left, bound: Bound::Call }
        } else {
            Self { end: now + request_time, allowed: request_time, bound: Bound::Request }
        }
    }

    /// Whether the call's end, not the limit of a request, bounds the time: a timeout then says nothing about the host.
    pub(super) fn is_cut_by_call(&self) -> bool {
        self.bound == Bound::Call
    }

    /// The allowed time, for messages.
    pub(super) fn in_words(&self) -> String {
        match self.bound {
            Bound::Request => format_duration(self.allowed),
            Bound::Call => format!("{}, all that was left of the call", format_duration(self.allowed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_of_a_call_ends_before_the_call() {
        let now = Instant::now();
        for (left, allowed, bound) in [
            (Duration::from_secs(60), Duration::from_secs(10), Bound::Request),
            (Duration::from_secs(10), Duration::from_millis(9500), Bound::Call),
            (Duration::from_secs(1), Duration::from_millis(875), Bound::Call),
            (Duration::ZERO, Duration::ZERO, Bound::Call),
        ] {
            let time = RequestTime::new(now, Duration::from_secs(10), now + left);
            assert_eq!((time.allowed, time.end), (allowed, now + allowed));
            assert!(time.bound == bound);
        }
    }
}
