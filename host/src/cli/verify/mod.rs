//! `keyferry verify`: whether stored credentials still work.
//!
//! | file | answers |
//! |---|---|
//! | `args` | which credentials are meant? |
//! | `targets` | which are those, page by page? |
//! | `verification` | what is the result of one? |
//! | `verifier`, `waits` | how is one verified, and when is the server or a provider waited for? |
//! | `report` | how are results printed and counted? |
//! | `progress` | how is progress shown? |
//! | `run` | the command |

mod args;
mod progress;
mod report;
mod run;
mod targets;
mod verification;
mod verifier;
mod waits;

pub(super) use args::VerifyArgs;
pub(super) use run::run;
