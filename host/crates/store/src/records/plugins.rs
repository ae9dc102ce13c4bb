//! Plugin files, their components in parts, and grants.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::engine::Engine;
use super::hints::Hints;
use super::keys;
use super::rows::{Range, Rows};
use super::table::Table;
use super::view::View;
use crate::{
    ComponentKey, Kept, PLUGIN_PART, PluginChange, PluginStore, SharedFile, SharedPlugins, StoreError, StoreResult,
};

/// Key of the number of changes.
const VERSION: &[u8] = b"plugins";

#[async_trait]
impl<E: Engine> PluginStore for E {
    async fn shared_plugins(&self) -> StoreResult<SharedPlugins> {
        self.scan(all).await
    }

    async fn component_part(&self, sha256: &str, part: u32) -> StoreResult<Option<Vec<u8>>> {
        let row = keys::component_part(sha256, part);
        let found = self.read(move |rows| {
            let mut found = None;
            rows.get(Table::PluginParts, &row, &mut |bytes| {
                found = Some(bytes.to_vec());
                Ok(())
            })?;
            Ok(found)
        });
        found.await
    }

    async fn put_component_part(&self, sha256: &str, part: u32, bytes: Vec<u8>) -> StoreResult<()> {
        if bytes.len() > PLUGIN_PART {
            return Err(StoreError::TooLarge {
                what: Table::PluginParts.record(),
                size: bytes.len(),
                limit: PLUGIN_PART,
            });
        }
        let row = keys::component_part(sha256, part);
        let write = move |view: &mut View<'_>| view.put_raw(Table::PluginParts, row.clone(), bytes.clone());
        self.write(PLUGIN_PART, Hints::default(), write).await
    }

    async fn change_plugins(&self, change: PluginChange) -> StoreResult<u64> {
        self.write(4096, Hints::default(), move |view| apply(view, &change)).await
    }
}

/// Implements [`PluginStore::shared_plugins`].
fn all(rows: &dyn Rows) -> StoreResult<SharedPlugins> {
    rows.together(|| {
        Ok(SharedPlugins {
            version: rows.record(Table::Meta, VERSION)?.unwrap_or_default(),
            files: rows.records(Table::PluginFiles, Range::of(&[]))?,
            grants: rows.records(Table::PluginGrants, Range::of(&[]))?,
        })
    })
}

/// Implements [`PluginStore::change_plugins`].
fn apply(view: &mut View<'_>, change: &PluginChange) -> StoreResult<u64> {
    let version: u64 = view.get(Table::Meta, VERSION)?.unwrap_or_default();
    if version != change.expected {
        return Err(StoreError::Conflict { current: Some(version) });
    }
    let before = components(view)?;
    for file in &change.put {
        view.put(Table::PluginFiles, file.name.as_bytes().to_vec(), file)?;
    }
    for name in &change.removed {
        view.remove(Table::PluginFiles, name.as_bytes().to_vec());
    }
    for grant in &change.grants {
        view.put(Table::PluginGrants, grant.sha256.as_bytes().to_vec(), grant)?;
    }
    for gone in before.difference(&components(view)?) {
        (0..gone.parts).for_each(|part| view.remove(Table::PluginParts, keys::component_part(&gone.sha256, part)));
    }
    view.put(Table::Meta, VERSION.to_vec(), &(version + 1))?;
    view.changes(Kept::Plugins)?;
    Ok(version + 1)
}

/// All components that files name.
fn components(view: &View<'_>) -> StoreResult<BTreeSet<ComponentKey>> {
    let mut found = BTreeSet::new();
    for (_, file) in view.scan(Table::PluginFiles, &[])? {
        let SharedFile { component, former, .. } = super::codec::decode(Table::PluginFiles, &file)?;
        found.insert(component);
        found.extend(former);
    }
    Ok(found)
}
