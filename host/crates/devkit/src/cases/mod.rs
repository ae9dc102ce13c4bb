//! The plugin test runner: reading case files, and testing whether a plugin behaves as they say.
//!
//! | file | answers |
//! |---|---|
//! | `file` | what may a case file contain? |
//! | `load` | how is one read, and how are mistakes in it reported? |
//! | `suggestion` | which known name was probably meant? |
//! | `case` | what does it mean? |
//! | `url` | when are two URLs the same? |
//! | `request` | how is a request written as lines, so that people and programs can compare two? |
//! | `verdict`, `renewal` | how is a verdict, or the result of a renewal, written as lines? |
//! | `expected` | what does a case file expect? |
//! | `faults` | which faults can a provider have, and which verdicts may a plugin give on them? |
//! | `script` | which response does the provider of a case send to a request? |
//! | `deviation` | which requests of a plugin are not those of its case? |
//! | `canary` | which values replace secrets, and did any get out? |
//! | `runner` | how does one case run? |
//! | `suite` | how does a whole suite run? |
//! | `conformance` | what must every plugin do, independent of its cases? |
//! | `renewal_conformance` | what must every plugin do that renews tokens? |
//! | `results` | how are the results of a running suite collected? |
//! | `report` | what is the result of a suite? |
//! | [`mock`] | how do cases become mock providers that a server can verify credentials with? |
//! | `record` | how does a call of a real provider become a case? |

mod canary;
mod case;
mod conformance;
mod deviation;
mod expected;
mod faults;
mod file;
mod load;
pub mod mock;
mod record;
mod renewal;
mod renewal_conformance;
mod report;
mod request;
mod results;
mod runner;
mod script;
mod suggestion;
mod suite;
mod url;
mod verdict;

pub use case::Case;
pub use faults::FaultName;
pub use load::{CaseError, find, load};
pub use record::{Masking, RecordError, record};
pub use report::{Budget, Group, Line, Outcome, SuiteReport, TestReport};
pub(super) use request::{SecretNames, request_lines};
pub use suggestion::unknown as unknown_name;
pub use suite::{Suite, SuiteError};
pub use verdict::verdict_lines;

/// The text of a case file, for fuzzing.
///
/// # Errors
/// The first mistake, with its line.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn parse_case(path: &std::path::Path, text: &str) -> Result<Case, CaseError> {
    load::parse(path, text)
}
