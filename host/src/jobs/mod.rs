//! Bulk imports: many credentials in one file, with each of its rows accounted for.
//!
//! A file is read whole, and each row of it written into a ledger, its credential sealed, before the first one is worked on. Rows
//! are settled in the transaction that stores their credential, so that a process that ends at any moment goes on where it was.
//!
//! | file | answers |
//! |---|---|
//! | `input` | how is a file read? |
//! | `importer` | what can be done with imports? |
//! | `change` | which of it when? |
//! | `receive` | how does a file get into the ledger? |
//! | `run`, `lane`, `work` | how are an import's rows worked on, app by app? one app's? one row? |
//! | `pace` | how fast? |
//! | `outcome` | what did a row come to, and can trying again help? |
//! | `undo` | how is it taken back? |
//! | `forget` | when and how is it forgotten? |
//! | `progress` | how far is it, and how fast? |
//! | `error` | why is something not possible? |

pub mod input;

mod change;
mod error;
mod forget;
mod importer;
mod lane;
mod outcome;
mod pace;
mod progress;
mod receive;
mod run;
mod undo;
mod work;

pub use change::Change;
pub use error::ImportError;
pub use importer::{ImportSettings, ImportView, Importer, RowView};
pub use progress::{Waiting, WaitingFor};
pub use receive::{NewImport, UploadError};
