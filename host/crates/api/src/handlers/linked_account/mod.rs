//! `/api/v2/public/linked-account`: the accounts that integrations hang on.
//!
//! | file | question |
//! |---|---|
//! | `account` | which account is a request about, and which response does one without an account get? |
//! | `write` | how is one made, updated, deleted? |
//! | `read` | how are they listed and shown? |
//! | `integration` | how is an app disconnected? |
//! | `own_app` | how are credentials of the organisation's own app set and deleted? |

pub(crate) mod account;
pub(crate) mod integration;
pub(crate) mod own_app;
pub(crate) mod read;
pub(crate) mod write;
