//! The sandbox of app plugins: components that describe an app's auth schema and verify credentials that they cannot read.
//!
//! | file | answers |
//! |---|---|
//! | `plugin_file` | which files of the folder are plugins, and which have changed? |
//! | `component_interface` | what may a component import, and which contract was it built for? |
//! | `complexity`, `compile_cost` | is it too expensive to compile? |
//! | `limits` | how much may one call use? |
//! | `engine` | how is the runtime configured? |
//! | `compiler` | which threads compile, and at which priority? |
//! | `cache`, `code_seal` | where is compiled code stored, and why may it be trusted? |
//! | `function_cache` | which functions of a component need not be compiled again? |
//! | `abi` | how are the contract's types converted? One file for each contract version |
//! | `sandbox` | how is one call of a plugin run? |
//! | `call_limiter` | how many calls run at once, and how many of one plugin? |
//! | `retry_after_estimator` | when should a refused call be repeated? |
//! | `cpu_scheduler` | which call computes when several compute for long? |
//! | `call_state` | which state does a call have? |
//! | `deterministic_env` | which clock and random bytes does a plugin get while it describes itself? |
//! | `description` | how does a plugin describe its app? |
//! | `field_reads` | which parts of a credential does it read as text? |
//! | `verdict`, `unusable_value` | what is the verdict on a credential, and on one that no request can be built with? |
//! | `renewal` | which tokens can a plugin renew, and what is the result of it? |
//! | `grants` | what has the operator granted to which digest? |
//! | `admission` | which checks must a file pass before it serves? |
//! | `app` | how does a plugin that serves verify and renew? |
//! | `registry` | which plugin serves which app? |
//! | `operator_actions` | how does an operator grant, revoke and roll back? |
//! | `versions` | which versions can be rolled back to? |
//! | `status` | what is the status of each file, and why? |
//! | `watch` | how does a dropped-in file take effect? |
//! | `workbench`, `call_recorder` | how is a plugin tested, and what does a test call record? |
//! | `error` | what can fail? |
//!
//! ```
//! use keyferry_sandbox::Digest;
//!
//! let digest = Digest::of(b"the bytes of a component");
//! assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
//! ```

mod abi;
mod admission;
mod app;
mod cache;
mod call_limiter;
mod call_recorder;
mod call_state;
mod code_seal;
mod compile_cost;
mod compiler;
mod complexity;
mod component_interface;
mod cpu_scheduler;
mod description;
mod deterministic_env;
mod engine;
mod error;
mod field_reads;
mod function_cache;
mod grants;
mod limits;
mod mirror;
mod operator_actions;
mod plugin_file;
mod registry;
mod renewal;
mod retry_after_estimator;
mod sandbox;
mod status;
mod unusable_value;
mod verdict;
mod versions;
mod watch;
mod workbench;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use abi::v1::description_of_json;
pub use app::App;
pub use call_recorder::{LogLine, RecordedCall, Usage};
pub use code_seal::CodeSeal;
pub use complexity::ComplexityError;
pub use component_interface::{ComponentInterface, ImportError, Wasi};
pub use cpu_scheduler::took_long;
pub use description::{AppDescription, Digest, SecretAccess};
pub use deterministic_env::TRIAL_TIME_MS;
pub use error::{CallError, RenewalCallError, SandboxError};
pub use field_reads::{FieldRead, Reads};
pub use grants::{GrantLock, GrantLockError, GrantPolicy, GrantState, PluginGrant, WasiGrant};
pub use limits::SandboxLimits;
pub use mirror::MirroredFile;
pub use operator_actions::{Allowed, RenewalGrant, RolledBack};
pub use registry::{Registry, RegistryError, RegistrySettings};
pub use renewal::{
    ClientUse, Renewable, RenewalClient, RenewalFailure, RenewalFailureKind, RenewalResult, Renewed, Rotation,
};
pub use sandbox::Sandbox;
pub use status::{PluginState, PluginStatus};
pub use verdict::{FailureKind, Unreachable, Verdict, VerificationFailure, Verified};
pub use watch::watch;
pub use workbench::{CallOptions, LoadedPlugin, OpenError, Workbench};

pub use keyferry_egress::{Contact, GrantConcern, Reached};
