//! Renewing the tokens of a credential.
//!
//! | file | answers |
//! |---|---|
//! | `renewable` | which tokens can be renewed, at which token endpoint, and what becomes of the old ones? |
//! | `refresh` | how is a refresh token spent, and what does the answer say? |
//! | `client` | how does the organisation's OAuth client get into the request? |
//! | `renewed`, `failure` | what can a renewal return? |

/// Seconds in a minute, for [`Renewal::access_life`] and others.
pub const MINUTE: u32 = 60;
/// Seconds in an hour.
pub const HOUR: u32 = 60 * MINUTE;
/// Seconds in a day.
pub const DAY: u32 = 24 * HOUR;

mod client;
mod failure;
mod refresh;
mod renewable;
mod renewed;

pub use client::{Client, ClientAuth};
pub use failure::RenewalFailure;
pub use renewable::{Renewal, Rotation};
pub use renewed::Renewed;
