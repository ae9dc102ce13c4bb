//! `keyferry store`: the tables of a database, and copies of stores.

use clap::{Args, Subcommand};
use serde_json::json;

use super::backup;
use super::config::{DataFolder, FolderArgs, OperatorArgs};
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::term;
use keyferry_store::postgres;

#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Brings the tables of the PostgreSQL database to the version that this Keyferry needs.
    #[command(after_help = "\
Examples:
  keyferry store migrate --store postgres://keyferry@db.example.com/keyferry --store-password-file /run/secrets/db")]
    Migrate(Box<MigrateArgs>),
    /// Copies a store into an empty one of either kind, and compares them. It can be stopped and started again.
    #[command(after_help = "\
Examples:
  keyferry store copy --from sled:keyferry-data --to postgres://keyferry@db.example.com/keyferry --to-password-file /run/secrets/db
  keyferry store copy --from postgres://keyferry@db.example.com/keyferry --to sled:/srv/keyferry")]
    Copy(backup::CopyArgs),
}

#[derive(Args)]
pub(super) struct MigrateArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

pub(super) async fn run(command: StoreCommand) -> CliResult {
    match command {
        StoreCommand::Migrate(args) => migrate(*args).await,
        StoreCommand::Copy(args) => backup::copy(args).await,
    }
}

async fn migrate(args: MigrateArgs) -> CliResult {
    let folders = FolderArgs::from(args.folders).resolve_in(DataFolder::at)?;
    let Some(settings) = folders.database else {
        let why = "store-url is not set: the store is in the data folder, and brought to its version when it is opened";
        return Err(CliError::from(why));
    };
    let migrated = postgres::migrate(&settings).await?;
    if args.json {
        term::print_json(&json!({ "from": migrated.from, "to": migrated.to }))?;
        return Ok(Exit::Done);
    }
    term::print(&match migrated.from == migrated.to {
        true => format!("the tables of {settings} have version {} already", migrated.to),
        false => format!("the tables of {settings} had version {} and have version {} now", migrated.from, migrated.to),
    });
    Ok(Exit::Done)
}
