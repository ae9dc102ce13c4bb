//! When a failed renewal is tried again.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(2);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The wait after this number of failures in a row: twice as long each time, with a quarter of jitter. A provider that names a wait gets at
/// least that.
pub(super) fn wait(failures: u32, asked_for: Option<Duration>) -> Duration {
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST);
    let jittered = doubled.mul_f64(fastrand::f64().mul_add(0.25, 1.0));
    asked_for.map_or(jittered, |asked_for| jittered.max(asked_for))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_bound() {
        for (failures, least) in [(1, 2), (2, 4), (3, 8), (10, 900), (40, 900), (u32::MAX, 900)] {
            let wait = wait(failures, None);
            let least = Duration::from_secs(least);
            assert!(least <= wait && wait <= least.mul_f64(1.25), "{failures}: {wait:?}");
        }
        assert_eq!(wait(1, Some(Duration::from_secs(60))), Duration::from_secs(60));
    }
}
