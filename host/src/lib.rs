//! Keyferry puts credentials that a team already holds onto linked accounts' integrations: proven to work by a sandboxed
//! plugin that cannot read them, encrypted, and durable before the response is sent.
//!
//! This crate is the binary: [`cli`] has a file for each subcommand. Everything else is a crate of its own under `host/crates`:
//!
//! | crate | what it holds |
//! |---|---|
//! | [`keyferry_api`] | the public API and the admin API over HTTP |
//! | [`keyferry_imports`] | bulk imports: reading files, working on rows, undo |
//! | [`keyferry_webhooks`] | webhooks: registration, signing, delivery |
//! | [`keyferry_service`] | the use cases: validate, verify, seal, commit |
//! | [`keyferry_devkit`] | tools for plugin authors |
//! | [`keyferry_sandbox`] | plugins: what is admitted, granted and called |
//! | [`keyferry_egress`] | the only way out of the sandbox |
//! | [`keyferry_store`] | records in transactions |
//! | [`keyferry_vault`] | keys and sealed values |
//! | [`keyferry_schema`] | auth schemas, and whether a credential fits one |
//! | [`keyferry_telemetry`] | metrics and traces |
//! | [`keyferry_service_client`] | requests to services that the operator names |
//! | [`keyferry_types`] | names, secrets, and values in the spellings in which they arrive |
//! | [`keyferry_mock_providers`] | providers on loopback, for the demo and for tests |
//!
//! Arrows point one way: down this table.

pub mod cli;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod secrets_cannot_be_printed;
