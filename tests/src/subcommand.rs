//! Subcommands of `keyferry`, run to their end.

use std::ffi::OsStr;
use std::process::{Output, Stdio};

use crate::binary;
use crate::or_fail::OrFail as _;

/// Runs a subcommand to its end: status, stdout and stderr. The async runtime keeps running meanwhile, with any mock
/// server that the subcommand calls.
pub async fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    run_in(&[], arguments).await
}

/// The same with further environment variables.
pub async fn run_in<S: AsRef<OsStr>>(
    environment: &[(String, String)],
    arguments: impl IntoIterator<Item = S>,
) -> Output {
    let mut command = binary::command(binary::keyferry());
    command.args(arguments).stdin(Stdio::null()).envs(environment.iter().map(|(name, value)| (name, value)));
    let shown = format!("run {command:?}");
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.or_fail(&shown).or_fail(&shown)
}
