//! The plugin test runner: what a case file says, and whether a plugin does it.
//!
//! | file | answers |
//! |---|---|
//! | `file` | what may stand in a case file? |
//! | `load` | how is one read, and what is said of a slip in it? |
//! | `case` | what does it mean? |
//! | `url` | when are two URLs the same? |
//! | `request` | how is a request told, so that people and programs can compare two? |
//! | `verdict` | the same for verdicts |
//! | `faults` | what can go wrong with a provider, and what may a plugin make of it? |
//! | `script` | what does the provider in a case answer, and what was asked of it that should not have been? |
//! | `canary` | which values stand in for secrets, and did any get out? |
//! | `conformance` | what must every plugin do, whatever its cases say? |
//! | `run` | one case, a whole suite |
//! | `report` | what came of it |
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
