//! What is left of a limit, and why there is no permit.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// The state of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// Credentials that may be rejected within [`window`](Self::window).
    pub limit: NonZeroU32,
    /// The time in which a fully spent limit is restored.
    pub window: Duration,
    /// Credentials that may be tried now.
    pub remaining: u32,
    /// The time until the limit is fully restored.
    pub reset_after: Duration,
}

/// The refusal of a verification: no credential may be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached {
    pub(super) limit: NonZeroU32,
    pub(super) of: &'static str,
    pub(super) why: Reached,
    /// The time until the next permit.
    pub wait: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
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
