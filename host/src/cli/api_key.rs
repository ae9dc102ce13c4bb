//! `keyferry api-key create`.

use std::process::ExitCode;

use clap::Subcommand;

use super::operator::{Needs, perform};
use super::settings::FolderArgs;
use super::{CliResult, term};
use crate::admin::CreateApiKey;
use crate::ids::{Environment, OrgId};
use crate::store::Scope;

#[derive(Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Makes a key and prints it. It is shown this once and cannot be read back.
    Create {
        /// The organisation that it belongs to; made with its first key.
        #[arg(long)]
        org: OrgId,
        /// `test` or `production`.
        #[arg(long)]
        environment: Environment,
        /// What it is for, to tell keys apart.
        #[arg(long, default_value = "")]
        label: String,
        /// How many days it works [default: until it is revoked].
        #[arg(long, value_name = "N")]
        days: Option<u32>,
        #[command(flatten)]
        folders: FolderArgs,
    },
}

pub(super) async fn run(command: ApiKeyCommand) -> CliResult {
    let ApiKeyCommand::Create { org, environment, label, days, folders } = command;
    let operation = CreateApiKey { org, environment, label, scopes: vec![Scope::Migrate, Scope::Accounts], days };
    let created = perform(folders, Needs::Safe, operation).await?;
    term::print(&created.key);
    Ok(ExitCode::SUCCESS)
}
