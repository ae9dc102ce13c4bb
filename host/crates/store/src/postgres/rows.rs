//! Rows of the database, within one transaction.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::runtime::{Handle, Runtime};
use tokio_postgres::Client;

use super::fault::Fault;
use super::places::Places;
use super::sql::{self, KeyedRow};
use crate::records::{Hints, Range, Rows, Table, Take};
use crate::{StoreError, StoreResult};

/// Rows that are asked for at a time.
const PAGE: usize = 256;
/// How long a statement may take, from here to the database and back.
const PATIENCE: Duration = Duration::from_secs(20);

/// The result of requests; a fault after [`PATIENCE`].
pub(super) async fn in_time<T, E>(requests: impl Future<Output = Result<T, E>>) -> Result<T, Fault>
where
    Fault: From<E>,
{
    let slow = |_| Fault::lost(format!("no response within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, requests).await.map_err(slow)?.map_err(Fault::from)
}

/// What waits for the database.
#[derive(Clone, Copy)]
pub(super) enum Waiter<'a> {
    /// A thread with a runtime of its own.
    Own(&'a Runtime),
    /// A blocking thread of another runtime.
    Other(&'a Handle),
}

impl Waiter<'_> {
    /// Waits for requests, and for [`PATIENCE`] at most.
    pub(super) fn wait<T, E>(self, requests: impl Future<Output = Result<T, E>>) -> Result<T, Fault>
    where
        Fault: From<E>,
    {
        match self {
            Self::Own(runtime) => runtime.block_on(in_time(requests)),
            Self::Other(handle) => handle.block_on(in_time(requests)),
        }
    }
}

/// Rows as a transaction sees them.
pub(super) struct PostgresRows<'a> {
    client: &'a Client,
    waiter: Waiter<'a>,
    /// Where numbers come from, if it is a batch of writes.
    places: Option<&'a Places>,
    /// What was read already. A transaction sees the same rows all the time.
    known: RefCell<Known>,
    /// The first fault, which the use case that met it knows as an error of a read.
    fault: RefCell<Option<Fault>>,
}

#[derive(Default)]
struct Known {
    rows: HashMap<Table, HashMap<Vec<u8>, Option<Bytes>>>,
    prefixes: HashMap<Table, HashMap<Vec<u8>, Rc<Vec<KeyedRow>>>>,
}

impl<'a> PostgresRows<'a> {
    pub(super) fn new(client: &'a Client, waiter: Waiter<'a>) -> Self {
        Self { client, waiter, places: None, known: RefCell::default(), fault: RefCell::default() }
    }

    /// Those that a batch of writes sees.
    pub(super) fn writing(client: &'a Client, waiter: Waiter<'a>, places: &'a Places) -> Self {
        Self { places: Some(places), ..Self::new(client, waiter) }
    }

    /// What has failed since.
    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.fault.borrow_mut().take()
    }

    /// Reads what use cases are about to ask for, all of it at once.
    pub(super) async fn prefetch(&self, hints: &Hints) -> Result<(), tokio_postgres::Error> {
        let mut wanted: BTreeMap<Table, Vec<&[u8]>> = BTreeMap::new();
        for (table, key) in &hints.rows {
            wanted.entry(*table).or_default().push(key);
        }
        for keys in wanted.values_mut() {
            keys.sort_unstable();
            keys.dedup();
        }
        let mut prefixes: Vec<_> = hints.prefixes.iter().collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let rows = wanted.iter().map(|(table, keys)| sql::get_all(self.client, *table, keys));
        // One more than is kept says that there are more.
        let ranges = prefixes.iter().map(|(table, prefix)| {
            sql::page(self.client, *table, Range::of(prefix), i64::try_from(PAGE).unwrap_or(i64::MAX))
        });
        let (rows, ranges) = tokio::join!(biased; join_all(rows), join_all(ranges));
        let mut known = self.known.borrow_mut();
        for ((table, keys), found) in wanted.into_iter().zip(rows) {
            let known = known.rows.entry(table).or_default();
            known.extend(keys.into_iter().map(|key| (key.to_vec(), None)));
            known.extend(found?.into_iter().map(|(key, record)| (key, Some(record))));
        }
        for ((table, prefix), found) in prefixes.into_iter().zip(ranges) {
            let found = found?;
            if found.len() < PAGE {
                known.prefixes.entry(*table).or_default().insert(prefix.clone(), Rc::new(found));
            }
        }
        Ok(())
    }

    fn wait<T>(&self, request: impl Future<Output = Result<T, tokio_postgres::Error>>) -> StoreResult<T> {
        // After a fault, the transaction is over: what follows would only say so.
        if let Some(fault) = &*self.fault.borrow() {
            return Err(fault.clone().into_error());
        }
        self.waiter.wait(request).map_err(|fault| {
            *self.fault.borrow_mut() = Some(fault.clone());
            fault.into_error()
        })
    }

    fn row(&self, table: Table, key: &[u8]) -> StoreResult<Option<Bytes>> {
        let known = self.known.borrow().rows.get(&table).and_then(|rows| rows.get(key)).cloned();
        if let Some(row) = known {
            return Ok(row);
        }
        let row = self.wait(sql::get(self.client, table, key))?;
        self.known.borrow_mut().rows.entry(table).or_default().insert(key.to_vec(), row.clone());
        Ok(row)
    }

    fn known_prefix(&self, table: Table, prefix: &[u8]) -> Option<Rc<Vec<KeyedRow>>> {
        self.known.borrow().prefixes.get(&table)?.get(prefix).cloned()
    }
}

impl Rows for PostgresRows<'_> {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8]) -> StoreResult<()>) -> StoreResult<bool> {
        let row = self.row(table, key)?;
        row.as_deref().map_or(Ok(()), read)?;
        Ok(row.is_some())
    }

    fn walk(&self, table: Table, range: Range<'_>, take: &mut Take<'_>) -> StoreResult<()> {
        let is_whole = range.after.is_none() && !range.backwards && range.skipped == 0;
        if is_whole && let Some(known) = self.known_prefix(table, range.prefix) {
            for (key, record) in known.iter() {
                if take(key, record)? == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
            return Ok(());
        }
        let most = range.most.map_or(PAGE, |most| most.clamp(1, PAGE));
        let mut after: Option<Vec<u8>> = range.after.map(<[u8]>::to_vec);
        let (mut taken, mut skipped) = (0, range.skipped);
        loop {
            let next = Range { after: after.as_deref(), skipped, ..range };
            let page = self.wait(sql::page(self.client, table, next, i64::try_from(most).unwrap_or(i64::MAX)))?;
            for (key, record) in &page {
                if take(key, record)? == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
            let (is_first, is_last) = (taken == 0, page.len() < most);
            (taken, skipped) = (taken + page.len(), 0);
            if is_first && is_last && is_whole {
                self.known.borrow_mut().prefixes.entry(table).or_default().insert(range.prefix.to_vec(), Rc::new(page));
                return Ok(());
            }
            match page.into_iter().next_back() {
                Some((last, _)) if !is_last && range.most.is_none_or(|most| taken < most) => after = Some(last),
                _ => return Ok(()),
            }
        }
    }

    fn fetch(&self, hints: &Hints) -> StoreResult<()> {
        self.wait(self.prefetch(hints))
    }

    fn fetches(&self) -> bool {
        true
    }

    fn count(&self, table: Table, range: Range<'_>) -> StoreResult<usize> {
        let count = self.wait(sql::count(self.client, table, range))?;
        usize::try_from(count).map_err(|_| StoreError::Contradiction("a table has less than no rows"))
    }

    fn is_shared(&self) -> bool {
        self.places.is_some()
    }

    fn next_place(&self) -> Option<u64> {
        self.places.map(Places::next)
    }

    /// The transaction sees one moment all the time.
    fn at_one_moment(&self, read: &mut dyn FnMut() -> StoreResult<()>) -> StoreResult<()> {
        read()
    }
}
