//! Drives the built `keyferry` from outside: as a process, over HTTP, with stand-ins of the providers.
//!
//! [`World`] is what most tests begin with: a running server that has an API key, one linked account, the shipped
//! plugins and the demo's providers. [`Server`] is the process alone, [`http`] the client, [`wire`] the same by hand,
//! [`binary`] what is built, [`contract`] the API's own description, which every answer to a [`World`] is held against,
//! [`terminal`] a person at a keyboard, [`leaks`] what looks for secrets, [`receiver`] what webhooks call. The long runs are made of [`reliability`], [`hostile`],
//! [`mutations`] and [`leaks`].

pub mod apps;
pub mod binary;
pub mod collector;
pub mod contract;
pub mod dns;
pub mod documents;
pub mod hostile;
pub mod http;
pub mod kms;
pub mod leaks;
pub mod metrics;
pub mod mutations;
pub mod plugins;
pub mod process;
pub mod receiver;
pub mod reliability;
pub mod terminal;
pub mod tools;
pub mod trail;
pub mod transit;
pub mod wire;

mod or_fail;
mod server;
mod small_disk;
mod world;

pub use or_fail::OrFail;
pub use server::{Awaits, Grants, Server, ServerOptions, ServerTls, StartFailure, run, run_in};
pub use small_disk::SmallDisk;
pub use world::{ACCOUNT, ORG, ServerChange, World, WorldOptions, create_api_key, create_api_key_in};
