//! Keyferry puts credentials that a team already holds onto linked accounts' integrations: proven to work by a sandboxed
//! plugin that cannot read them, encrypted, and durable before the answer is sent.
//!
//! | module | what it is for |
//! |---|---|
//! | [`cli`] | the one binary: a file a subcommand |
//! | [`http`] | the public endpoints |
//! | [`admin`] | what an operator's commands say to a running server, over a socket in the data folder |
//! | [`webhooks`] | who is told of what happens to connections, and the telling |
//! | [`jobs`] | bulk imports: the ledger's rows, how they are worked on, and taken back |
//! | [`migrate`] | the use case: validate, verify, seal, commit |
//! | [`schema`] | what an app's credential looks like, and whether one fits |
//! | [`plugins`] | the sandbox, what it admits, and what it grants |
//! | [`egress`] | the only way out of the sandbox |
//! | [`vault`] | keys and sealed values |
//! | [`store`] | what is kept, in transactions |
//! | [`telemetry`] | metrics and traces |
//! | [`upstream`] | requests to services that the operator names |
//! | [`devkit`] | for plugin authors |
//! | [`secret`], [`shown`], [`wiping`] | values that are not printed, what of a caller's words is repeated, memory that is cleared |
//! | [`invisible`] | characters that a person cannot see, in ids and in credentials |
//! | [`moment`], [`pem`], [`retry_after`] | times, private keys and waits in the spellings in which they arrive |
//! | [`bounded_file`] | reads of the operator's files that neither hang nor have no end |
//! | [`providers`] | stand-ins of real providers on loopback, for the demo and for tests |
//!
//! Arrows point one way: `cli`, `http` and `admin` lead to `webhooks`, `jobs` and `migrate`, which lead to `schema`, `plugins`, `vault`
//! and `store`; `plugins` and `webhooks` lead to `egress`.

pub mod admin;
pub mod bounded_file;
pub mod cli;
pub mod devkit;
pub mod egress;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod ids;
pub mod invisible;
pub mod jobs;
pub mod migrate;
pub mod moment;
pub mod path_text;
pub mod pem;
pub mod plugins;
pub mod providers;
pub mod retry_after;
pub mod schema;
pub mod secret;
pub mod shown;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod vault;
pub mod webhooks;
pub mod wiping;
