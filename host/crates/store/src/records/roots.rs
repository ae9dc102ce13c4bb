//! Roots, and what is sealed under them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;

use super::codec::{check_size, decode};
use super::engine::Engine;
use super::hints::Hints;
use super::own::FIRST_KEK;
use super::rows::{NEXT, Range, Rows};
use super::table::Table;
use super::view::View;
use super::{audit_chain, keys};
use crate::{
    AuditEvent, ImportRecord, IntegrationKey, IntegrationRecord, Kept, OAuthClientRecord, Reseal, Rewrap, RootChange,
    RootRecord, RootStore, RowInput, StoreError, StoreResult, Timestamp, WebhookRecord,
};
use keyferry_types::ids::OrgId;

#[async_trait]
impl<E: Engine> RootStore for E {
    async fn roots(&self, org: &OrgId) -> StoreResult<Vec<RootRecord>> {
        let org = keys::org(org);
        self.read(move |rows| rows.records(Table::Roots, Range::of(&org))).await
    }

    async fn all_roots(&self) -> StoreResult<Vec<(OrgId, RootRecord)>> {
        self.scan(all_roots).await
    }

    async fn first_kek(&self, kek_id: &str) -> StoreResult<String> {
        let kek_id = kek_id.to_owned();
        self.write(512, Hints::default(), move |view| first_kek(view, &kek_id)).await
    }

    async fn add_root(&self, org: &OrgId, root: RootRecord, audit: AuditEvent) -> StoreResult<()> {
        let org = org.clone();
        self.write(1024, Hints::default(), move |view| add_root(view, &org, &root, &audit)).await
    }

    async fn rewrap_root(&self, rewrap: Rewrap) -> StoreResult<bool> {
        let weight: usize = rewrap.to.iter().map(|form| form.kek_id.len() + form.wrapped.len()).sum();
        check_size(Table::Roots, weight)?;
        self.write(weight + 1024, Hints::default(), move |view| rewrap_root(view, &rewrap)).await
    }

    async fn change_root(
        &self,
        org: &OrgId,
        key_id: u32,
        change: RootChange,
        audit: AuditEvent,
    ) -> StoreResult<RootRecord> {
        let org = org.clone();
        self.write(1024, Hints::default(), move |view| change_root(view, &org, key_id, change, &audit)).await
    }

    async fn sealed_under(&self, org: &OrgId) -> StoreResult<BTreeMap<u32, u64>> {
        let org = org.clone();
        self.scan(move |rows| sealed_under(rows, &org)).await
    }

    async fn integrations_after(
        &self,
        org: &OrgId,
        after: Option<&IntegrationKey>,
        limit: usize,
    ) -> StoreResult<Vec<IntegrationRecord>> {
        let (prefix, after) = (keys::org(org), after.map(keys::integration));
        self.scan(move |rows| rows.records(Table::Integrations, Range::of(&prefix).after(after.as_deref()).most(limit)))
            .await
    }

    async fn reseal(&self, reseal: Reseal) -> StoreResult<bool> {
        let hints = self.hints(|hints| {
            hints.row(Table::Integrations, keys::integration(&reseal.key));
            hint(hints, &reseal.key.account.org, reseal.to);
        });
        self.write(reseal.envelope.len() + 1024, hints, move |view| reseal_integration(view, &reseal)).await
    }
}

/// A root key that does not exist.
const MISSING: &str = "does not exist; `keyferry key list` lists those that do";

/// Implements [`RootStore::first_kek`].
fn first_kek(view: &mut View<'_>, kek_id: &str) -> StoreResult<String> {
    if let Some(first) = view.get(Table::Meta, FIRST_KEK)? {
        return Ok(first);
    }
    view.put(Table::Meta, FIRST_KEK.to_vec(), &kek_id)?;
    Ok(kek_id.to_owned())
}

fn refused(org: &OrgId, key_id: u32, problem: &'static str) -> StoreError {
    StoreError::Root { org: org.clone(), key_id, problem }
}

fn highest(view: &View<'_>, org: &OrgId) -> StoreResult<Option<u32>> {
    let rows = view.scan(Table::Roots, &keys::org(org))?;
    let last = rows.last().map(|(_, row)| decode::<RootRecord>(Table::Roots, row)).transpose()?;
    Ok(last.map(|root| root.key_id))
}

/// Implements [`RootStore::add_root`].
fn add_root(view: &mut View<'_>, org: &OrgId, root: &RootRecord, event: &AuditEvent) -> StoreResult<()> {
    let highest = highest(view, org)?;
    if highest.and_then(|highest| highest.checked_add(1)) != Some(root.key_id) {
        return Err(refused(org, root.key_id, "does not follow the highest root"));
    }
    view.put(Table::Roots, keys::root(org, root.key_id), root)?;
    view.changes(Kept::Roots)?;
    audit_chain::append(view, org, event)
}

/// Implements [`RootStore::all_roots`].
fn all_roots(rows: &dyn Rows) -> StoreResult<Vec<(OrgId, RootRecord)>> {
    let mut roots = Vec::new();
    rows.walk(Table::Roots, Range::of(&[]), &mut |key, value| {
        let damaged =
            || StoreError::Damaged { table: Table::Roots.name(), reason: "its key names no organisation".into() };
        roots.push((keys::root_org(key).ok_or_else(damaged)?, decode(Table::Roots, value)?));
        NEXT
    })?;
    Ok(roots)
}

/// Implements [`RootStore::rewrap_root`].
fn rewrap_root(view: &mut View<'_>, rewrap: &Rewrap) -> StoreResult<bool> {
    let Rewrap { org, key_id, from, to, audit: event } = rewrap;
    let row = keys::root(org, *key_id);
    let stored: Option<RootRecord> = view.get(Table::Roots, &row)?;
    let mut root = stored.ok_or_else(|| refused(org, *key_id, MISSING))?;
    if root.wrappings() != *from {
        return Ok(false);
    }
    let mut to = to.iter().cloned();
    let first = to.next().ok_or(StoreError::Contradiction("a root without any form opens nothing"))?;
    (root.kek_id, root.wrapped, root.also) = (first.kek_id, first.wrapped, to.collect());
    view.put(Table::Roots, row, &root)?;
    audit_chain::append(view, org, event)?;
    Ok(true)
}

/// Implements [`RootStore::change_root`].
fn change_root(
    view: &mut View<'_>,
    org: &OrgId,
    key_id: u32,
    change: RootChange,
    event: &AuditEvent,
) -> StoreResult<RootRecord> {
    let row = keys::root(org, key_id);
    let mut root: RootRecord = view.get(Table::Roots, &row)?.ok_or_else(|| refused(org, key_id, MISSING))?;
    if highest(view, org)? == Some(key_id) {
        return Err(refused(
            org,
            key_id,
            "is the newest, which seals; make another one first by `keyferry key rotate`",
        ));
    }
    match change {
        RootChange::Disable if root.disabled_at.is_some() => return Ok(root),
        RootChange::Disable => {
            root.disabled_at = Some(event.at);
            view.put(Table::Roots, row, &root)?;
        }
        RootChange::Enable => {
            root.disabled_at = None;
            view.put(Table::Roots, row, &root)?;
        }
        RootChange::Destroy if root.disabled_at.is_none() => {
            return Err(refused(org, key_id, "is in use; disable it first"));
        }
        RootChange::Destroy => view.remove(Table::Roots, row),
    }
    view.changes(Kept::Roots)?;
    audit_chain::append(view, org, event)?;
    Ok(root)
}

/// What a write has to know of its root.
#[derive(Deserialize)]
struct Use {
    #[serde(default)]
    disabled_at: Option<Timestamp>,
}

/// What [`require_in_use`] reads.
pub(super) fn hint(hints: &mut Hints, org: &OrgId, key_id: u32) {
    hints.row(Table::Roots, keys::root(org, key_id));
}

/// Whether something that is sealed under a root may be stored. An organisation without any root has nothing to compare with.
pub(super) fn require_in_use(view: &View<'_>, org: &OrgId, key_id: u32) -> StoreResult<()> {
    let root: Option<Use> = view.get(Table::Roots, &keys::root(org, key_id))?;
    match root {
        Some(root) if root.disabled_at.is_none() => Ok(()),
        None if highest(view, org)?.is_none() => Ok(()),
        _ => Err(StoreError::StaleRoot { org: org.clone(), key_id }),
    }
}

/// Implements [`RootStore::sealed_under`].
fn sealed_under(rows: &dyn Rows, org: &OrgId) -> StoreResult<BTreeMap<u32, u64>> {
    let mut counts = BTreeMap::new();
    let mut count = |key_id| *counts.entry(key_id).or_default() += 1;
    let org = keys::org(org);
    rows.each(Table::Integrations, Range::of(&org), |record: IntegrationRecord| count(record.key_id))?;
    rows.each(Table::Webhooks, Range::of(&org), |record: WebhookRecord| count(record.key_id))?;
    rows.each(Table::OAuthClients, Range::of(&org), |record: OAuthClientRecord| count(record.key_id))?;
    for import in rows.records::<ImportRecord>(Table::Imports, Range::of(&org))? {
        let of_import = Range::of(import.key.id.as_bytes());
        rows.each(Table::ImportInputs, of_import, |input: RowInput| count(input.key_id))?;
        rows.each(Table::ImportFormer, of_import, |former: IntegrationRecord| count(former.key_id))?;
    }
    Ok(counts)
}

/// Implements [`RootStore::reseal`].
fn reseal_integration(view: &mut View<'_>, reseal: &Reseal) -> StoreResult<bool> {
    let Reseal { key, version, from, to, envelope, audit: event } = reseal;
    let row = keys::integration(key);
    let stored: Option<IntegrationRecord> = view.get(Table::Integrations, &row)?;
    let is_the_one = |stored: &IntegrationRecord| stored.version == *version && stored.key_id == *from;
    let Some(mut record) = stored.filter(is_the_one) else { return Ok(false) };
    require_in_use(view, &key.account.org, *to)?;
    record.key_id = *to;
    record.envelope.clone_from(envelope);
    view.put(Table::Integrations, row, &record)?;
    audit_chain::append(view, &key.account.org, event)?;
    Ok(true)
}
