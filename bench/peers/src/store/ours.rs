//! Keyferry's store, through the functions that the server calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{AccountStore as _, ApiKeyStore as _, IntegrationStore as _, MigrationStore as _};

use super::records::{ACCOUNTS, Records};
use crate::outcome::{Outcome, Tried as _};

/// Accounts that are created concurrently.
const AT_ONCE: u64 = 250;

/// An open store with an organisation and its accounts.
pub(super) struct Ours {
    store: Arc<SledStore>,
    folder: PathBuf,
    records: Records,
}

impl Ours {
    pub(super) async fn open(folder: &Path) -> Outcome<Self> {
        let folder = folder.join("keyferry");
        let store = SledStore::open(SledSettings::new(&folder)).await.tried("open Keyferry's store")?;
        let (store, records) = (Arc::new(store), Records::new()?);
        store.create_api_key(records.api_key()).await.tried("make an API key")?;
        for first in (0..ACCOUNTS).step_by(usize::try_from(AT_ONCE).tried("count accounts")?) {
            let puts: Vec<_> = (first..ACCOUNTS.min(first + AT_ONCE))
                .map(|number| {
                    let (store, account) = (Arc::clone(&store), records.account(number));
                    tokio::spawn(async move { store.put_account(account?).await.tried("make an account").map(drop) })
                })
                .collect();
            for put in puts {
                put.await.tried("make accounts")??;
            }
        }
        Ok(Self { store, folder, records })
    }

    /// As the server does: it reads the account and the stored integration, and commits.
    pub(super) async fn write(&self, number: u64) -> Outcome<()> {
        let migration = self.records.migration(number)?;
        let key = migration.record.key();
        let is_there = self.store.has_account(&key.account).await.tried("look for an account")?;
        let stored = self.store.integration(&key).await.tried("look for an integration")?;
        if !is_there || stored.is_some() {
            return Err(format!("migration {number} does not find what was prepared for it").into());
        }
        self.store.commit_migration(migration).await.tried("commit a migration")
    }

    /// Batches so far, from the statistics that the store writes beside its database.
    pub(super) fn batches(&self) -> Outcome<u64> {
        let path = self.folder.join("keyferry-store");
        let marker = fs::read_to_string(&path).tried(format_args!("read {}", path.display()))?;
        let count = marker.split_whitespace().next().tried("find the count of batches")?;
        count.parse().tried("read the count of batches")
    }
}
