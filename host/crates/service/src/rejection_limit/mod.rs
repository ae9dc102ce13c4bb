//! The limit of credentials that providers may reject within a minute. The limit keeps a stolen list of credentials from being
//! tried out through this server, and a provider from blocking its address.
//!
//! A verification takes a permit before the provider is asked. The permit is spent if the provider rejects the credential, and
//! returned in every other case: a working credential, an outage, a failed plugin, a cancelled call. So no more credentials
//! are rejected than the limit says, however many are tried at once. A verification that finds all permits held waits until one
//! is returned; one that finds all of them spent is refused.
//!
//! Each API key has a limit, whatever it is used for: requests of a back end, imports, front ends by their sessions. Front ends
//! of one linked account can use a quarter of it, and all front ends of a key together half of it: a browser cannot use up what
//! the organisation's back end needs, and opening sessions for many accounts does not multiply the limit.
//!
//! | file | answers |
//! |---|---|
//! | `subject` | what has a limit, and which share of the API key's? |
//! | `status` | what is left of a limit, and why is there no permit? |
//! | `bucket` | how do spent permits come back? |
//! | `limiter` | how is a permit taken, spent, returned? |

mod bucket;
mod limiter;
mod status;
mod subject;

pub(crate) use limiter::RejectionLimiter;
pub use limiter::counts_as_rejected;
pub use status::{LimitReached, LimitStatus};
pub use subject::CountedFor;
