//! [`RejectionLimiter`]: permits for verifications.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bucket::{Bucket, Buckets, interval};
use super::status::{LimitReached, LimitStatus, Reached};
use super::subject::{CountedFor, Subject};
use keyferry_sandbox::{FailureKind, Verdict};

/// The limits of all API keys. They live as long as the process.
pub(crate) struct RejectionLimiter {
    per_key: NonZeroU32,
    buckets: Arc<Mutex<Buckets>>,
}

/// A permit for one verification. It is spent by a rejected credential, and returned on drop otherwise.
pub(crate) struct Permit {
    per_key: NonZeroU32,
    buckets: Arc<Mutex<Buckets>>,
    counted: CountedFor,
}

/// Why there is no permit.
enum Refusal {
    Reached(LimitReached),
    /// All permits are held: the error if none is returned in time.
    Held(LimitReached, tokio::sync::futures::OwnedNotified),
}

impl RejectionLimiter {
    /// The limit of each API key, credentials a minute.
    pub(crate) fn new(per_key: NonZeroU32) -> Self {
        Self { per_key, buckets: Arc::default() }
    }

    /// Takes a permit for one verification. If all are held, it waits for one, `patience` at most.
    pub(crate) async fn permit(&self, counted: CountedFor, patience: Duration) -> Result<Permit, LimitReached> {
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
        let now = Instant::now();
        let mut buckets = self.buckets.lock();
        for subject in counted.subjects() {
            let Some(bucket) = buckets.all.get(&subject) else { continue };
            if let Some(error) = bucket.reached(subject, subject.limit(self.per_key), now) {
                // The future sees every change from here on, and no change can happen before the lock is released.
                return Err(match error.why {
                    Reached::Spent => Refusal::Reached(error),
                    Reached::Held => Refusal::Held(error, Arc::clone(&bucket.changed).notified_owned()),
                });
            }
        }
        buckets.sweep(now);
        for subject in counted.subjects() {
            buckets.all.entry(subject).or_default().held += 1;
        }
        Ok(Permit { per_key: self.per_key, buckets: Arc::clone(&self.buckets), counted })
    }

    /// Whether all permits are spent, without taking one.
    pub(crate) fn check(&self, counted: CountedFor) -> Result<(), LimitReached> {
        let (now, buckets) = (Instant::now(), self.buckets.lock());
        for subject in counted.subjects() {
            let Some(bucket) = buckets.all.get(&subject) else { continue };
            match bucket.reached(subject, subject.limit(self.per_key), now) {
                Some(error) if error.why == Reached::Spent => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The state of the limit that is reached first.
    pub(crate) fn status(&self, counted: CountedFor) -> LimitStatus {
        let (now, buckets) = (Instant::now(), self.buckets.lock());
        let full = Bucket::default();
        let status =
            |subject: Subject| buckets.all.get(&subject).unwrap_or(&full).status(subject.limit(self.per_key), now);
        let tightest = counted.subjects().map(status).min_by_key(|status| status.remaining);
        tightest.unwrap_or_else(|| full.status(self.per_key, now))
    }
}

impl Permit {
    /// Spends the permit if the provider rejected the credential.
    pub(crate) fn settle(self, verdict: &Verdict) {
        let Verdict::Failed(failure) = verdict else { return };
        if !counts_as_rejected(&failure.kind) {
            return;
        }
        let now = Instant::now();
        let mut buckets = self.buckets.lock();
        for subject in self.counted.subjects() {
            let bucket = buckets.all.entry(subject).or_default();
            let from = bucket.reset_at.map_or(now, |at| at.max(now));
            bucket.reset_at = Some(from + interval(subject.limit(self.per_key)));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut buckets = self.buckets.lock();
        for subject in self.counted.subjects() {
            let Some(bucket) = buckets.all.get_mut(&subject) else { continue };
            bucket.held = bucket.held.saturating_sub(1);
            bucket.changed.notify_waiters();
            if bucket.held == 0 && bucket.reset_at.is_none() {
                buckets.all.remove(&subject);
            }
        }
    }
}

/// Whether a provider has judged a credential and refused it. Failures that say nothing about the credential are not counted.
pub fn counts_as_rejected(kind: &FailureKind) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_sandbox::{VerificationFailure, Verified};

    const KEY: CountedFor = CountedFor::ApiKey([1; 32]);
    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);

    fn limits(per_key: u32) -> RejectionLimiter {
        RejectionLimiter::new(NonZeroU32::new(per_key).unwrap())
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
    async fn tried(limits: &RejectionLimiter, counted: CountedFor, count: usize) -> usize {
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
        assert_eq!(limits.status(KEY).remaining, 2);
        assert!(limits.buckets.lock().all.is_empty(), "no bucket is kept of permits that were returned");
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
        assert_eq!(limits.status(front_end(2)).remaining, 0);
        assert_eq!(limits.status(front_end(3)).remaining, 5);
        assert_eq!(tried(&limits, front_end(3), 60).await + tried(&limits, front_end(4), 60).await, 5, "half for all");
        assert_eq!(limits.status(KEY).remaining, 10);
        assert_eq!(tried(&limits, KEY, 60).await, 10, "all together no more than the key's");
        let other = CountedFor::FrontEnd { account: [2; 32], key: [9; 32] };
        assert_eq!(tried(&limits, other, 60).await, 0, "the account's front ends are one, whichever key they have");
        assert_eq!(limits.status(CountedFor::ApiKey([9; 32])).remaining, 20);
    }

    #[tokio::test]
    async fn what_is_left_is_what_can_be_tried_now() {
        let limits = limits(3);
        let left = |expected: u32, seconds: u64| {
            let left = limits.status(KEY);
            assert_eq!((left.limit.get(), left.remaining), (3, expected));
            assert!(left.reset_after <= Duration::from_secs(seconds), "{left:?}");
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
            assert_eq!(counts_as_rejected(&kind), counts, "{kind:?}");
        }
    }
}
