//! One process at a time has the database: the holder of a lease, which ends where it is not renewed. Its number rises with each
//! holder, and each batch of writes requires that it is the present one, so that a process that was stopped for a while and comes
//! back writes nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::fault::Fault;
use crate::{StoreError, StoreResult};

/// Bytes of an identity.
const ID: usize = 16;

/// Who may have the database open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sole {
    /// This process alone. Another one that has it open is an error.
    Required,
    /// This process alone. It waits until no other one has it open.
    Awaited,
    /// Others as well. What a process keeps in memory of the store can be older than what is stored.
    No,
}

/// The lease that this process has.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    owner: Vec<u8>,
    number: i64,
}

/// Who takes the lease: this process, or all processes that one after the other have a data folder of this host.
pub(super) struct Identity {
    owner: Vec<u8>,
    /// Held while the store is open, so that a process of the same identity that has the lease is known to have ended.
    _lock: Option<File>,
}

impl Identity {
    /// The identity in this file, which is created if it is missing; without a file, a new one.
    pub(super) fn open(path: Option<&Path>) -> StoreResult<Self> {
        let Some(path) = path else { return Ok(Self { owner: random(path)?, _lock: None }) };
        let failed = |action| move |source| StoreError::Open { action, path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let opened = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
        let mut file = opened.map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let mut id = Vec::new();
        file.read_to_end(&mut id).map_err(failed("read"))?;
        if id.len() != ID {
            id = random(Some(path))?;
            file.write_all_at(&id, 0).and_then(|()| file.sync_all()).map_err(failed("write"))?;
        }
        // A folder that was copied to another host has another identity there.
        id.extend_from_slice(host().as_bytes());
        Ok(Self { owner: id, _lock: Some(file) })
    }
}

fn random(path: Option<&Path>) -> StoreResult<Vec<u8>> {
    let mut id = vec![0; ID];
    getrandom::fill(&mut id).map_err(|error| StoreError::Open {
        action: "make an identity for",
        path: path.unwrap_or(Path::new("this process")).to_owned(),
        source: error.into(),
    })?;
    Ok(id)
}

/// Takes a lease that is free or has ended, by the clock of the database.
const TAKE: &str = "INSERT INTO keyferry_leases (name, owner, holder, number, ends) \
    VALUES ('store', $1, $2, 1, now() + interval '15 seconds') ON CONFLICT (name) DO UPDATE \
    SET owner = EXCLUDED.owner, holder = EXCLUDED.holder, number = keyferry_leases.number + 1, ends = EXCLUDED.ends \
    WHERE keyferry_leases.ends < now() OR keyferry_leases.owner = EXCLUDED.owner RETURNING number";
const HOLDER: &str = "SELECT holder FROM keyferry_leases WHERE name = 'store'";
const RENEW: &str = "UPDATE keyferry_leases SET ends = now() + interval '15 seconds' \
    WHERE name = 'store' AND owner = $1 AND number = $2";
const RELEASE: &str = "UPDATE keyferry_leases SET ends = now() - interval '1 second' \
    WHERE name = 'store' AND owner = $1 AND number = $2";

impl Lease {
    /// Takes the lease. `Err` within is the process that has it.
    pub(super) async fn take(client: &Client, identity: &Identity) -> Result<Result<Self, String>, Fault> {
        let owner = identity.owner.clone();
        let (key, holder) = (owner.as_slice(), format!("process {} on {}", process::id(), host()));
        let row = client.query_typed_opt(TAKE, &[(&key, Type::BYTEA), (&holder, Type::TEXT)]).await?;
        if let Some(row) = row {
            return Ok(Ok(Self { owner, number: row.try_get(0)? }));
        }
        let holder = client.query_typed_opt(HOLDER, &[]).await?;
        Ok(Err(holder.map(|row| row.try_get(0)).transpose()?.unwrap_or_default()))
    }

    /// Renews it. `false` where another process has taken it.
    pub(super) async fn renew(&self, client: &Client) -> Result<bool, Error> {
        self.update(client, RENEW).await
    }

    /// Gives it back, so that the next one need not wait for its end.
    pub(super) async fn release(&self, client: &Client) -> Result<bool, Error> {
        self.update(client, RELEASE).await
    }

    async fn update(&self, client: &Client, sql: &str) -> Result<bool, Error> {
        let owner = self.owner.as_slice();
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&owner, Type::BYTEA), (&self.number, Type::INT8)];
        Ok(client.execute_typed(sql, &parameters).await? == 1)
    }
}

/// The name of this host.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "an unnamed host".to_owned() } else { name.to_owned() }
}
