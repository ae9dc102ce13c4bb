//! A store in a temporary folder.

use std::ops::Deref;

use tempfile::TempDir;

use crate::Store as _;
use crate::sled::{SledSettings, SledStore};
pub(super) use crate::tests::records::*;

pub(super) struct Scratch {
    store: Option<SledStore>,
    folder: TempDir,
}

impl Scratch {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(settings(&folder)).await.unwrap();
        Self { store: Some(store), folder }
    }

    pub(super) fn folder(&self) -> &TempDir {
        &self.folder
    }

    /// Closes and opens again.
    pub(super) async fn reopened(mut self) -> Self {
        self.close_and_drop().await;
        self.store = Some(SledStore::open(settings(&self.folder)).await.unwrap());
        self
    }

    /// Drops the store and leaves its folder.
    pub(super) fn into_folder(mut self) -> TempDir {
        drop(self.store.take());
        self.folder
    }

    pub(super) async fn close_and_drop(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await.unwrap();
        }
    }
}

impl Deref for Scratch {
    type Target = SledStore;
    fn deref(&self) -> &SledStore {
        self.store.as_ref().unwrap()
    }
}

pub(crate) fn settings(folder: &TempDir) -> SledSettings {
    let mut settings = SledSettings::new(folder.path().join("store"));
    settings.cache_capacity = 8 << 20;
    settings.min_free = 1 << 20;
    settings
}

pub(super) async fn with_account(store: &SledStore, account: &str) {
    crate::tests::records::with_account(store, account).await;
}
