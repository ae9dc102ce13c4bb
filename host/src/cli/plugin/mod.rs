//! `keyferry plugin`: creating, testing and operating plugins.
//!
//! | file | command |
//! |---|---|
//! | `new`, `build`, `inspect`, `check`, `test` | `keyferry plugin` and the same name |
//! | `live`, `live_json` | `keyferry plugin call`, `record` |
//! | `push` | `keyferry plugin push` |
//! | `operate` | `keyferry plugin list`, `grant`, `revoke`, `rollback` |

mod build;
mod check;
mod inspect;
mod live;
mod live_json;
mod new;
mod operate;
mod push;
mod test;

use clap::Subcommand;

use super::error::CliResult;

#[derive(Subcommand)]
pub(super) enum PluginCommand {
    /// Creates the folder of a new plugin that builds and passes its own cases unchanged.
    #[command(after_help = "\
Examples:
  keyferry plugin new acme-crm
  keyferry plugin new acme-crm --lang python --auth oauth2")]
    New(new::NewArgs),
    /// Builds plugins into components.
    #[command(after_help = "\
Examples:
  keyferry plugin build acme-crm --out acme-crm/build
  keyferry plugin build --all")]
    Build(build::BuildArgs),
    /// Shows a plugin file's schema, imports and requested grants.
    #[command(after_help = "\
Examples:
  keyferry plugin inspect acme-crm/build/acme-crm.wasm
  keyferry plugin inspect acme-crm --json-schema")]
    Inspect(inspect::InspectArgs),
    /// Checks a plugin for errors and likely problems.
    #[command(after_help = "\
Examples:
  keyferry plugin check acme-crm
  keyferry plugin check --deny-warnings acme-crm/build/acme-crm.wasm")]
    Check(check::CheckArgs),
    /// Runs a plugin's cases and the conformance suite, offline.
    #[command(after_help = "\
Examples:
  keyferry plugin test acme-crm
  keyferry plugin test acme-crm --watch
  keyferry plugin test acme-crm --format junit > report.xml")]
    Test(test::TestArgs),
    /// Verifies one credential with the real provider, and shows the exchange without secrets.
    #[command(after_help = "Examples:\n  keyferry plugin call acme-crm --auth-object credential.json")]
    Call(live::CallArgs),
    /// Verifies one credential and records the exchange as a case: every secret is replaced by its field's name.
    #[command(after_help = "\
Examples:
  keyferry plugin record acme-crm --auth-object credential.json --case good-key --mask")]
    Record(live::RecordArgs),
    /// Lists the plugin files of a server and the state of each.
    #[command(after_help = "Examples:\n  keyferry plugin list\n  keyferry plugin list --check")]
    List(operate::ListArgs),
    /// Puts a component into the database, for all of its servers.
    #[command(after_help = "\
Examples:
  keyferry plugin push acme-crm/build/acme-crm.wasm
  keyferry plugin push build/release.wasm --name acme-crm.wasm")]
    Push(push::PushArgs),
    /// Shows a plugin's requested grants and grants them to exactly this file.
    #[command(after_help = "\
Examples:
  keyferry plugin grant hubspot --dry-run
  keyferry plugin grant hubspot --yes --days 90")]
    Grant(operate::GrantArgs),
    /// Revokes a plugin's grant. It stops serving at once.
    #[command(after_help = "Examples:\n  keyferry plugin revoke hubspot")]
    Revoke(operate::RevokeArgs),
    /// Restores the version that served before.
    #[command(after_help = "\
Examples:
  keyferry plugin rollback hubspot
  keyferry plugin rollback hubspot --to 3f9a0c")]
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
        PluginCommand::Push(args) => push::run(args).await,
        PluginCommand::Grant(args) => operate::grant(args).await,
        PluginCommand::Revoke(args) => operate::revoke(args).await,
        PluginCommand::Rollback(args) => operate::rollback(args).await,
    }
}
