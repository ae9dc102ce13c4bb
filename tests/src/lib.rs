//! Drives the built `keyferry` from outside: as a process, over HTTP, with stand-ins of the providers.
//!
//! [`World`] is what most tests begin with: a running server that has an API key, one linked account, the shipped
//! plugins and the demo's providers. [`Server`] is the process alone, [`http`] the client, [`binary`] what is built.

pub mod binary;
pub mod dns;
pub mod documents;
pub mod http;
pub mod plugins;
pub mod reliability;
pub mod tools;

mod or_fail;
mod server;
mod world;

pub use or_fail::OrFail;
pub use server::{Grants, Server, ServerOptions, StartFailure, run};
pub use world::{ACCOUNT, ORG, ServerChange, World, WorldOptions, create_api_key};
