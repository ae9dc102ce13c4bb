//! `keyferry plugin`: creating, testing and operating plugins.
//!
//! | file | command |
//! |---|---|
//! | `new`, `build`, `inspect`, `check`, `test` | `keyferry plugin` and the same name |
//! | `live` | `keyferry plugin call`, `record` |
//! | `operate` | `keyferry plugin list`, `grant`, `revoke`, `rollback` |

mod build;
mod check;
mod inspect;
mod live;
mod new;
mod operate;
mod test;

use clap::Subcommand;

use super::error::CliResult;

#[derive(Subcommand)]
pub(super) enum PluginCommand {
    /// Creates the folder of a new plugin that builds and passes its own cases unchanged.
    New(new::NewArgs),
    /// Builds plugins into components.
    Build(build::BuildArgs),
    /// Shows a plugin file's schema, imports and requested grants.
    Inspect(inspect::InspectArgs),
    /// Checks a plugin for errors and likely problems.
    Check(check::CheckArgs),
    /// Runs a plugin's cases and the conformance suite, offline.
    Test(test::TestArgs),
    /// Verifies one credential with the real provider, and shows the exchange without secrets.
    Call(live::CallArgs),
    /// Verifies one credential and records the exchange as a case: every secret is replaced by its field's name.
    Record(live::RecordArgs),
    /// Lists the plugin files of a server and the state of each.
    List(operate::ListArgs),
    /// Shows a plugin's requested grants and grants them to exactly this file.
    Grant(operate::GrantArgs),
    /// Revokes a plugin's grant. It stops serving at once.
    Revoke(operate::RevokeArgs),
    /// Restores the version that served before.
    Rollback(operate::RollbackArgs),
}

pub(super) async fn run(command: PluginCommand) -> CliResult {
    match command {
        PluginCommand::New(args) => new::run(args),
        PluginCommand::Build(args) => build::run(args).await,
        PluginCommand::Inspect(args) => inspect::run(args).await,
        PluginCommand::Check(args) => check::run(args).await,
        PluginCommand::Test(args) => test::run(args).await,
        PluginCommand::Call(args) => live::run_call(args).await,
        PluginCommand::Record(args) => live::run_record(args).await,
        PluginCommand::List(args) => operate::list(args).await,
        PluginCommand::Grant(args) => operate::grant(args).await,
        PluginCommand::Revoke(args) => operate::revoke(args).await,
        PluginCommand::Rollback(args) => operate::rollback(args).await,
    }
}
