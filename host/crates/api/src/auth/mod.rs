//! Authentication of requests.
//!
//! | file | answers |
//! |---|---|
//! | `access` | which API key or session token is it, and does its scope allow the request? |
//! | `caller` | how does a handler ask for a caller of a scope? |
//! | `known_keys` | which API keys are in use, and when was each used last? |

pub(crate) mod access;
pub(crate) mod caller;
pub(crate) mod known_keys;
