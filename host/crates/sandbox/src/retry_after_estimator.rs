//! Estimates when a refused caller should try again, for `Retry-After`.
//!
//! A caller that tries again too soon is refused again, and each refusal costs time that could have served a call. The
//! estimate is the time that the calls that wait now, and those that were refused lately and will come again, are
//! likely to need, by the number of calls that ended lately.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

/// Length of the time in which calls are counted together.
const WINDOW: Duration = Duration::from_secs(1);
/// The shortest estimate, also used while no call has ended.
const SOON: Duration = Duration::from_secs(1);
/// The longest estimate: later the load may have changed.
const LATE: Duration = Duration::from_secs(30);

/// Counts of ended and refused calls of the last two windows.
#[derive(Debug)]
pub(super) struct RetryAfterEstimator(Mutex<Windows>);

/// Counts of the current window and of the one before.
#[derive(Debug)]
struct Windows {
    began: Instant,
    now: Counts,
    before: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    ended: u32,
    refused: u32,
}

impl RetryAfterEstimator {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Windows { began: Instant::now(), now: Counts::default(), before: Counts::default() }))
    }

    /// Counts a call that has ended.
    pub(super) fn ended(&self) {
        let mut windows = self.windows(Instant::now());
        windows.now.ended = windows.now.ended.saturating_add(1);
    }

    /// Counts a refused call while `waiting` calls wait, and returns the time after which it should be repeated, in
    /// whole seconds.
    pub(super) fn retry_after(&self, waiting: usize) -> Duration {
        self.retry_after_at(Instant::now(), waiting)
    }

    fn retry_after_at(&self, now: Instant, waiting: usize) -> Duration {
        let mut windows = self.windows(now);
        windows.now.refused = windows.now.refused.saturating_add(1);
        windows.estimate(now, waiting)
    }

    /// The counts, with the windows moved on to `now`.
    fn windows(&self, now: Instant) -> MutexGuard<'_, Windows> {
        let mut windows = self.0.lock();
        windows.roll(now);
        windows
    }
}

impl Windows {
    fn roll(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.began);
        if age < WINDOW {
            return;
        }
        // A window that ended long ago no longer counts.
        self.before = if age < WINDOW * 2 { self.now } else { Counts::default() };
        self.now = Counts::default();
        self.began = now;
    }

    fn estimate(&self, now: Instant, waiting: usize) -> Duration {
        let ended = f64::from(self.now.ended) + f64::from(self.before.ended);
        if ended < 1.0 {
            return SOON;
        }
        // In the first window there is no earlier one, and its own count is taken for a whole window.
        let seconds = match self.before.ended {
            0 => WINDOW.as_secs_f64(),
            _ => (WINDOW + now.saturating_duration_since(self.began)).as_secs_f64(),
        };
        let refused = self.now.refused.max(self.before.refused);
        let ahead = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)) + f64::from(refused);
        let wait = Duration::try_from_secs_f64((ahead * seconds / ended).ceil()).unwrap_or(LATE);
        wait.clamp(SOON, LATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows with those counts, half a window into the second one.
    fn after(before: Counts, now: Counts) -> (RetryAfterEstimator, Instant) {
        let began = Instant::now();
        (RetryAfterEstimator(Mutex::new(Windows { began, now, before })), began + WINDOW / 2)
    }

    #[test]
    fn who_is_turned_away_comes_again_when_those_before_are_likely_done() {
        let counts = |ended, refused| Counts { ended, refused };
        for (before, now, waiting, seconds) in [
            (counts(0, 0), counts(0, 0), 768, 1),
            // 300 a second, and those who wait take 2.6 s.
            (counts(300, 0), counts(150, 0), 768, 3),
            // Besides them, those who were turned away within a second.
            (counts(300, 1040), counts(150, 500), 768, 7),
            (counts(3000, 10), counts(1500, 5), 768, 1),
            (counts(1, 5000), counts(0, 2500), 768, 30),
            // The first second.
            (counts(0, 0), counts(100, 200), 100, 4),
        ] {
            let (estimator, at) = after(before, now);
            let wait = estimator.retry_after_at(at, waiting);
            assert_eq!(wait, Duration::from_secs(seconds), "{before:?} {now:?} {waiting}");
        }
    }

    #[test]
    fn what_is_long_over_does_not_count() {
        let (estimator, at) = after(Counts { ended: 1, refused: 0 }, Counts { ended: 1, refused: 1000 });
        assert_eq!(estimator.retry_after_at(at, 0), LATE);
        assert_eq!(estimator.retry_after_at(at + WINDOW * 3, 0), SOON);
    }
}
