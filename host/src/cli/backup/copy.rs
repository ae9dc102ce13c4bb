//! `keyferry store copy`: fills an empty store with the content of another one.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::{progress, stores};
use crate::cli::config::DataFolder;
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::term;
use keyferry_store::postgres::{Access, PostgresSettings};
use keyferry_store::{Incomplete, Store, backup};
use keyferry_types::path_text::ShowPath as _;

#[derive(Args)]
pub(in crate::cli) struct CopyArgs {
    /// The store to copy, which no server may have open: `sled:DIR` with a data folder, or `postgres://user@host/database`.
    #[arg(long, value_name = "STORE")]
    from: Place,

    /// The store to fill, which has to be empty; or one that the same copy has filled in part.
    #[arg(long, value_name = "STORE")]
    to: Place,

    /// The file with the password of the database that is copied, and nothing else.
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,

    /// The file with the password of the database that is filled, and nothing else.
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,

    /// The file with passwords of databases, as `~/.pgpass` has them [default: none].
    #[arg(long, value_name = "FILE", env = "PGPASSFILE")]
    passfile: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Where a store is.
#[derive(Clone)]
enum Place {
    /// In this data folder.
    Sled(PathBuf),
    /// In this database.
    Postgres(Box<PostgresSettings>),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(folder) = text.strip_prefix("sled:").filter(|folder| !folder.is_empty()) {
            return Ok(Self::Sled(PathBuf::from(folder)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let settings = text.parse::<PostgresSettings>().map_err(|error| error.to_string())?;
            return Ok(Self::Postgres(Box::new(settings)));
        }
        Err("it has to be sled:DIR with a data folder, or postgres://user@host:5432/database".to_owned())
    }
}

impl Place {
    /// The data folder of a store that is in one.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Sled(folder) => Some(folder),
            Self::Postgres(_) => None,
        }
    }

    fn with_passwords(mut self, file: Option<PathBuf>, passfile: &Option<PathBuf>) -> Self {
        if let Self::Postgres(settings) = &mut self {
            settings.password_file = file;
            settings.default_passfile = passfile.clone();
        }
        self
    }

    /// `beside` is the data folder of the other store.
    async fn open(&self, beside: Option<&Path>, unfinished: Incomplete) -> Result<Arc<dyn Store>, CliError> {
        match self {
            Self::Sled(folder) => stores::in_folder(&DataFolder::at(folder)?.store(), unfinished).await,
            Self::Postgres(settings) => {
                let identity = beside.map(DataFolder::at).transpose()?.map(|data| data.store_identity());
                stores::in_database(settings, identity.as_deref(), Access::Alone, unfinished).await
            }
        }
    }
}

pub(in crate::cli) async fn run(args: CopyArgs) -> CliResult {
    let CopyArgs { from, to, from_password_file, to_password_file, passfile, json } = args;
    let (from, to) =
        (from.with_passwords(from_password_file, &passfile), to.with_passwords(to_password_file, &passfile));
    if let Some(folder) = from.folder()
        && !DataFolder::existing(folder)?.store().exists()
    {
        return Err(format!("nothing is stored in {} yet", folder.shown()).into());
    }
    let make_folder = || to.folder().map(DataFolder::open_and_tell).transpose();
    if from.folder().is_none() {
        // It holds the identity of this process for the database.
        make_folder()?;
    }
    let source = from.open(to.folder(), Incomplete::Refused).await?;
    make_folder()?;
    let target = to.open(from.folder(), Incomplete::Accepted).await?;
    let bar = progress::rows("copied");
    let filled = backup::copy(source.as_ref(), target.as_ref(), |step| progress::show(&bar, step)).await;
    bar.finish_and_clear();
    let filled = filled?;
    target.finish().await?;
    target.close().await?;
    source.close().await?;
    if json {
        let rows = filled.rows.iter().map(|(table, rows)| json!({ "table": table, "rows": rows }));
        term::print_json(&json!({
            "from": source.origin(),
            "to": target.origin(),
            "rows": rows.collect::<Vec<_>>(),
            "organisations": filled.organisations,
            "resumed": filled.resumed,
        }))?;
    } else {
        term::print(&format!(
            "{} has the {} rows of {} organisations that {} has: both were read and compared, and all audit trails hold",
            target.origin(),
            filled.rows.total(),
            filled.organisations,
            source.origin()
        ));
        term::progress(
            "next: serve the copy, with the same key-encryption key, plugins and grants, and the former store no more",
        );
    }
    Ok(Exit::Done)
}
