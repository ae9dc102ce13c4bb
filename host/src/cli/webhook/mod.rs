//! `keyferry webhook`: webhooks on a running server, and a receiver to try them with.
//!
//! | file | command |
//! |---|---|
//! | `manage` | `keyferry webhook list`, `delete` |
//! | `listen` | `keyferry webhook listen` |
//! | `receiver`, `forward` | its HTTP server, and the requests that it sends on |
//! | `registration` | the webhook that it registers |
//! | `delivery` | a delivery as it is printed |

mod delivery;
mod forward;
mod listen;
mod manage;
mod receiver;
mod registration;

use clap::Subcommand;

use super::error::CliResult;

#[derive(Subcommand)]
pub(super) enum WebhookCommand {
    /// Lists the webhooks, oldest first.
    #[command(after_help = "Examples:\n  keyferry webhook list\n  keyferry webhook list --json")]
    List(manage::ListArgs),
    /// Receives deliveries on this machine, checks their signatures, and prints them.
    #[command(after_help = "\
Examples:
  keyferry webhook listen
  keyferry webhook listen --forward-to http://127.0.0.1:3000/hooks
  keyferry webhook listen --respond 500 --events created --json
  keyferry webhook listen --listen 8800 --secret-file signing-secret.txt")]
    Listen(Box<listen::ListenArgs>),
    /// Deletes a webhook and its waiting deliveries.
    #[command(after_help = "Examples:\n  keyferry webhook delete 6a1f0c3e9b2d4857a0c1e2f3")]
    Delete(manage::DeleteArgs),
}

pub(super) async fn run(command: WebhookCommand) -> CliResult {
    match command {
        WebhookCommand::List(args) => manage::list(args).await,
        WebhookCommand::Listen(args) => listen::run(*args).await,
        WebhookCommand::Delete(args) => manage::delete(args).await,
    }
}
