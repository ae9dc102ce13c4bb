//! Whether the database can be used at the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::lease::LEASE;
use crate::{DiskUse, Failure, FatalWatch, StoreError, StoreHealth};

/// What is known of the database.
pub(super) struct Standing {
    /// Why it cannot be used now.
    obstacle: Mutex<Option<Arc<str>>>,
    /// Why this process has to end.
    failed: Failure,
    bytes: AtomicU64,
    /// When the renewal of the lease began that was the last to succeed.
    renewed: Mutex<Instant>,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self {
            obstacle: Mutex::default(),
            failed: Failure::new(),
            bytes: AtomicU64::new(0),
            renewed: Mutex::new(Instant::now()),
        }
    }

    /// It takes writes.
    pub(super) fn works(&self) {
        if self.obstacle.lock().take().is_some() {
            tracing::info!("the database takes writes again");
        }
    }

    /// The lease was renewed by a request that began then.
    pub(super) fn renewed(&self, began: Instant) {
        *self.renewed.lock() = began;
    }

    /// It takes none, for this reason.
    pub(super) fn fails(&self, reason: &Arc<str>) {
        if self.obstacle.lock().replace(Arc::clone(reason)).is_none() {
            tracing::error!(%reason, "the database takes no writes");
        }
    }

    pub(super) fn is_down(&self) -> bool {
        self.obstacle.lock().is_some()
    }

    /// This process can write nothing more. The first reason stays.
    pub(super) fn fail(&self, reason: &str) {
        self.failed.set(reason);
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failed.error()
    }

    pub(super) fn watch(&self) -> FatalWatch {
        self.failed.watch()
    }

    pub(super) fn health(&self) -> StoreHealth {
        if let Some(reason) = self.failed.reason() {
            return StoreHealth::Failed(reason);
        }
        let since = self.renewed.lock().elapsed();
        if since > LEASE {
            // Another server may do by now what this one is about to do.
            let reason = format!("this server has not renewed its lease for {} s", since.as_secs());
            return StoreHealth::Unavailable(reason.into());
        }
        self.obstacle.lock().clone().map_or(StoreHealth::Ready, StoreHealth::Unavailable)
    }

    /// Bytes that the database has.
    pub(super) fn measured(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn disk(&self) -> DiskUse {
        DiskUse { used: self.bytes.load(Ordering::Relaxed), free: None }
    }
}
