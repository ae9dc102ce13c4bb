//! What one write of a batch sees and changes: the rows of the engine, under what earlier writes of the batch have changed, under its
//! own changes.
//!
//! The engine makes sure that what is read here holds until the batch is written.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::audit_head::Head;
use super::changes::Changes;
use super::codec::{check_size, decode, encode};
use super::rows::{ENOUGH, NEXT, Range, Rows};
use super::table::Table;
use crate::{Kept, StoreResult, WebhookKey};
use keyferry_types::ids::OrgId;

/// Uncommitted changes over the rows; the module's documentation has the rules.
pub(crate) struct View<'a> {
    rows: &'a dyn Rows,
    batch: &'a mut Changes,
    own: Changes,
    wakeups: Vec<WebhookKey>,
}

impl<'a> View<'a> {
    pub(crate) fn new(rows: &'a dyn Rows, batch: &'a mut Changes) -> Self {
        Self { rows, batch, own: Changes::default(), wakeups: Vec::new() }
    }

    /// Makes the changes part of the batch; without this call they are dropped. Returns the webhooks that the notifier
    /// reports once the changes are durable.
    pub(crate) fn accept(self) -> Vec<WebhookKey> {
        self.batch.merge(self.own);
        self.wakeups
    }

    /// Reports a webhook to the notifier once the changes are durable.
    pub(super) fn notify(&mut self, webhook: WebhookKey) {
        self.wakeups.push(webhook);
    }

    /// What is stored, without what this batch changes.
    pub(super) fn stored(&self) -> &dyn Rows {
        self.rows
    }

    /// Whether this batch has events for an organisation's trail so far.
    pub(super) fn has_events_of(&self, org: &OrgId) -> bool {
        self.own.has_events_of(org) || self.batch.has_events_of(org)
    }

    /// Adds an event to those of an organisation's trail. `head` is for the first one of the batch.
    pub(super) fn record_event(&mut self, org: &OrgId, event: Vec<u8>, head: Option<Head>) {
        self.own.add_event(org, event, head);
    }

    /// Other hosts give up what they keep of this in memory.
    pub(super) fn changes(&mut self, kept: Kept) -> StoreResult<()> {
        match self.rows.is_shared() {
            true => self.put_raw(Table::Meta, kept.row().to_vec(), fastrand::u64(..).to_be_bytes().to_vec()),
            false => Ok(()),
        }
    }

    /// The row as the batch has changed it; `None` where it has not.
    fn changed(&self, table: Table, key: &[u8]) -> Option<&Option<Bytes>> {
        self.own.get(table, key).or_else(|| self.batch.get(table, key))
    }

    pub(super) fn raw(&self, table: Table, key: &[u8]) -> StoreResult<Option<Bytes>> {
        if let Some(changed) = self.changed(table, key) {
            return Ok(changed.clone());
        }
        let mut row = None;
        self.rows.get(table, key, &mut |bytes| {
            row = Some(Bytes::copy_from_slice(bytes));
            Ok(())
        })?;
        Ok(row)
    }

    pub(super) fn get<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> StoreResult<Option<T>> {
        match self.changed(table, key) {
            Some(changed) => changed.as_ref().map(|bytes| decode(table, bytes)).transpose(),
            None => self.rows.record(table, key),
        }
    }

    pub(super) fn has(&self, table: Table, key: &[u8]) -> StoreResult<bool> {
        match self.changed(table, key) {
            Some(changed) => Ok(changed.is_some()),
            None => self.rows.has(table, key),
        }
    }

    pub(super) fn put_raw(&mut self, table: Table, key: Vec<u8>, bytes: impl Into<Bytes>) -> StoreResult<()> {
        let bytes = bytes.into();
        check_size(table, key.len().max(bytes.len()))?;
        self.own.set(table, key, Some(bytes));
        Ok(())
    }

    pub(super) fn put<T: Serialize>(&mut self, table: Table, key: Vec<u8>, record: &T) -> StoreResult<()> {
        let bytes = encode(table, record)?;
        self.put_raw(table, key, bytes)
    }

    pub(super) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.own.set(table, key, None);
    }

    /// All rows whose keys begin with `prefix`. For prefixes of few rows.
    pub(super) fn scan(&self, table: Table, prefix: &[u8]) -> StoreResult<Vec<(Vec<u8>, Bytes)>> {
        let mut rows = BTreeMap::new();
        self.rows.walk(table, Range::of(prefix), &mut |key, bytes| {
            rows.insert(key.to_vec(), Bytes::copy_from_slice(bytes));
            NEXT
        })?;
        self.batch.overlay(table, prefix, &mut rows);
        self.own.overlay(table, prefix, &mut rows);
        Ok(rows.into_iter().collect())
    }

    /// The first rows whose keys begin with `prefix`, as they are stored, without those that this batch has removed or
    /// changed.
    pub(super) fn first_of(&self, table: Table, prefix: &[u8], limit: usize) -> StoreResult<Vec<(Vec<u8>, Bytes)>> {
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        self.rows.walk(table, Range::of(prefix), &mut |key, bytes| {
            if self.changed(table, key).is_none() {
                rows.push((key.to_vec(), Bytes::copy_from_slice(bytes)));
            }
            if rows.len() < limit { NEXT } else { ENOUGH }
        })?;
        Ok(rows)
    }

    /// The keys of a table's first rows in their order, as they are stored: without what this batch changes.
    pub(super) fn first_stored(&self, table: Table, limit: usize) -> StoreResult<Vec<Vec<u8>>> {
        let mut keys = Vec::new();
        self.rows.walk(table, Range::of(&[]).most(limit), &mut |key, _| {
            keys.push(key.to_vec());
            if keys.len() < limit { NEXT } else { ENOUGH }
        })?;
        Ok(keys)
    }
}
