//! The plugin test runner: reading case files, and testing whether a plugin behaves as they say.
//!
//! | file | answers |
//! |---|---|
//! | `file` | what may a case file contain? |
//! | `load` | how is one read, and how are mistakes in it reported? |
//! | `case` | what does it mean? |
//! | `url` | when are two URLs the same? |
//! | `request` | how is a request written as lines, so that people and programs can compare two? |
//! | `verdict` | how is a verdict written as lines? |
//! | `faults` | what can go wrong with a provider, and what may a plugin make of it? |
//! | `script` | what does the provider in a case answer, and what was asked of it that should not have been? |
//! | `canary` | which values replace secrets, and did any get out? |
//! | `conformance` | what must every plugin do, independent of its cases? |
//! | `run` | how does one case run, and how a whole suite? |
//! | `report` | what is the result of a suite? |
//! | `record` | how does a call of a real provider become a case? |

mod canary;
mod case;
mod conformance;
mod faults;
mod file;
mod load;
mod record;
mod report;
mod request;
mod run;
mod script;
mod url;
mod verdict;

pub use case::Case;
pub use faults::FaultName;
pub use load::{CaseError, find, load};
pub use record::{Masking, RecordError, record};
pub use report::{Budget, Group, Line, Outcome, SuiteReport, TestReport};
pub(super) use request::{SecretNames, told};
pub use run::{Suite, SuiteError};
pub use verdict::told as told_verdict;

/// The text of a case file, for fuzzing.
///
/// # Errors
/// The first thing that is not right, with its line.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn parse_case(path: &std::path::Path, text: &str) -> Result<Case, CaseError> {
    load::parse(path, text)
}
