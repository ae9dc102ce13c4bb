//! `keyferry backup`, `keyferry restore` and `keyferry store copy`.
//!
//! | file | answers |
//! |---|---|
//! | `make` | how is a backup written, by the running server or without one? |
//! | `output` | where is it written to? |
//! | `verify` | how is one checked, and what is said of it? |
//! | `restore` | how is one restored? |
//! | `key` | does the key-encryption key at hand open it? |
//! | `copy` | how is a store copied into another one? |
//! | `stores` | how are stores opened that are not served? |
//! | `progress` | what does a person see meanwhile? |

mod copy;
mod key;
mod make;
mod output;
mod progress;
mod restore;
mod stores;
mod verify;

pub(super) use copy::{CopyArgs, run as copy};
pub(super) use make::{BackupArgs, run as backup};
pub(super) use restore::{RestoreArgs, run as restore};
