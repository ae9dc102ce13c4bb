//! The state of each limit: permits that are spent come back evenly, permits in use are held.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::status::{LimitReached, LimitStatus, Reached};
use super::subject::Subject;

/// The time in which a fully spent limit is restored.
const WINDOW: Duration = Duration::from_secs(60);
/// Number of buckets at which full ones are dropped for the first time.
const FIRST_SWEEP: usize = 1024;

/// The limits with permits that are spent or held.
pub(super) struct Buckets {
    pub(super) all: HashMap<Subject, Bucket>,
    next_sweep: usize,
}

/// One limit. What is spent comes back evenly over the window.
#[derive(Default)]
pub(super) struct Bucket {
    /// When the limit is fully restored.
    pub(super) reset_at: Option<Instant>,
    /// The number of permits in use.
    pub(super) held: u32,
    /// Notified when a permit is spent or returned.
    pub(super) changed: Arc<Notify>,
}

impl Bucket {
    pub(super) fn reset_after(&self, now: Instant) -> Duration {
        self.reset_at.map(|at| at.saturating_duration_since(now)).unwrap_or_default()
    }

    /// Permits that are neither spent nor held.
    fn free(&self, limit: NonZeroU32, now: Instant) -> u32 {
        let each = interval(limit);
        let unspent = (each * limit.get()).saturating_sub(self.reset_after(now)).as_nanos() / each.as_nanos().max(1);
        u32::try_from(unspent).unwrap_or(u32::MAX).saturating_sub(self.held)
    }

    pub(super) fn status(&self, limit: NonZeroU32, now: Instant) -> LimitStatus {
        LimitStatus { limit, window: WINDOW, remaining: self.free(limit, now), reset_after: self.reset_after(now) }
    }

    /// Why no permit can be had, if none can.
    pub(super) fn reached(&self, subject: Subject, limit: NonZeroU32, now: Instant) -> Option<LimitReached> {
        if self.free(limit, now) > 0 {
            return None;
        }
        let (each, of) = (interval(limit), subject.name());
        let back_in = self.reset_after(now).saturating_sub(each * (limit.get() - 1));
        Some(match self.held {
            0 => LimitReached { limit, of, why: Reached::Spent, wait: back_in },
            _ => LimitReached { limit, of, why: Reached::Held, wait: Duration::from_secs(1) },
        })
    }
}

/// The time in which one permit comes back.
pub(super) fn interval(limit: NonZeroU32) -> Duration {
    WINDOW / limit.get()
}

impl Default for Buckets {
    fn default() -> Self {
        Self { all: HashMap::new(), next_sweep: FIRST_SWEEP }
    }
}

impl Buckets {
    /// Drops buckets that are full and not in use.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self.all.len() >= self.next_sweep {
            self.all.retain(|_, bucket| bucket.held > 0 || !bucket.reset_after(now).is_zero());
            self.next_sweep = self.all.len() * 2 + FIRST_SWEEP;
        }
    }
}
