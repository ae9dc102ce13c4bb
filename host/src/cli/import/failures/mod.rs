//! Failed rows as a file that can be corrected and imported again, in the format of the imported file. It contains
//! credentials, as that file does, and only its owner can read it.
//!
//! | file | answers |
//! |---|---|
//! | `write` | which rows are written, and what becomes of files of earlier runs? |
//! | `ledger` | which rows failed, and why? |
//! | `reasons` | why did they fail, each reason once? |
//! | `repeats` | which failed rows only repeat others? |
//! | `output` | how is a failed row written? |
//! | `target` | to which file, without loss of one that a person has edited? |
//! | `sealed` | how is the file encrypted, if the imported file was? |

mod ledger;
mod output;
mod reasons;
mod repeats;
mod sealed;
mod target;
mod write;

pub(super) use write::{Written, write};
