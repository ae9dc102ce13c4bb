//! `keyferry key list`, `rotate`, `reseal`, `disable`, `destroy`, `rewrap`: the root keys that credentials are sealed under.

use clap::{Args, Subcommand};
use comfy_table::{Cell, Color};
use indicatif::ProgressBar;
use serde_json::json;

use super::config::{OperatorArgs, whole_number};
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::operator::{Needs, perform};
use super::table::{Table, minute};
use super::{rewrap, term};
use keyferry_api::admin::{DestroyKey, DisableKey, KeyState, ListKeys, ResealCredentials, RotateKey, ShownKey};
use keyferry_types::ids::OrgId;

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Lists an organisation's root keys, and how many credentials are sealed under each.
    #[command(after_help = "Examples:\n  keyferry key list --org acme")]
    List(OrgArgs),
    /// Creates a root key. Credentials are sealed under it from then on; those sealed before stay readable.
    #[command(after_help = "Examples:\n  keyferry key rotate --org acme")]
    Rotate(OrgArgs),
    /// Seals all credentials under the newest root key while the server keeps serving. It can be stopped and started again.
    #[command(after_help = "Examples:\n  keyferry key reseal --org acme")]
    Reseal(OrgArgs),
    /// Disables a root key. It must not be the newest, and no credential may be sealed under it.
    #[command(after_help = "Examples:\n  keyferry key disable --org acme 1")]
    Disable(KeyArgs),
    /// Removes a disabled root key. Backups that need it become unreadable.
    #[command(after_help = "\
Examples:
  keyferry key destroy --org acme 1
  keyferry key destroy --org acme 1 --yes")]
    Destroy(DestroyArgs),
    /// Has root keys wrapped by another key-encryption key as well, while the server keeps serving; with `--finish`, by the
    /// present one alone. It can be stopped and started again.
    #[command(after_help = "\
Examples:
  keyferry key rewrap --all --to-key-file /etc/keyferry/new.key
  keyferry key rewrap --all --finish --key-file /etc/keyferry/new.key")]
    Rewrap(Box<rewrap::RewrapArgs>),
}

#[derive(Args)]
pub(super) struct OrgArgs {
    /// The organisation.
    #[arg(long)]
    org: OrgId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folders: OperatorArgs,
}

#[derive(Args)]
pub(super) struct KeyArgs {
    /// The key id, as `list` shows it.
    #[arg(value_parser = whole_number::<u32>)]
    key_id: u32,
    #[command(flatten)]
    org: OrgArgs,
}

#[derive(Args)]
pub(super) struct DestroyArgs {
    /// Do not ask. Without a terminal, nothing is removed without this flag.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    key: KeyArgs,
}

pub(super) async fn run(command: KeyCommand) -> CliResult {
    match command {
        KeyCommand::List(OrgArgs { org, json, folders }) => {
            let keys = perform(folders, Needs::StoreAndVault, ListKeys { org }).await?;
            if json {
                term::print_json(&keys)?;
            } else {
                term::print(&table(&keys).to_string());
            }
        }
        KeyCommand::Rotate(OrgArgs { org, json, folders }) => {
            let made = perform(folders, Needs::StoreAndVault, RotateKey { org: org.clone() }).await?;
            if json {
                term::print_json(&made)?;
            } else {
                term::print(&format!("key {} seals from now on", made.key_id));
            }
            term::progress(&format!("next: keyferry key reseal --org {org}"));
        }
        KeyCommand::Reseal(args) => reseal(args).await?,
        KeyCommand::Rewrap(args) => rewrap::run(*args).await?,
        KeyCommand::Disable(KeyArgs { key_id, org: OrgArgs { org, json, folders } }) => {
            let disabled = perform(folders, Needs::StoreAndVault, DisableKey { org, key_id }).await?;
            if json {
                term::print_json(&disabled)?;
            } else {
                term::print(&format!("key {key_id} is out of use"));
            }
        }
        KeyCommand::Destroy(DestroyArgs { yes, key: KeyArgs { key_id, org: OrgArgs { org, json, folders } } }) => {
            if !yes {
                let what = "everything sealed under it, in backups too, becomes unreadable";
                match term::ask(&format!("Destroy key {key_id} of {org}? After that {what}.")) {
                    Some(true) => {}
                    Some(false) => return Err(format!("key {key_id} is not destroyed").into()),
                    None => {
                        return Err(format!("key {key_id} is not destroyed: {what}; say --yes if that is meant").into());
                    }
                }
            }
            let destroyed = perform(folders, Needs::StoreAndVault, DestroyKey { org, key_id }).await?;
            if json {
                term::print_json(&destroyed)?;
            } else {
                term::print(&format!("key {key_id} is gone"));
            }
        }
    }
    Ok(Exit::Done)
}

async fn reseal(OrgArgs { org, json, folders }: OrgArgs) -> Result<(), CliError> {
    let keys = perform(folders.clone(), Needs::StoreAndVault, ListKeys { org: org.clone() }).await?;
    let bar = ProgressBar::new(keys.iter().map(|key| key.credentials).sum());
    let bar = term::styled(bar, "{bar:40} {pos}/{len} credentials, {eta} left");
    let (mut resealed, mut left, mut after) = (0, 0, None);
    loop {
        let step = ResealCredentials { org: org.clone(), after };
        let done = match perform(folders.clone(), Needs::StoreAndVault, step).await {
            Ok(done) => done,
            Err(error) => {
                bar.finish_and_clear();
                return Err(not_all_resealed(&org, resealed, &error).into());
            }
        };
        resealed += done.resealed;
        left += done.left;
        bar.set_position(resealed + left);
        after = done.next;
        if after.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    // Only what imports keep is not resealed.
    let keys = perform(folders, Needs::StoreAndVault, ListKeys { org }).await?;
    let kept: u64 = keys.iter().filter(|key| key.state == KeyState::Opens).map(|key| key.credentials).sum();
    if json {
        term::print_json(&json!({ "resealed": resealed, "left": left, "kept": kept }))?;
        return Ok(());
    }
    term::print(&format!("{resealed} credentials sealed under the newest key, {left} were already"));
    if kept > 0 {
        term::print(&format!(
            "{kept} that imports keep for `undo` and `retry-failed` stay under older keys: `keyferry imports confirm` or `delete` \
             removes them, and so does the end of their retention"
        ));
    }
    Ok(())
}

/// The error of a run that ended early. What was sealed is stored; the next run continues with the rest.
fn not_all_resealed(org: &OrgId, resealed: u64, error: &CliError) -> String {
    format!(
        "{resealed} credentials were sealed under the newest key before this failed: {error}\n\
         No credential is lost. `keyferry key reseal --org {org}` seals the rest"
    )
}

fn table(keys: &[ShownKey]) -> Table {
    let header = ["key", "state", "credentials", "made", "out of use since", "wrapped by"];
    let mut table = Table::new(header).notes(["wrapped by"]);
    for key in keys {
        let (state, color) = match key.state {
            KeyState::Seals => ("seals", Color::Green),
            KeyState::Opens => ("opens", Color::Yellow),
            KeyState::Disabled => ("disabled", Color::Red),
        };
        let wrapped_by: Vec<&str> =
            std::iter::once(&key.wrapped_by).chain(&key.also_wrapped_by).map(String::as_str).collect();
        table.add_row([
            Cell::new(key.key_id),
            Cell::new(state).fg(color),
            Cell::new(key.credentials),
            Cell::new(minute(&key.created_at)),
            Cell::new(key.disabled_at.as_deref().map_or("-", minute)),
            Cell::new(wrapped_by.join(", ")),
        ]);
    }
    table
}
