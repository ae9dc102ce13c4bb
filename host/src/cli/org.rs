//! `keyferry org list`.

use clap::{Args, Subcommand};

use super::config::OperatorArgs;
use super::error::CliResult;
use super::exit::Exit;
use super::operator::{Needs, perform};
use super::table::Table;
use super::term;
use keyferry_api::admin::ListOrganisations;

#[derive(Subcommand)]
pub(super) enum OrgCommand {
    /// Lists the organisations. `api-key create` creates one with its first key.
    #[command(after_help = "Examples:\n  keyferry org list\n  keyferry org list --json")]
    List(ListArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

pub(super) async fn run(command: OrgCommand) -> CliResult {
    let OrgCommand::List(ListArgs { json, folders }) = command;
    let organisations = perform(folders, Needs::StoreAndVault, ListOrganisations {}).await?;
    if json {
        term::print_json(&organisations)?;
    } else {
        let mut table = Table::new(["organisation", "made", "root keys"]);
        for one in organisations {
            table.add_row([one.org.to_string(), one.created_at, one.root_keys.to_string()]);
        }
        term::print(&table.to_string());
    }
    Ok(Exit::Done)
}
