//! Keeping the tokens of stored credentials alive.
//!
//! The tokens of one integration are renewed by one task at a time over all servers. What is recorded before the provider is asked,
//! and what a lost answer means, is in the documentation of [`RenewalStore`](keyferry_store::RenewalStore).
//!
//! | file | answers |
//! |---|---|
//! | `fresh` | how does a caller get a token that lasts for as long as it needs? |
//! | `flights` | how do many readers become one renewal? |
//! | `pair` | which tokens of a credential are due? |
//! | `renew` | in which order is a pair renewed, and what does each result mean? |
//! | `client` | which OAuth client is used? |
//! | `persist` | how are renewed tokens stored, also when the store cannot be written to? |
//! | `backoff` | when is a failed renewal tried again? |
//! | `problem` | why is there no fresh token? |

mod backoff;
mod client;
mod flights;
mod fresh;
mod pair;
mod persist;
mod problem;
mod renew;

pub(crate) use flights::Flights;
pub use fresh::{FreshCredential, ReadFresh};
pub use problem::RenewalProblem;
