//! `keyferry restore`: fills an empty store with a backup.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{key, progress, stores, verify};
use crate::cli::config::{DataFolder, FolderArgs};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::import::source::{self, Identities, is_read_once};
use crate::cli::term;
use keyferry_service::rewrap;
use keyferry_store::backup::{self, Reader};
use keyferry_types::path_text::ShowPath as _;

#[derive(Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The backup; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// A file with keys of age, for a backup that is encrypted. Repeatable.
    #[arg(long, short, value_name = "FILE")]
    identity: Vec<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    folders: FolderArgs,
}

pub(in crate::cli) async fn run(args: RestoreArgs) -> CliResult {
    let RestoreArgs { file, identity, json, folders } = args;
    let folders = folders.resolve_in(DataFolder::at)?;
    let identities = Identities::new(identity);
    let in_file = |error: &dyn std::error::Error| -> CliError { format!("{}: {error}", file.shown()).into() };
    let reader = Reader::open(source::open(&file, &identities)?.reader).map_err(|error| in_file(&error))?;
    let header = reader.header().clone();
    let key = key::fitting(&folders, &header).await?;
    // Before anything is written. What can be read only once is checked while it is.
    if !is_read_once(&file) {
        verify::whole(&file, &identities).await?;
    }
    DataFolder::open_and_tell(folders.data.path())?;
    let store = stores::to_fill(&folders).await?;
    let bar = progress::rows("restored");
    let filled = backup::restore(store.as_ref(), reader, |step| progress::show(&bar, step)).await;
    bar.finish_and_clear();
    let filled = filled.map_err(|error| match error {
        backup::FillError::Backup(error) => in_file(&error),
        error => error.into(),
    })?;
    if let Some(key) = key {
        // Root keys that were made while the backup was are in its rows alone.
        rewrap::check(store.as_ref(), &key).await?;
    }
    store.finish().await?;
    store.close().await?;
    if json {
        term::print_json(&json!({
            "store": store.origin(),
            "backup": header.id,
            "made_at": header.made_at,
            "rows": filled.rows.total(),
            "organisations": filled.organisations,
        }))?;
    } else {
        term::print(&format!(
            "{} has the {} rows of {} organisations that {} had at {}; all audit trails hold",
            store.origin(),
            filled.rows.total(),
            filled.organisations,
            header.store,
            header.made_at
        ));
    }
    Ok(Exit::Done)
}
