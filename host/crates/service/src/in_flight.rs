//! Idempotency keys of requests that are being processed: of two concurrent requests with one key, the second is refused.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::error::ServiceError;
use super::request::Migration;
use keyferry_types::ids::{Environment, OrgId};

type Key = (OrgId, Environment, String);

/// The keys of requests under way in this process.
#[derive(Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<Key>>>);

/// Holds a key until it is dropped.
#[derive(Debug)]
pub(super) struct Entered(Option<(Arc<Mutex<HashSet<Key>>>, Key)>);

impl InFlight {
    pub(super) fn enter(&self, migration: &Migration) -> Result<Entered, ServiceError> {
        let Some(text) = &migration.idempotency_key else { return Ok(Entered(None)) };
        let key = (migration.caller.org.clone(), migration.caller.environment, text.clone());
        if self.0.lock().insert(key.clone()) {
            Ok(Entered(Some((Arc::clone(&self.0), key))))
        } else {
            Err(ServiceError::IdempotencyInFlight)
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some((keys, key)) = &self.0 {
            keys.lock().remove(key);
        }
    }
}
