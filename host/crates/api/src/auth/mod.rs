//! Authentication of requests.
//!
//! | file | answers |
//! |---|---|
//! | `access` | which API key or session token is it, and does its scope allow the request? |
//! | `last_use` | when was a key used last? |

pub(crate) mod access;
pub(crate) mod last_use;
