//! How much one API key may ask for, and how much of that is left.
//!
//! The front ends of one linked account count together, as one key more: otherwise a browser could use up what the
//! organisation's back end needs, or get more by opening session after session.
//!
//! Two measures, both per key: all its requests, where the operator limits them, and the credentials that providers turn away,
//! always. The second one keeps a stolen list of credentials from being tried out through this server, and a provider from
//! blocking its address. What is left of them stands in the answers, in the fields of draft-ietf-httpapi-ratelimit-headers-10.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::Response;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderName, HeaderValue};

use super::failure::Failure;
use super::kind;
use crate::plugins::FailureKind;

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

/// What one API key is held to.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits {
    /// All its requests. Without, callers are bounded by connections and plugin slots alone.
    pub requests: Option<RateLimit>,
    /// Credentials a minute that providers turn away.
    pub failed_verifications: NonZeroU32,
}

impl RateLimits {
    /// A wave of stale credentials in an honest migration goes through; trying out a list does not.
    pub const FAILED_VERIFICATIONS: NonZeroU32 = match NonZeroU32::new(300) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    };
}

type Key = [u8; 32];
type Buckets = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// The measures of all keys. They live as long as the process.
pub(super) struct Rates {
    requests: Option<Measure>,
    failures: Measure,
    /// Until when a key's credentials are not tried any more: a bucket cannot be looked into without taking from it.
    closed: Mutex<HashMap<Key, Instant>>,
}

struct Measure {
    policy: Policy,
    buckets: Buckets,
    clock: DefaultClock,
}

/// `"requests";q=40;w=2`: 40 at once, all of them back after 2 seconds.
#[derive(Debug, Clone, Copy)]
struct Policy {
    name: &'static str,
    quota: Quota,
}

/// What is left of a policy.
#[derive(Debug, Clone, Copy)]
struct Left {
    policy: Policy,
    remaining: u32,
}

tokio::task_local! {
    /// What the request under way has been counted against.
    static COUNTED: RefCell<Vec<Left>>;
}

/// Adds to an answer what is left of the measures that its request was counted against.
pub(super) async fn layer<F: Future<Output = Response>>(request: Request, next: impl FnOnce(Request) -> F) -> Response {
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
    pub(super) fn new(limits: RateLimits) -> Self {
        let requests = limits.requests.map(|limit| {
            let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
            Measure::new(Policy { name: "requests", quota })
        });
        let quota = Quota::per_minute(limits.failed_verifications);
        let failures = Measure::new(Policy { name: "failed-verifications", quota });
        Self { requests, failures, closed: Mutex::default() }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 where there are too many.
    pub(super) fn request(&self, key: &Key) -> Result<(), Failure> {
        let Some(requests) = &self.requests else { return Ok(()) };
        requests.take(key).map(|_| ()).map_err(|wait| {
            let message = "too many requests with this API key, or from front ends of this linked account; slow down and try again after Retry-After seconds";
            Failure::new(&kind::TOO_MANY_REQUESTS, message).retry_after(Some(wait))
        })
    }

    /// Whether a credential may be tried.
    ///
    /// # Errors
    /// 429 where providers have turned too many away.
    pub(super) fn attempt(&self, key: &Key) -> Result<(), Failure> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = closed.get(key) else { return Ok(()) };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            closed.remove(key);
            return Ok(());
        }
        self.failures.note(0);
        let message = format!(
            "providers have turned away {} credentials of this API key, or of this linked account's front ends, within a minute, and no more are tried for now; \
             correct them, and go on after Retry-After seconds",
            self.failures.policy.quota.burst_size()
        );
        Err(Failure::new(&kind::TOO_MANY_FAILED, message).retry_after(Some(wait)))
    }

    /// Counts a credential that did not verify, where the provider has judged it.
    pub(super) fn failed(&self, key: &Key, kind: &FailureKind) {
        match kind {
            FailureKind::Rejected(_)
            | FailureKind::InsufficientScope(_)
            | FailureKind::WrongTenant(_)
            | FailureKind::AccountSuspended => {}
            FailureKind::RateLimited(_)
            | FailureKind::Unreachable(_)
            | FailureKind::ProviderError(_)
            | FailureKind::UnexpectedAnswer
            | FailureKind::NotVerifiable => return,
        }
        let wait = match self.failures.take(key) {
            Ok(state) if state.remaining_burst_capacity() > 0 => return,
            Ok(state) => state.quota().replenish_interval(),
            Err(wait) => wait,
        };
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.insert(*key, Instant::now() + wait);
    }
}

impl Measure {
    fn new(policy: Policy) -> Self {
        let clock = DefaultClock::default();
        let buckets = RateLimiter::dashmap_with_clock(policy.quota, clock.clone()).with_middleware();
        Self { policy, buckets, clock }
    }

    /// Takes one. The error is how long to wait for the next.
    fn take(&self, key: &Key) -> Result<StateSnapshot, Duration> {
        let taken = self.buckets.check_key(key).map_err(|until| until.wait_time_from(self.clock.now()));
        self.note(taken.as_ref().map_or(0, StateSnapshot::remaining_burst_capacity));
        taken
    }

    /// For the answer of the request under way.
    fn note(&self, remaining: u32) {
        let left = Left { policy: self.policy, remaining };
        // Outside of a request nobody reads it.
        let _ = COUNTED.try_with(|counted| {
            let mut counted = counted.borrow_mut();
            counted.retain(|other| other.policy.name != left.policy.name);
            counted.push(left);
        });
    }
}

impl Policy {
    /// Seconds, rounded up, until that many are back.
    fn seconds(&self, number: u32) -> u64 {
        let time = self.quota.replenish_interval() * number;
        time.as_secs() + u64::from(time.subsec_nanos() > 0)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quota = self.quota.burst_size().get();
        write!(f, "\"{}\";q={quota};w={}", self.name, self.seconds(quota))
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.policy.quota.burst_size().get().saturating_sub(self.remaining);
        write!(f, "\"{}\";r={};t={}", self.policy.name, self.remaining, self.policy.seconds(missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn rates(failures: u32) -> Rates {
        let requests = Some(RateLimit { per_second: number(20), burst: number(40) });
        Rates::new(RateLimits { requests, failed_verifications: number(failures) })
    }

    #[tokio::test]
    async fn what_is_left_is_told_for_each_measure() {
        let rates = rates(2);
        let counted = COUNTED.scope(RefCell::default(), async {
            rates.request(&[1; 32]).unwrap();
            rates.request(&[1; 32]).unwrap();
            rates.failed(&[1; 32], &FailureKind::AccountSuspended);
            COUNTED.with(RefCell::take)
        });
        let shown: Vec<_> = counted.await.iter().map(|left| format!("{} | {left}", left.policy)).collect();
        let expected = [
            "\"requests\";q=40;w=2 | \"requests\";r=38;t=1",
            "\"failed-verifications\";q=2;w=60 | \"failed-verifications\";r=1;t=30",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn only_what_a_provider_has_judged_counts_and_only_against_its_key() {
        let (rates, mine, other) = (rates(2), [1; 32], [2; 32]);
        for harmless in [FailureKind::RateLimited(None), FailureKind::ProviderError(500), FailureKind::NotVerifiable] {
            (0..9).for_each(|_| rates.failed(&mine, &harmless));
        }
        rates.failed(&mine, &FailureKind::Rejected(Vec::new()));
        assert!(rates.attempt(&mine).is_ok());
        rates.failed(&mine, &FailureKind::InsufficientScope(Vec::new()));
        assert!(rates.attempt(&mine).is_err(), "two are all");
        assert!(rates.attempt(&other).is_ok());
    }
}
