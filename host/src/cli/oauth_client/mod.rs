//! `keyferry oauth-client`: the organisation's OAuth clients on a running server.
//!
//! | file | command |
//! |---|---|
//! | `put` | `keyferry oauth-client put` |
//! | `client` | which client is meant? |
//! | `manage` | `keyferry oauth-client list`, `show`, `delete` |

mod client;
mod manage;
mod put;

use clap::Subcommand;

use super::error::CliResult;

#[derive(Subcommand)]
pub(super) enum OAuthClientCommand {
    /// Stores an OAuth client of an app, in place of the one of its name.
    #[command(after_help = "\
Examples:
  keyferry oauth-client put hubspot --client-id 3f0c9a52-6d1e --client-secret-file secret.txt
  keyferry oauth-client put hubspot --name eu --client-id-file id.txt --client-secret-file -")]
    Put(put::PutArgs),
    /// Lists the OAuth clients, by app and name.
    #[command(after_help = "Examples:\n  keyferry oauth-client list\n  keyferry oauth-client list --json")]
    List(manage::ListArgs),
    /// Shows an OAuth client, without its secret.
    #[command(after_help = "\
Examples:
  keyferry oauth-client show hubspot
  keyferry oauth-client show hubspot --name eu --json")]
    Show(manage::ShowArgs),
    /// Deletes an OAuth client. Credentials stay.
    #[command(after_help = "\
Examples:
  keyferry oauth-client delete hubspot
  keyferry oauth-client delete hubspot --name eu --yes")]
    Delete(manage::DeleteArgs),
}

pub(super) async fn run(command: OAuthClientCommand) -> CliResult {
    match command {
        OAuthClientCommand::Put(args) => put::run(args).await,
        OAuthClientCommand::List(args) => manage::list(args).await,
        OAuthClientCommand::Show(args) => manage::show(args).await,
        OAuthClientCommand::Delete(args) => manage::delete(args).await,
    }
}
