//! The database that keeps the store, where it is not the data folder.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use keyferry_store::postgres::PostgresSettings;

/// Address and password of the database.
#[derive(Args, Default, Clone)]
pub(in crate::cli) struct DatabaseArgs {
    /// Keep the store in this PostgreSQL database: `postgres://user@host:5432/database`. A password is taken from a file
    /// [default: the store is in the data folder].
    // Not printed: it can be wrong in that it has a password in it.
    #[arg(long, visible_alias = "store", value_name = "URL", env = "KEYFERRY_STORE_URL", hide_env_values = true)]
    store_url: Option<String>,

    /// The file with the password of the database, and nothing else [default: none].
    #[arg(long, value_name = "FILE", env = "KEYFERRY_STORE_PASSWORD_FILE")]
    store_password_file: Option<PathBuf>,

    /// The file with passwords of databases, as `~/.pgpass` has them [default: none].
    #[arg(long, value_name = "FILE", env = "PGPASSFILE")]
    store_passfile: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The database; `None` if the store is in the data folder.
    pub(super) fn settings(self) -> Result<Option<PostgresSettings>, CliError> {
        let Some(url) = self.store_url else { return Ok(None) };
        let settings = url.parse::<PostgresSettings>();
        let mut settings = settings.map_err(|error| format!("store-url cannot be used: {error}"))?;
        settings.password_file = self.store_password_file;
        settings.default_passfile = self.store_passfile;
        Ok(Some(settings))
    }
}
