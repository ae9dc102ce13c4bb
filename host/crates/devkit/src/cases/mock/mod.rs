//! Mock providers made of cases: the credentials that they know, and the responses that they send.
//!
//! | file | answers |
//! |---|---|
//! | `plugin` | how do the cases of a plugin become credentials and exchanges? ([`MockPlugin`]) |
//! | `vary` | with which values can cases that share a credential be told apart? |
//! | `table` | which response does a request get? ([`MockTable`]) |
//! | `wire` | when is a received request the one that a plugin makes? |
//! | `shipped` | what are the cases of the shipped apps? |

mod plugin;
mod shipped;
mod table;
mod vary;
mod wire;

pub use plugin::{LeftOut, MockPlugin, Token, TokenError};
pub use shipped::{shipped_apps, shipped_cases};
pub use table::{Match, MockCredential, MockTable, Origin};
pub use wire::ReceivedRequest;
