//! Who may write: each process has a lease, which ends where it is not renewed. Each batch of writes renews it and requires that its
//! number is still the one that the process was given, so that a process that was stopped for a while, and whose lease another one has
//! retired, writes nothing when it comes back.

use std::path::Path;
use std::process;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::fault::{Fault, Kind};
use super::identity::{Identity, host};
use super::sql;
use crate::records::{Host, Table, decode};

/// How long a lease lasts after it was renewed.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// Servers that have one database open at a time.
pub(super) const MOST_HOSTS: u8 = 15;

/// What a process has the database open for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A command that changes what servers keep in memory: it is refused while a server has the database open.
    Alone,
    /// One of several servers. It waits while a command has the database for itself.
    Host,
    /// A command that reads, beside whichever process has the database open. It has no lease, and its writes are refused.
    Reader,
}

/// The lease that this process has.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    name: String,
    owner: Vec<u8>,
    host: Host,
}

/// Why there is no lease at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Busy {
    /// This process has the database open, in a way that excludes this one.
    Held(String),
    /// As many servers as there can be have it.
    Full,
}

/// A row of the leases.
struct Row {
    name: String,
    owner: Vec<u8>,
    holder: String,
    number: i64,
    has_ended: bool,
}

const ALONE: &str = "store";
/// The lease of a process that writes nothing is in no row.
const READER: &str = "reader";
const ALL: &str = "SELECT name, owner, holder, number, ends < now() FROM keyferry_leases";
const PUT: &str = "INSERT INTO keyferry_leases (name, owner, holder, number, ends) \
    VALUES ($1, $2, $3, $4, now() + interval '10 seconds') ON CONFLICT (name) DO UPDATE \
    SET owner = EXCLUDED.owner, holder = EXCLUDED.holder, number = EXCLUDED.number, ends = EXCLUDED.ends";
/// The clock is read after the transaction has begun to see what others have committed.
const RENEW: &str = "UPDATE keyferry_leases SET ends = now() + interval '10 seconds' \
    WHERE name = $1 AND owner = $2 AND number = $3 RETURNING (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
/// No process has it any more, and the one that had it finds another number.
const RETIRE: &str = "UPDATE keyferry_leases SET owner = ''::bytea, number = number + 1, ends = now() - interval '1 second' \
    WHERE name = $1 AND number = $2";

impl Lease {
    /// Takes the lease for an access.
    pub(super) async fn take(
        client: &Client,
        identity: &Identity,
        access: Access,
    ) -> Result<Result<Self, Busy>, Fault> {
        if access == Access::Reader {
            let host = Host { slot: MOST_HOSTS, number: 0 };
            return Ok(Ok(Self { name: READER.to_owned(), owner: Vec::new(), host }));
        }
        loop {
            let taken = Self::try_to_take(client, identity, access).await;
            if let Some(done) = ended(client, taken).await {
                return done;
            }
        }
    }

    async fn try_to_take(client: &Client, identity: &Identity, access: Access) -> Result<Result<Self, Busy>, Error> {
        client.batch_execute(sql::BEGIN).await?;
        let rows = all(client).await?;
        let owner = &identity.owner;
        let is_mine = |row: &&Row| row.owner == *owner;
        let excludes = |row: &&Row| {
            // A copy of a data folder has its identity, and its process may not take the place of one that runs.
            let is_held = if is_mine(row) { row.runs_here() } else { access == Access::Alone || row.name == ALONE };
            row.is_live() && is_held
        };
        if let Some(row) = rows.iter().find(excludes) {
            client.batch_execute("ROLLBACK").await?;
            return Ok(Err(Busy::Held(row.holder.clone())));
        }
        let is_free = |slot: &u8| {
            let row = rows.iter().find(|row| row.name == name_of(*slot));
            row.is_none_or(|row| !row.is_live() || is_mine(&row))
        };
        let mine = rows.iter().filter(is_mine).find_map(|row| slot_of(&row.name));
        let slot = match access {
            Access::Alone | Access::Reader => Some(MOST_HOSTS),
            Access::Host => mine.or_else(|| (0..MOST_HOSTS).find(is_free)),
        };
        let Some(slot) = slot else {
            client.batch_execute("ROLLBACK").await?;
            return Ok(Err(Busy::Full));
        };
        let name = if access == Access::Alone { ALONE.to_owned() } else { name_of(slot) };
        // A lease that has ended is retired: its process must not come back beside a command that is alone, nor to its claims.
        for row in rows.iter().filter(|row| row.name == name || is_mine(row) || row.has_ended) {
            retire(client, row).await?;
        }
        let number = rows.iter().find(|row| row.name == name).map_or(1, |row| row.number + 2);
        let holder = format!("process {} on {}", process::id(), host());
        let parameters: [(&(dyn ToSql + Sync), Type); 4] =
            [(&name, Type::TEXT), (owner, Type::BYTEA), (&holder, Type::TEXT), (&number, Type::INT8)];
        client.execute_typed(PUT, &parameters).await?;
        client.batch_execute("COMMIT").await?;
        Ok(Ok(Self { name, owner: owner.clone(), host: Host { slot, number } }))
    }

    /// The host of this lease, by which its claims are known.
    pub(super) fn host(&self) -> Host {
        self.host
    }

    /// Whether it allows no writes.
    pub(super) fn is_readers(&self) -> bool {
        self.name == READER
    }

    /// Renews it. Returns the clock of the database in microseconds, and `None` where the lease was retired.
    pub(super) async fn renew(&self, client: &Client) -> Result<Option<u64>, Error> {
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&self.name, Type::TEXT), (&self.owner, Type::BYTEA), (&self.host.number, Type::INT8)];
        let row = client.query_typed_opt(RENEW, &parameters).await?;
        row.map(|row| Ok(row.try_get::<_, i64>(0)?.unsigned_abs())).transpose()
    }

    /// Gives it back with all claims, so that others need not wait for its end.
    pub(super) async fn release(&self, client: &Client) -> Result<(), Fault> {
        self.retire_all(client, Which::Own).await
    }

    /// Retires the leases of other processes that have ended, with their claims.
    pub(super) async fn retire_others(&self, client: &Client) -> Result<(), Fault> {
        self.retire_all(client, Which::Ended).await
    }

    async fn retire_all(&self, client: &Client, which: Which) -> Result<(), Fault> {
        loop {
            let retired = self.try_to_retire(client, which).await;
            if let Some(done) = ended(client, retired).await {
                return done;
            }
        }
    }

    async fn try_to_retire(&self, client: &Client, which: Which) -> Result<(), Error> {
        client.batch_execute(sql::BEGIN).await?;
        for row in &all(client).await? {
            if !self.is_to_retire(row, which) {
                continue;
            }
            if which == Which::Ended {
                tracing::warn!(holder = row.holder, "another server has not renewed its lease: its work is taken over");
            }
            retire(client, row).await?;
        }
        client.batch_execute("COMMIT").await
    }

    fn is_to_retire(&self, row: &Row, which: Which) -> bool {
        let is_own = row.name == self.name && row.owner == self.owner && row.number == self.host.number;
        match which {
            Which::Own => is_own,
            Which::Ended => !is_own && row.has_ended && !row.owner.is_empty(),
        }
    }

    /// What servers there are.
    pub(super) async fn servers(&self, client: &Client) -> Result<Servers, Error> {
        let rows = all(client).await?;
        let live = || rows.iter().filter(|row| row.is_live());
        // A command that fills a store, or compares it with another one, is not to change what it has not written.
        let lowest = live().filter_map(|row| slot_of(&row.name)).min();
        Ok(Servers {
            live: live().count(),
            leads: lowest.is_some_and(|lowest| lowest == self.host.slot),
            some_ended: !self.is_readers() && rows.iter().any(|row| self.is_to_retire(row, Which::Ended)),
        })
    }
}

/// The processes that have the database open, or had.
pub(super) struct Servers {
    /// Number of those that have renewed their leases.
    pub(super) live: usize,
    /// Whether this process is the server that does what one of them has to do: the one with the lowest place.
    pub(super) leads: bool,
    /// Whether there are leases to retire.
    pub(super) some_ended: bool,
}

/// Leases that are retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// That of this process.
    Own,
    /// Those of others that were not renewed.
    Ended,
}

impl Row {
    /// Whether the process that has it is another one of this host, which has not ended.
    fn runs_here(&self) -> bool {
        let id = self.holder.strip_prefix("process ").and_then(|rest| rest.split(' ').next());
        let id: Option<u32> = id.and_then(|id| id.parse().ok());
        id.is_some_and(|id| id != process::id() && Path::new("/proc").join(id.to_string()).exists())
    }

    /// Whether a process has it.
    fn is_live(&self) -> bool {
        !self.has_ended && !self.owner.is_empty()
    }
}

fn name_of(slot: u8) -> String {
    format!("host/{slot}")
}

fn slot_of(name: &str) -> Option<u8> {
    name.strip_prefix("host/")?.parse().ok()
}

async fn all(client: &Client) -> Result<Vec<Row>, Error> {
    let rows = client.query_typed(ALL, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Row {
                name: row.try_get(0)?,
                owner: row.try_get(1)?,
                holder: row.try_get(2)?,
                number: row.try_get(3)?,
                has_ended: row.try_get(4)?,
            })
        })
        .collect()
}

/// Retires a lease and removes its claims.
async fn retire(client: &Client, row: &Row) -> Result<(), Error> {
    client.execute_typed(RETIRE, &[(&row.name, Type::TEXT), (&row.number, Type::INT8)]).await?;
    let Some(slot) = slot_of(&row.name) else { return Ok(()) };
    let claims = sql::all(client, Table::Claims).await?;
    // A row that is not readable as a claim belongs to no server.
    let is_of_host = |row: &[u8]| decode::<Host>(Table::Claims, row).is_ok_and(|host| host.slot == slot);
    let of_host: Vec<&[u8]> = claims.iter().filter(|(_, row)| is_of_host(row)).map(|(key, _)| key.as_slice()).collect();
    if of_host.is_empty() {
        return Ok(());
    }
    sql::remove_all(client, Table::Claims.name(), &of_host).await
}

/// The result of a transaction; `None` where it met another one and is to be run again.
async fn ended<T>(client: &Client, done: Result<T, Error>) -> Option<Result<T, Fault>> {
    let fault = match done {
        Ok(done) => return Some(Ok(done)),
        Err(error) => Fault::from(error),
    };
    if fault.kind != Kind::Lost {
        // Where this fails, the next statement finds the connection closed.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    if fault.kind != Kind::Met {
        return Some(Err(fault));
    }
    tokio::time::sleep(Duration::from_millis(fastrand::u64(1..=50))).await;
    None
}
