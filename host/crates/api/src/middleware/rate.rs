//! The request limit of API keys, and the remainder of it and of the limit of rejected credentials.
//!
//! Requests of the front ends of one linked account count together, as one key more: otherwise a browser could use up what the
//! organisation's back end needs, or get more by opening session after session. Credentials that are turned away are counted
//! where they are verified, in the use cases; responses report the remainder of both limits in the fields of
//! draft-ietf-httpapi-ratelimit-headers-10.

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderName, HeaderValue};

use crate::error::api_error::ApiError;
use crate::error::problem;
use keyferry_service::LimitStatus;

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How many requests one API key may make.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    /// In the long run, per second.
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

type Key = [u8; 32];
type Buckets = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// The requests of all keys. They are counted as long as the process lives.
pub(crate) struct Rates {
    requests: Option<Measure>,
}

struct Measure {
    quota: Quota,
    buckets: Buckets,
    clock: DefaultClock,
}

/// `"requests";q=40;w=2`: 40 at once, all of them back after 2 seconds.
#[derive(Debug, Clone, Copy)]
struct Policy {
    name: &'static str,
    quota: u32,
    window: Duration,
}

/// What is left of a policy.
#[derive(Debug, Clone, Copy)]
struct Left {
    policy: Policy,
    remaining: u32,
    /// When all of it is back.
    whole_in: Duration,
}

tokio::task_local! {
    /// What the request under way has been counted against.
    static COUNTED: RefCell<Vec<Left>>;
}

/// Adds the remainder of the request's limits to the response.
pub(crate) async fn layer<F: Future<Output = Response>>(request: Request, next: impl FnOnce(Request) -> F) -> Response {
    let counted = async {
        let response = next(request).await;
        (response, COUNTED.with(RefCell::take))
    };
    let (mut response, counted) = COUNTED.scope(RefCell::default(), counted).await;
    let list = |shown: fn(&Left) -> String| counted.iter().map(shown).collect::<Vec<_>>().join(", ");
    if !counted.is_empty() {
        let fields =
            [(&RATE_LIMIT_POLICY, list(|left| left.policy.to_string())), (&RATE_LIMIT, list(ToString::to_string))];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name.clone(), value);
            }
        }
    }
    response
}

impl Rates {
    /// The limit of each key; without one, callers are bounded by connections and plugin slots alone.
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        let requests = limit.map(|limit| Measure::new(Quota::per_second(limit.per_second).allow_burst(limit.burst)));
        Self { requests }
    }

    /// Counts a request against the limits of its caller.
    ///
    /// # Errors
    /// `TOO_MANY_REQUESTS` if the limit is exceeded.
    pub(crate) fn request(&self, key: &Key) -> Result<(), ApiError> {
        let Some(requests) = &self.requests else { return Ok(()) };
        requests.take(key).map_err(|wait| {
            let message = "too many requests with this API key, or from front ends of this linked account; slow down and try again after Retry-After seconds";
            ApiError::new(&problem::TOO_MANY_REQUESTS, message).retry_after(Some(wait))
        })
    }
}

/// Notes the remainder of the limit of rejected credentials for the response of the current request.
pub(crate) fn note_rejections(left: LimitStatus) {
    let LimitStatus { limit, window, remaining, reset_after } = left;
    let policy = Policy { name: "failed-verifications", quota: limit.get(), window };
    note(Left { policy, remaining, whole_in: reset_after });
}

impl Measure {
    fn new(quota: Quota) -> Self {
        let clock = DefaultClock::default();
        let buckets = RateLimiter::dashmap_with_clock(quota, clock.clone()).with_middleware();
        Self { quota, buckets, clock }
    }

    /// Takes one. The error is how long to wait for the next.
    fn take(&self, key: &Key) -> Result<(), Duration> {
        let taken = self.buckets.check_key(key).map_err(|until| until.wait_time_from(self.clock.now()));
        let remaining = taken.as_ref().map_or(0, StateSnapshot::remaining_burst_capacity);
        let (quota, each) = (self.quota.burst_size().get(), self.quota.replenish_interval());
        let policy = Policy { name: "requests", quota, window: each * quota };
        note(Left { policy, remaining, whole_in: each * quota.saturating_sub(remaining) });
        taken.map(|_| ())
    }
}

/// Stores the remainder for the response of the current request.
fn note(left: Left) {
    // Outside of a request it is not read.
    let _ = COUNTED.try_with(|counted| {
        let mut counted = counted.borrow_mut();
        counted.retain(|other| other.policy.name != left.policy.name);
        counted.push(left);
    });
}

/// Seconds of a duration, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\";q={};w={}", self.name, self.quota, seconds(self.window))
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\";r={};t={}", self.policy.name, self.remaining, seconds(self.whole_in))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[tokio::test]
    async fn what_is_left_is_told_for_each_measure() {
        let rates = Rates::new(Some(RateLimit { per_second: number(20), burst: number(40) }));
        let counted = COUNTED.scope(RefCell::default(), async {
            rates.request(&[1; 32]).unwrap();
            rates.request(&[1; 32]).unwrap();
            note_rejections(LimitStatus {
                limit: number(2),
                window: Duration::from_secs(60),
                remaining: 1,
                reset_after: Duration::from_millis(29_900),
            });
            COUNTED.with(RefCell::take)
        });
        let shown: Vec<_> = counted.await.iter().map(|left| format!("{} | {left}", left.policy)).collect();
        let expected = [
            "\"requests\";q=40;w=2 | \"requests\";r=38;t=1",
            "\"failed-verifications\";q=2;w=60 | \"failed-verifications\";r=1;t=30",
        ];
        assert_eq!(shown, expected);
    }
}
