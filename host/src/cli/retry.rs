//! [`RetryBudget`]: the time for which a command repeats a request while the server is busy.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::term;
use keyferry_types::retry_after;

/// The shortest and the longest wait between two attempts, whatever the server asks for.
const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The longest total wait for one response.
const TOTAL: Duration = Duration::from_secs(10 * 60);

/// The time that is left for waiting.
#[derive(Debug)]
pub(super) struct RetryBudget {
    left: Duration,
}

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self { left: TOTAL }
    }

    /// The wait that a response asks for, taken from the budget. `None` if it asks for none, or the budget is used up.
    pub(super) fn next(&mut self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let wait = self.take(asked_wait(status, headers, jiff::Timestamp::now())?);
        if wait.is_none() {
            let minutes = TOTAL.as_secs() / 60;
            term::warning(&format!("the server has been busy for {minutes} min, and is not waited for any longer"));
        }
        wait
    }

    /// Waits as long as a response asks for. `false` if it does not ask for a wait, or the budget is used up.
    pub(super) async fn wait(&mut self, status: StatusCode, headers: &HeaderMap) -> bool {
        let Some(wait) = self.next(status, headers) else { return false };
        term::progress(&format!("the server is busy ({status}): trying again in {} s", wait.as_secs_f64().ceil()));
        tokio::time::sleep(wait).await;
        true
    }

    /// Takes the next wait from the budget; `None` if it is used up.
    fn take(&mut self, asked: Duration) -> Option<Duration> {
        let wait = asked.clamp(MIN_WAIT, MAX_WAIT).min(self.left);
        self.left -= wait;
        (!wait.is_zero()).then_some(wait)
    }
}

/// The wait in `Retry-After`, which is in seconds or a date; `None` if the response does not ask to wait.
fn asked_wait(status: StatusCode, headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let now_ms = u64::try_from(now.as_millisecond()).ok()?;
    let seconds = retry_after::seconds(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now_ms)?;
    Some(Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_named_in_seconds_or_by_a_date_and_only_where_waiting_helps() {
        let now: jiff::Timestamp = "2026-11-29T22:00:00Z".parse().unwrap();
        for (status, text, wait) in [
            (503, "7", Some(7.0)),
            (429, " 7 ", Some(7.0)),
            (503, "0", Some(0.0)),
            (503, "1.5", Some(2.0)),
            (503, "\"7\"", Some(7.0)),
            (503, "7s", Some(7.0)),
            (503, "86400", Some(86400.0)),
            (503, "Sun, 29 Nov 2026 22:00:09 GMT", Some(9.0)),
            (503, "Sun, 29 Nov 2026 21:00:00 GMT", Some(0.0)),
            (503, "Sunday, 29-Nov-26 22:00:09 GMT", Some(9.0)),
            (503, "2026-11-29T22:00:09Z", Some(9.0)),
            (503, "-1", None),
            (503, "NaN", None),
            (503, "inf", None),
            (503, "soon", None),
            (503, "", None),
            (200, "7", None),
            (500, "7", None),
            (413, "7", None),
        ] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            let named = asked_wait(StatusCode::from_u16(status).unwrap(), &headers, now);
            assert_eq!(named.map(|wait| wait.as_secs_f64()), wait, "{status} {text:?}");
        }
        assert_eq!(asked_wait(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), now), None);
    }

    #[test]
    fn a_server_that_stays_busy_is_not_waited_for_without_end() {
        for (asked, waits) in [(3600, 10), (0, 600), (60, 10), (7, 86)] {
            let mut budget = RetryBudget::new();
            let taken: Vec<_> = std::iter::from_fn(|| budget.take(Duration::from_secs(asked))).collect();
            assert_eq!((taken.len(), taken.iter().sum()), (waits, TOTAL), "{asked} s");
        }
    }
}
