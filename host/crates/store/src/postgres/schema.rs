//! The tables, made by numbered files of SQL. They only go forward; a row says how far they have come, and is the lock as well.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::connect::Connector;
use super::fault::Fault;
use super::settings::PostgresSettings;
use crate::{StoreError, StoreResult};

/// The steps, of which the first one is number 1. A step that was released stays as it is.
const STEPS: [&str; 2] = [include_str!("schema/0001_tables.sql"), include_str!("schema/0002_oauth_clients.sql")];
/// The version that is read and written here.
const KNOWN: i32 = STEPS.len() as i32;
/// Makes the row of the version. Servers that begin together can hinder each other at it, and try again.
const BEGINNING: &str = "CREATE TABLE IF NOT EXISTS keyferry_schema (one smallint PRIMARY KEY, version integer NOT NULL); \
    INSERT INTO keyferry_schema (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING";
const TRIES: u32 = 5;

/// Which steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// All of them, in a database that has no tables. Those of an older version are refused.
    Missing,
    /// Those that are missing.
    Older,
}

/// The version of the tables before and after [`migrate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The version that was found; 0 where there were no tables.
    pub from: u32,
    /// The version that they have now.
    pub to: u32,
}

/// Brings the tables of a database to the version that is read and written here.
///
/// # Errors
/// `Database`, and `Schema` where they are of a newer one.
pub async fn migrate(settings: &PostgresSettings) -> StoreResult<Migrated> {
    let connector = Connector::new(settings)?;
    let client = connector.connect_to_write().await.map_err(|fault| settings.refused(&fault.reason))?;
    let from = prepare(&client, settings, When::Older).await?;
    Ok(Migrated { from: from.unsigned_abs(), to: KNOWN.unsigned_abs() })
}

/// Looks at the tables and makes those that are missing. Returns the version that was found.
pub(super) async fn prepare(client: &Client, settings: &PostgresSettings, when: When) -> StoreResult<i32> {
    let failed = |error: Error| settings.refused(&Fault::from(error).reason);
    let found = version(client, "").await.map_err(failed)?.unwrap_or(0);
    check(settings, found, when)?;
    if found == KNOWN {
        return Ok(found);
    }
    for tries in 0.. {
        match client.batch_execute(BEGINNING).await {
            Ok(()) => break,
            Err(_) if tries < TRIES => {}
            Err(error) => return Err(failed(error)),
        }
    }
    client.batch_execute("BEGIN").await.map_err(failed)?;
    // Who comes second waits here, and finds that all is done.
    let locked = version(client, "FOR UPDATE").await.map_err(failed)?.unwrap_or(0);
    let missing = usize::try_from(locked).ok().and_then(|taken| STEPS.get(taken..)).unwrap_or_default();
    for step in missing {
        client.batch_execute(step).await.map_err(|error| match error.code() {
            Some(&SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT) => settings.refused(&format!(
                "its table keyferry_schema says version {locked}, and tables of a later version are there: it was changed by hand, or \
                 restored in part; restore a backup of the whole database"
            )),
            _ => failed(error),
        })?;
    }
    let done = format!("UPDATE keyferry_schema SET version = {} WHERE one = 1; COMMIT", locked.max(KNOWN));
    client.batch_execute(&done).await.map_err(failed)?;
    check(settings, locked.max(KNOWN), when)?;
    Ok(found)
}

fn check(settings: &PostgresSettings, found: i32, when: When) -> StoreResult<()> {
    let is_older = found > 0 && found < KNOWN;
    if found > KNOWN || is_older && when == When::Missing {
        let place = settings.to_string();
        return Err(StoreError::Schema { place, found: found.unsigned_abs(), known: KNOWN.unsigned_abs() });
    }
    Ok(())
}

/// The version of the tables; `None` where there are none.
async fn version(client: &Client, lock: &str) -> Result<Option<i32>, Error> {
    match client.query_typed_opt(&format!("SELECT version FROM keyferry_schema WHERE one = 1 {lock}"), &[]).await {
        Ok(row) => row.map(|row| row.try_get(0)).transpose(),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(error),
    }
}
