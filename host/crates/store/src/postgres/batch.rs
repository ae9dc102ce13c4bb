//! One batch of writes as one transaction.

use std::cell::Cell;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio_postgres::Client;

use super::fault::{Fault, Kind};
use super::lease::Lease;
use super::places::Places;
use super::rows::{PostgresRows, Waiter};
use super::sql;
use super::standing::Standing;
use crate::records::{Changes, Hints, Job, Left, Rows as _, Table, link_waiting, park, sweep};
use crate::{StoreError, Timestamp};

/// The table with a row for each batch that was committed.
const BATCHES: &str = "batches";
/// What a batch leaves there.
const COMMITTED: &[u8] = &[1];
/// What is put in its place when it is missing.
const GIVEN_UP: &[u8] = &[0];
/// How long the rows stay. No transaction lives as long.
const KEPT_MILLIS: u64 = 10 * 60 * 1000;

/// Why this process has to end.
pub(super) const OVERTAKEN: &str =
    "another server has taken over the work of this one, which did not renew its lease for 10 s; start it again";

/// Names a batch: the milliseconds of its time, and random bytes.
pub(super) struct BatchId([u8; 24]);

impl BatchId {
    /// A new one.
    ///
    /// # Errors
    /// Without random bytes.
    pub(super) fn generate() -> Result<Self, Fault> {
        let mut id = [0; 24];
        let (time, random) = id.split_at_mut(8);
        time.copy_from_slice(&Timestamp::now().as_millis().to_be_bytes());
        match getrandom::fill(random) {
            Ok(()) => Ok(Self(id)),
            Err(error) => Err(Fault { kind: Kind::Refused, reason: format!("no random bytes: {error}").into() }),
        }
    }
}

/// What a batch does besides its writes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tidying {
    /// Brings audit events of all hosts into their chains.
    pub(super) link: bool,
    /// Removes expired records. It writes in any case: it shows whether the database takes writes.
    pub(super) sweep: bool,
}

/// What became of a transaction.
pub(super) enum Outcome {
    /// It is durable.
    Committed,
    /// Nothing of it was written.
    RolledBack(Fault),
    /// The connection was lost before the reply to its `COMMIT`.
    Unknown(Fault),
}

/// What each batch of this process needs.
#[derive(Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) lease: &'a Lease,
    pub(super) places: &'a Places,
    pub(super) standing: &'a Standing,
    /// Whether audit events are left that a batch had no room for.
    pub(super) backlog: &'a Cell<bool>,
}

/// Carries out the writes of a batch and commits them.
pub(super) fn attempt(
    client: &Client,
    runtime: &Runtime,
    writing: Writing<'_>,
    jobs: &mut [Box<dyn Job>],
    tidying: Tidying,
    id: &BatchId,
) -> Outcome {
    let waiter = Waiter::Own(runtime);
    let rows = PostgresRows::writing(client, waiter, writing.places);
    let changes = match collect(&rows, waiter, client, writing, jobs, tidying) {
        Ok(changes) => changes,
        Err(fault) => {
            if fault.kind != Kind::Lost {
                // Where this fails, the next attempt finds the connection closed.
                let _ = waiter.wait(client.batch_execute("ROLLBACK"));
            }
            return Outcome::RolledBack(fault);
        }
    };
    // What the writes have read holds only if they could be committed, also where nothing is to be changed.
    match waiter.wait(write(client, &changes, id, tidying.sweep)) {
        Ok(outcome) => outcome,
        Err(fault) => Outcome::Unknown(fault),
    }
}

/// Begins the transaction and lets each write make its changes.
fn collect(
    rows: &PostgresRows<'_>,
    waiter: Waiter<'_>,
    client: &Client,
    writing: Writing<'_>,
    jobs: &mut [Box<dyn Job>],
    tidying: Tidying,
) -> Result<Changes, Fault> {
    let Writing { lease, places, standing, backlog } = writing;
    if lease.is_readers() {
        return Err(Fault { kind: Kind::Refused, reason: "this process has the database open to read".into() });
    }
    let mut hints = Hints::default();
    jobs.iter().for_each(|job| job.hint(&mut hints));
    let began = Instant::now();
    // Requests are sent in the order in which they are first polled.
    let begin = async {
        tokio::try_join!(biased; client.batch_execute(sql::BEGIN), lease.renew(client), rows.prefetch(&hints))
    };
    let Some(clock) = waiter.wait(begin)?.1 else {
        return Err(Fault { kind: Kind::Overtaken, reason: OVERTAKEN.into() });
    };
    standing.renewed(began);
    places.reached(clock);
    let mut changes = Changes::default();
    let is_sound = || rows.take_fault().map_or(Ok(()), Err);
    for job in jobs {
        job.apply(rows, &mut changes);
        is_sound()?;
    }
    if tidying.sweep {
        sweep(rows, &mut changes);
        is_sound()?;
    }
    let unwritable = |error: StoreError| Fault {
        kind: Kind::Refused,
        reason: format!("the audit trail cannot be written: {error}").into(),
    };
    if tidying.link {
        let linked = link_waiting(rows, &mut changes);
        is_sound()?;
        backlog.set(linked.map_err(unwritable)? == Left::Some);
    }
    park(&mut changes, || rows.next_place()).map_err(unwritable)?;
    Ok(changes)
}

/// The rows of a table to put, and the keys of those to remove.
#[derive(Default)]
struct OfTable<'a> {
    put: (Vec<&'a [u8]>, Vec<&'a [u8]>),
    removed: Vec<&'a [u8]>,
}

/// Sends all changes and the `COMMIT` behind them, without waiting for one before the next.
async fn write(
    client: &Client,
    changes: &Changes,
    id: &BatchId,
    with_sweep: bool,
) -> Result<Outcome, tokio_postgres::Error> {
    let mut tables: Vec<(Table, OfTable<'_>)> = Vec::new();
    for (table, key, record) in changes.iter() {
        if tables.last().is_none_or(|(last, _)| *last != table) {
            tables.push((table, OfTable::default()));
        }
        let Some((_, of_table)) = tables.last_mut() else { continue };
        match record {
            Some(record) => {
                of_table.put.0.push(key);
                of_table.put.1.push(record);
            }
            None => of_table.removed.push(key),
        }
    }
    let mark = async {
        // A sweep writes in any case: it shows whether the database takes writes.
        match changes.is_empty() && !with_sweep {
            true => Ok(()),
            // No `ON CONFLICT`: a batch that was given up must not be committed.
            false => insert(client, id, COMMITTED).await.map(|_| ()),
        }
    };
    let puts = tables.iter().filter(|(_, of_table)| !of_table.put.0.is_empty());
    let puts = puts.map(|(table, of_table)| sql::put_all(client, table.name(), &of_table.put.0, &of_table.put.1));
    let removals = tables.iter().filter(|(_, of_table)| !of_table.removed.is_empty());
    let removals = removals.map(|(table, of_table)| sql::remove_all(client, table.name(), &of_table.removed));
    let old = Timestamp::now().as_millis().saturating_sub(KEPT_MILLIS).to_be_bytes();
    let sweep = async {
        match with_sweep {
            true => sql::remove_below(client, BATCHES, &old).await,
            false => Ok(()),
        }
    };
    // Each has fewer futures than are polled in another order.
    let (mark, puts, removals, swept, committed) = tokio::join!(
        biased;
        mark,
        join_all(puts),
        join_all(removals),
        sweep,
        client.batch_execute("COMMIT")
    );
    for result in [mark].into_iter().chain(puts).chain(removals).chain([swept]) {
        if let Err(error) = result {
            let fault = Fault::from(error);
            // After an error within it, `COMMIT` rolls back.
            return Ok(if fault.kind == Kind::Lost { Outcome::Unknown(fault) } else { Outcome::RolledBack(fault) });
        }
    }
    Ok(match committed.map_err(Fault::from) {
        Ok(()) => Outcome::Committed,
        Err(fault) if fault.kind == Kind::Lost => Outcome::Unknown(fault),
        Err(fault) => Outcome::RolledBack(fault),
    })
}

async fn insert(client: &Client, id: &BatchId, record: &[u8]) -> Result<u64, tokio_postgres::Error> {
    sql::insert(client, BATCHES, &id.0, record, "").await
}

/// Whether a batch was committed whose connection was lost. Afterwards it cannot be committed any more: its row is taken. Where its
/// transaction still lives, this waits for its end.
pub(super) async fn was_committed(client: &Client, id: &BatchId) -> Result<bool, tokio_postgres::Error> {
    sql::insert(client, BATCHES, &id.0, GIVEN_UP, "ON CONFLICT (key) DO NOTHING").await?;
    let row = sql::get_raw(client, BATCHES, &id.0).await?;
    Ok(row.as_deref() == Some(COMMITTED))
}
