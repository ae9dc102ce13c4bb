//! Drives the built `keyferry` from outside: as a process, over HTTP, with mock providers.
//!
//! Most tests begin with a [`World`]: a running server that has an API key, one linked account, the shipped
//! plugins and the demo's mock providers. [`Server`] is the process alone, [`http`] the client, [`wire`] raw HTTP,
//! [`binary`] builds, [`contract`] checks every response to a [`World`] against the API's own description,
//! [`terminal`] is a person at a keyboard, [`leaks`] searches for secrets, [`receiver`] receives webhooks,
//! [`cost`] counts instructions and system calls. The long runs use [`reliability`], [`hostile`],
//! [`mutations`], [`leaks`] and [`bulk`].

pub mod apps;
pub mod binary;
pub mod bulk;
pub mod collector;
pub mod compiled;
pub mod contract;
pub mod cost;
pub mod dns;
pub mod documents;
pub mod form;
pub mod hostile;
pub mod http;
pub mod kms;
pub mod leaks;
pub mod metrics;
pub mod mock_command;
pub mod mutations;
pub mod plugins;
pub mod process;
pub mod receiver;
pub mod reliability;
pub mod terminal;
pub mod token_endpoint;
pub mod tools;
pub mod trail;
pub mod transit;
pub mod wire;

mod or_fail;
mod server;
mod small_disk;
mod subcommand;
mod world;

pub use or_fail::OrFail;
pub use server::{Awaits, Grants, PluginsIn, Server, ServerOptions, ServerTls, StartFailure};
pub use small_disk::SmallDisk;
pub use subcommand::{run, run_in};
pub use world::{ACCOUNT, ORG, ServerChange, World, WorldOptions, create_api_key, create_api_key_in};
