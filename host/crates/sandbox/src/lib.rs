//! App plugins: sandboxed components that describe an app's auth schema and verify credentials that they cannot read.
//!
//! | file | answers |
//! |---|---|
//! | `component_interface` | what may a component import, and which contract was it built for? |
//! | `complexity`, `compile_cost` | is it too much to compile? |
//! | `limits` | how much may one call use? |
//! | `engine` | how is the runtime configured? |
//! | `compiler` | which threads compile, and who goes first? |
//! | `cache` | where does compiled code lie, and why may it be trusted? |
//! | `abi` | how do the contract's words become ours? One file a contract version |
//! | `sandbox` | how is one call of a plugin run? |
//! | `call_limiter` | how many calls run at once, and how many of one plugin? |
//! | `retry_after_estimator` | when should a call come again that is turned away? |
//! | `cpu_scheduler` | who computes when several compute for long? |
//! | `call_state` | what does a call carry with it? |
//! | `deterministic_env` | what is the same each time a plugin describes itself? |
//! | `description` | what did the plugin say of its app? |
//! | `reads` | what does it read of a credential? |
//! | `verdict` | what did it say of a credential? |
//! | `grants` | what has the operator granted to which digest? |
//! | `admission` | what must a file pass before it serves? |
//! | `registry` | which plugin serves which app? |
//! | `versions` | which versions served well, to go back to? |
//! | `status` | what became of each file, and why? |
//! | `watch` | how does a dropped-in file take effect? |
//! | `workbench`, `call_recorder` | how is a plugin tried out, and what does that record? |

mod abi;
mod admission;
mod app;
mod cache;
mod call_limiter;
mod call_recorder;
mod call_state;
mod compile_cost;
mod compiler;
mod complexity;
mod component_interface;
mod cpu_scheduler;
mod description;
mod deterministic_env;
mod engine;
mod file;
mod grants;
mod limits;
mod reads;
mod registry;
mod retry_after_estimator;
mod sandbox;
mod status;
mod unusable;
mod verdict;
mod versions;
mod watch;
mod workbench;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use abi::v1::description_of_json;
pub use app::App;
pub use cache::CodeSeal;
pub use call_recorder::{LogLine, RecordedCall, Usage};
pub use complexity::ComplexityError;
pub use component_interface::{ComponentInterface, ImportError, Wasi};
pub use description::{AppDescription, Digest, SecretAccess};
pub use deterministic_env::TRIAL_TIME_MS;
pub use grants::{GrantLock, GrantLockError, GrantState, PluginGrant, WasiGrant};
pub use limits::SandboxLimits;
pub use reads::{FieldRead, Reads, lines as read_lines, reads};
pub use registry::{Allowed, GrantPolicy, Registry, RegistryError, RegistrySettings, RolledBack};
pub use sandbox::{CallError, Sandbox, SandboxError};
pub use status::{PluginState, PluginStatus};
pub use verdict::{FailureKind, Keeping, Unreachable, Verdict, VerificationFailure, Verified};
pub use watch::watch;
pub use workbench::{LoadedPlugin, OpenError, VerifyOptions, Workbench};

pub use keyferry_egress::{Contact, GrantConcern, Reached};
