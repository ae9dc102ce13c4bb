//! `/api/v2/public/imports`: many credentials in one file.
//!
//! | file | handles |
//! |---|---|
//! | `key` | the import that a path names |
//! | `failure` | what fails |
//! | `create` | a file that is sent |
//! | `options` | how it is to be read, and its rows to be dealt with |
//! | `show` | lists imports and shows one |
//! | `results` | the ledger, row by row |
//! | `events` | progress as it happens |
//! | `export` | the other way |
//! | `change` | pausing, resuming, cancelling, trying again, undoing, confirming, deleting |

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod events;
pub(crate) mod export;
mod failure;
mod key;
mod options;
pub(crate) mod results;
pub(crate) mod show;
