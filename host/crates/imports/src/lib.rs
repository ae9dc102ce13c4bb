//! Bulk imports: many credentials in one file, with each of its rows accounted for.
//!
//! A file is read whole, and each row of it written into a ledger, its credential sealed, before the first one is worked on.
//! Rows are settled in the transaction that stores their credential, so that a process that ends at any moment resumes where it
//! stopped.
//!
//! | file | answers |
//! |---|---|
//! | `input` | how is a file read? |
//! | `importer`, `job` | what can be done with imports? with one that is under way? |
//! | `change` | which of it when? |
//! | `receive` | how does a file get into the ledger? |
//! | `run`, `app_worker`, `work` | how are an import's rows worked on, app by app? one app's? one row? |
//! | `fresh`, `open` | which of an app's rows are not begun? which were, and are to be tried again? |
//! | `rate_controller`, `health` | how many of them at once? may a host be asked that has failed some? |
//! | `choice`, `judge`, `telling` | which row is next? what follows from one that has ended? what is reported of waiting rows? |
//! | `outcome` | what did a row come to, and can trying again help? |
//! | `undo` | how is it undone? |
//! | `forget` | when and how is it deleted? |
//! | `progress` | how far is it, and how fast? |
//! | `error` | why is something not possible? |

pub mod input;

mod app_worker;
mod change;
mod choice;
mod error;
mod forget;
mod fresh;
mod health;
mod importer;
mod job;
mod judge;
mod open;
mod outcome;
mod progress;
mod rate_controller;
mod receive;
mod run;
mod telling;
mod undo;
mod work;

pub use change::Change;
pub use error::ImportError;
pub use importer::{ImportSettings, ImportView, Importer, RowView};
pub use progress::{RowWaiting, Waiting, WaitingFor, WaitingRows};
pub use receive::{NewImport, UploadError};
