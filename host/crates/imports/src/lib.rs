//! Bulk imports: many credentials in one file, with each of its rows accounted for.
//!
//! A file is read whole, and each row of it written into a ledger, its credential sealed, before the first one is worked on.
//! Rows are settled in the transaction that stores their credential, so that a process that ends at any moment resumes where it
//! stopped.
//!
//! | file | answers |
//! |---|---|
//! | `input` | how is a file read? |
//! | `importer`, `operations` | what is the importer made of? what can a caller do with imports? |
//! | `change`, `transition` | which changes are there, and which version of an import follows from each? |
//! | `receive`, `reader`, `app_names` | how does a file get into the ledger? which app does a slug in it mean? |
//! | `jobs`, `job` | what is under way in this process, and how is it stopped? |
//! | `run`, `app_worker`, `row_worker` | how are an import's rows worked on, app by app? one app's? one row? |
//! | `queued_rows`, `retry_queue` | which of an app's rows are not begun? which wait for another attempt? |
//! | `next_row`, `settle_or_retry` | which row is begun next? is it settled or tried again after an attempt? |
//! | `rate_controller`, `host_health` | how many rows at once? may a host be asked that failed some? |
//! | `failure_count` | did too many rows fail? |
//! | `outcome`, `waiting`, `progress` | what is a row's outcome? which rows wait, and why? how far is an import? |
//! | `share` | which of several servers works on an import? |
//! | `undo`, `forget`, `retention` | how is an import undone? deleted? when is its undo data deleted? |
//! | `error` | why is something not possible? |

pub mod input;

mod app_names;
mod app_worker;
mod change;
mod error;
mod failure_count;
mod forget;
mod host_health;
mod importer;
mod job;
mod jobs;
mod next_row;
mod operations;
mod outcome;
mod progress;
mod queued_rows;
mod rate_controller;
mod reader;
mod receive;
mod retention;
mod retry_queue;
mod row_worker;
mod run;
mod settle_or_retry;
mod share;
mod transition;
mod undo;
mod waiting;

pub use change::Change;
pub use error::{ImportError, UploadError};
pub use importer::{ImportSettings, Importer};
pub use operations::{ImportView, RowView};
pub use progress::{RowWaiting, Waiting, WaitingFor, WaitingRows};
pub use receive::NewImport;
