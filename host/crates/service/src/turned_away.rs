//! The limit of credentials that providers may reject within a minute. The limit keeps a stolen list of credentials from being
//! tried out through this server, and a provider from blocking its address.
//!
//! A verification takes a permit before the provider is asked. The permit is spent where the provider turns the credential away,
//! and given back in every other case: a working credential, an outage, a failed plugin, a cancelled call. So no more credentials
//! are turned away than the limit says, however many are tried at once. A verification that finds all permits held waits until
//! those before it have ended; one that finds all of them spent is refused.
//!
//! Each API key has a limit, whatever it is used for: requests of a back end, imports, front ends by their sessions. Front ends
//! of one linked account can use a quarter of it, and all front ends of a key together half of it: a browser cannot use up what
//! the organisation's back end needs, and opening sessions for many accounts does not multiply the limit.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use keyferry_sandbox::{FailureKind, Verdict};

/// The time in which all of a limit comes back.
const WINDOW: Duration = Duration::from_secs(60);
/// Buckets that are kept before those are looked for that are full again.
const FIRST_SWEEP: usize = 1024;

/// The API key that a verification counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedFor {
    /// For an API key, by its hash.
    ApiKey([u8; 32]),
    /// For the front ends of a linked account.
    FrontEnd {
        /// A digest that names the linked account.
        account: [u8; 32],
        /// Hash of the API key that the session was made with.
        key: [u8; 32],
    },
}

impl CountedFor {
    /// Hash of the API key, in either case.
    pub fn api_key(&self) -> [u8; 32] {
        match self {
            Self::ApiKey(key) | Self::FrontEnd { key, .. } => *key,
        }
    }

    /// What is counted, the narrowest first.
    fn subjects(self) -> Vec<Subject> {
        match self {
            Self::ApiKey(key) => vec![Subject::Key(key)],
            Self::FrontEnd { account, key } => {
                vec![Subject::FrontEndsOfAccount(account), Subject::FrontEndsOfKey(key), Subject::Key(key)]
            }
        }
    }
}

/// What has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    Key([u8; 32]),
    FrontEndsOfKey([u8; 32]),
    FrontEndsOfAccount([u8; 32]),
}

impl Subject {
    /// Its share of a key's limit, at least one.
    fn limit(self, of_key: NonZeroU32) -> NonZeroU32 {
        let share = match self {
            Self::Key(_) => of_key.get(),
            Self::FrontEndsOfKey(_) => of_key.get() / 2,
            Self::FrontEndsOfAccount(_) => of_key.get() / 4,
        };
        NonZeroU32::new(share).unwrap_or(NonZeroU32::MIN)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Key(_) => "of this API key",
            Self::FrontEndsOfKey(_) => "of this API key's front ends",
            Self::FrontEndsOfAccount(_) => "of this linked account's front ends",
        }
    }
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Credentials that may be rejected within [`window`](Self::window).
    pub limit: NonZeroU32,
    /// The time in which all of them come back.
    pub window: Duration,
    /// Credentials that may be tried now.
    pub remaining: u32,
    /// When all of those that are spent are back.
    pub whole_in: Duration,
}

/// No credential may be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached {
    limit: NonZeroU32,
    of: &'static str,
    why: Reached,
    /// The time until the next permit.
    pub wait: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Providers have turned as many credentials away as the limit says.
    Spent,
    /// The permits are held by running verifications, each of which could be rejected.
    Held,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, of, why, .. } = self;
        match why {
            Reached::Spent => write!(
                f,
                "providers have turned away {limit} credentials {of} within a minute, and no more are tried for now"
            ),
            Reached::Held => write!(
                f,
                "providers may turn away {limit} credentials {of} a minute, and those that are being verified now could be as many"
            ),
        }
    }
}

/// The limits of all API keys. They live as long as the process.
pub(super) struct TurnedAway {
    per_key: NonZeroU32,
    buckets: Arc<Mutex<Buckets>>,
}

struct Buckets {
    all: HashMap<Subject, Bucket>,
    next_sweep: usize,
}

/// One limit. What is spent comes back evenly over the window.
#[derive(Default)]
struct Bucket {
    /// When all that is spent is back.
    whole_at: Option<Instant>,
    /// The number of permits in use.
    held: u32,
    /// Notified when a permit is spent or returned.
    changed: Arc<Notify>,
}

impl Bucket {
    fn whole_in(&self, now: Instant) -> Duration {
        self.whole_at.map(|at| at.saturating_duration_since(now)).unwrap_or_default()
    }

    /// Permits that are neither spent nor held.
    fn free(&self, limit: NonZeroU32, now: Instant) -> u32 {
        let each = interval(limit);
        let unspent = (each * limit.get()).saturating_sub(self.whole_in(now)).as_nanos() / each.as_nanos().max(1);
        u32::try_from(unspent).unwrap_or(u32::MAX).saturating_sub(self.held)
    }

    fn left(&self, limit: NonZeroU32, now: Instant) -> Left {
        Left { limit, window: WINDOW, remaining: self.free(limit, now), whole_in: self.whole_in(now) }
    }
}

/// The time in which one permit comes back.
fn interval(limit: NonZeroU32) -> Duration {
    WINDOW / limit.get()
}

/// A permit for one verification. It is spent by a rejected credential, and returned on drop otherwise.
pub(super) struct Permit {
    per_key: NonZeroU32,
    buckets: Arc<Mutex<Buckets>>,
    subjects: Vec<Subject>,
}

/// Why there is no permit.
enum Refusal {
    Reached(LimitReached),
    /// All are held; the error if that does not change in time.
    Held(LimitReached, tokio::sync::futures::OwnedNotified),
}

impl TurnedAway {
    /// The limit of each API key, credentials a minute.
    pub(super) fn new(per_key: NonZeroU32) -> Self {
        let buckets = Buckets { all: HashMap::new(), next_sweep: FIRST_SWEEP };
        Self { per_key, buckets: Arc::new(Mutex::new(buckets)) }
    }

    /// A permit for one verification. Where all are held, it is waited for them that long.
    pub(super) async fn permit(&self, counted: CountedFor, patience: Duration) -> Result<Permit, LimitReached> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let (error, changed) = match self.try_permit(counted) {
                Ok(permit) => return Ok(permit),
                Err(Refusal::Reached(error)) => return Err(error),
                Err(Refusal::Held(error, changed)) => (error, changed),
            };
            tokio::time::timeout_at(deadline, changed).await.map_err(|_| error)?;
        }
    }

    fn try_permit(&self, counted: CountedFor) -> Result<Permit, Refusal> {
        let (now, subjects) = (Instant::now(), counted.subjects());
        let mut buckets = lock(&self.buckets);
        for subject in &subjects {
            let Some(bucket) = buckets.all.get(subject) else { continue };
            if let Some(error) = reached(*subject, subject.limit(self.per_key), bucket, now) {
                // The future sees every change from here on, and no change can happen before the lock is released.
                return Err(match error.why {
                    Reached::Spent => Refusal::Reached(error),
                    Reached::Held => Refusal::Held(error, Arc::clone(&bucket.changed).notified_owned()),
                });
            }
        }
        buckets.sweep(now);
        for subject in &subjects {
            buckets.all.entry(*subject).or_default().held += 1;
        }
        Ok(Permit { per_key: self.per_key, buckets: Arc::clone(&self.buckets), subjects })
    }

    /// Whether all permits are spent, without taking one.
    pub(super) fn check(&self, counted: CountedFor) -> Result<(), LimitReached> {
        let (now, buckets) = (Instant::now(), lock(&self.buckets));
        for subject in counted.subjects() {
            let Some(bucket) = buckets.all.get(&subject) else { continue };
            match reached(subject, subject.limit(self.per_key), bucket, now) {
                Some(error) if error.why == Reached::Spent => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// What is left of the limit that is reached first.
    pub(super) fn left(&self, counted: CountedFor) -> Left {
        let (now, buckets) = (Instant::now(), lock(&self.buckets));
        let full = Bucket::default();
        let left = |subject: Subject| buckets.all.get(&subject).unwrap_or(&full).left(subject.limit(self.per_key), now);
        let all = counted.subjects().into_iter().map(left).min_by_key(|left| left.remaining);
        all.unwrap_or_else(|| full.left(self.per_key, now))
    }
}

/// Why no permit of a bucket can be had, if none can.
fn reached(subject: Subject, limit: NonZeroU32, bucket: &Bucket, now: Instant) -> Option<LimitReached> {
    if bucket.free(limit, now) > 0 {
        return None;
    }
    let (each, of) = (interval(limit), subject.name());
    let back_in = bucket.whole_in(now).saturating_sub(each * (limit.get() - 1));
    Some(match bucket.held {
        0 => LimitReached { limit, of, why: Reached::Spent, wait: back_in },
        _ => LimitReached { limit, of, why: Reached::Held, wait: Duration::from_secs(1) },
    })
}

impl Buckets {
    /// Drops buckets that say nothing.
    fn sweep(&mut self, now: Instant) {
        if self.all.len() >= self.next_sweep {
            self.all.retain(|_, bucket| bucket.held > 0 || !bucket.whole_in(now).is_zero());
            self.next_sweep = self.all.len() * 2 + FIRST_SWEEP;
        }
    }
}

impl Permit {
    /// Spends the permit if the provider has turned the credential away.
    pub(super) fn settle(self, verdict: &Verdict) {
        let Verdict::Failed(failure) = verdict else { return };
        if !is_turned_away(&failure.kind) {
            return;
        }
        let now = Instant::now();
        let mut buckets = lock(&self.buckets);
        for subject in &self.subjects {
            let bucket = buckets.all.entry(*subject).or_default();
            let from = bucket.whole_at.map_or(now, |at| at.max(now));
            bucket.whole_at = Some(from + interval(subject.limit(self.per_key)));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut buckets = lock(&self.buckets);
        for subject in &self.subjects {
            let Some(bucket) = buckets.all.get_mut(subject) else { continue };
            bucket.held = bucket.held.saturating_sub(1);
            bucket.changed.notify_waiters();
            if bucket.held == 0 && bucket.whole_at.is_none() {
                buckets.all.remove(subject);
            }
        }
    }
}

/// Whether a provider has judged a credential and found it wanting. What says nothing of the credential is not counted.
pub fn is_turned_away(kind: &FailureKind) -> bool {
    match kind {
        FailureKind::Rejected(_)
        | FailureKind::InsufficientScope(_)
        | FailureKind::WrongTenant(_)
        | FailureKind::AccountSuspended => true,
        FailureKind::RateLimited(_)
        | FailureKind::Unreachable(_)
        | FailureKind::ProviderError(_)
        | FailureKind::UnexpectedAnswer
        | FailureKind::NotVerifiable => false,
    }
}

/// A panic elsewhere leaves figures as good as they were.
fn lock(buckets: &Mutex<Buckets>) -> MutexGuard<'_, Buckets> {
    buckets.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_sandbox::{VerificationFailure, Verified};

    const KEY: CountedFor = CountedFor::ApiKey([1; 32]);
    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);

    fn limits(per_key: u32) -> TurnedAway {
        TurnedAway::new(NonZeroU32::new(per_key).unwrap())
    }

    fn front_end(account: u8) -> CountedFor {
        CountedFor::FrontEnd { account: [account; 32], key: [1; 32] }
    }

    fn failed(kind: FailureKind) -> Verdict {
        Verdict::Failed(VerificationFailure { kind, detail: String::new(), contact: None })
    }

    fn rejected() -> Verdict {
        failed(FailureKind::Rejected(Vec::new()))
    }

    /// Tries credentials that are turned away, one after the other, and returns how many were tried.
    async fn tried(limits: &TurnedAway, counted: CountedFor, count: usize) -> usize {
        let mut tried = 0;
        for _ in 0..count {
            if let Ok(permit) = limits.permit(counted, SHORT).await {
                permit.settle(&rejected());
                tried += 1;
            }
        }
        tried
    }

    #[tokio::test]
    async fn of_many_at_once_no_more_are_tried_than_may_be_turned_away() {
        let limits = limits(20);
        let all = (0..60).map(|_| async {
            let permit = limits.permit(KEY, LONG).await?;
            tokio::task::yield_now().await;
            permit.settle(&rejected());
            Ok::<_, LimitReached>(())
        });
        let all = futures_util::future::join_all(all).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 20);
        let error = all.into_iter().find_map(Result::err).unwrap();
        assert!(error.wait > Duration::ZERO && error.wait <= Duration::from_secs(3), "{error:?}");
        assert!(error.to_string().contains("turned away 20 credentials of this API key"), "{error}");
        assert!(limits.permit(CountedFor::ApiKey([2; 32]), SHORT).await.is_ok(), "another key has its own");
    }

    #[tokio::test]
    async fn of_many_good_ones_at_once_all_are_tried_however_low_the_limit() {
        let limits = limits(2);
        let all = (0..60).map(|number| {
            let limits = &limits;
            async move {
                let permit = limits.permit(KEY, LONG).await?;
                tokio::task::yield_now().await;
                match number % 4 {
                    0 => permit.settle(&Verdict::Verified(Verified::default())),
                    1 => permit.settle(&failed(FailureKind::RateLimited(None))),
                    2 => permit.settle(&failed(FailureKind::ProviderError(500))),
                    // The call failed, or its caller is gone.
                    _ => drop(permit),
                }
                Ok::<_, LimitReached>(())
            }
        });
        assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(limits.left(KEY).remaining, 2);
        assert!(lock(&limits.buckets).all.is_empty(), "nothing is kept of what was given back");
    }

    #[tokio::test]
    async fn where_all_permits_are_held_one_is_waited_for_and_not_for_ever() {
        let limits = limits(1);
        let held = limits.permit(KEY, SHORT).await.ok().unwrap();
        let error = limits.permit(KEY, SHORT).await.err().unwrap();
        assert!(error.to_string().contains("being verified now"), "{error}");
        assert!(limits.check(KEY).is_ok(), "none is spent");
        let (waited, ()) = tokio::join!(limits.permit(KEY, LONG), async { drop(held) });
        waited.ok().unwrap().settle(&rejected());
        assert!(limits.check(KEY).is_err() && limits.permit(KEY, LONG).await.is_err(), "now it is");
    }

    #[tokio::test]
    async fn front_ends_count_for_their_account_and_their_key_and_leave_the_back_end_its_share() {
        let limits = limits(20);
        assert_eq!(tried(&limits, front_end(2), 60).await, 5, "a quarter for one account");
        assert_eq!(limits.left(front_end(2)).remaining, 0);
        assert_eq!(limits.left(front_end(3)).remaining, 5);
        assert_eq!(tried(&limits, front_end(3), 60).await + tried(&limits, front_end(4), 60).await, 5, "half for all");
        assert_eq!(limits.left(KEY).remaining, 10);
        assert_eq!(tried(&limits, KEY, 60).await, 10, "all together no more than the key's");
        let other = CountedFor::FrontEnd { account: [2; 32], key: [9; 32] };
        assert_eq!(tried(&limits, other, 60).await, 0, "the account's front ends are one, whichever key they have");
        assert_eq!(limits.left(CountedFor::ApiKey([9; 32])).remaining, 20);
    }

    #[tokio::test]
    async fn what_is_left_is_what_can_be_tried_now() {
        let limits = limits(3);
        let left = |expected: u32, seconds: u64| {
            let left = limits.left(KEY);
            assert_eq!((left.limit.get(), left.remaining), (3, expected));
            assert!(left.whole_in <= Duration::from_secs(seconds), "{left:?}");
        };
        left(3, 0);
        let permit = limits.permit(KEY, SHORT).await.ok().unwrap();
        left(2, 0);
        permit.settle(&failed(FailureKind::AccountSuspended));
        left(2, 20);
        assert_eq!(tried(&limits, KEY, 5).await, 2);
        left(0, 60);
        let wait = limits.check(KEY).unwrap_err().wait;
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
    }

    #[test]
    fn only_a_judgement_of_the_credential_counts() {
        for (kind, counts) in [
            (FailureKind::Rejected(Vec::new()), true),
            (FailureKind::InsufficientScope(Vec::new()), true),
            (FailureKind::WrongTenant(Vec::new()), true),
            (FailureKind::AccountSuspended, true),
            (FailureKind::RateLimited(Some(1)), false),
            (FailureKind::ProviderError(500), false),
            (FailureKind::UnexpectedAnswer, false),
            (FailureKind::NotVerifiable, false),
        ] {
            assert_eq!(is_turned_away(&kind), counts, "{kind:?}");
        }
    }
}
