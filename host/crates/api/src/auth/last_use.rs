//! Which API keys are in use: noted in the store at most once a minute each, and never waited for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use keyferry_store::{ApiKeyRecord, Store, Timestamp};

/// How exact the time of the last use is.
const GRAIN: Duration = Duration::from_secs(60);

/// When each key's use was last noted by this process.
#[derive(Default)]
pub(crate) struct LastUse(Mutex<HashMap<[u8; 32], Timestamp>>);

impl LastUse {
    /// A key was used now.
    pub(crate) fn note(&self, store: &Arc<dyn Store>, key: &ApiKeyRecord, now: Timestamp) {
        let is_fresh = |at: Option<Timestamp>| at.is_some_and(|at| now < at.after(GRAIN));
        if is_fresh(key.last_used_at) {
            return;
        }
        let mut noted = self.0.lock();
        if is_fresh(noted.get(&key.hash).copied()) {
            return;
        }
        noted.insert(key.hash, now);
        drop(noted);
        let (store, hash) = (Arc::clone(store), key.hash);
        tokio::spawn(async move {
            if let Err(error) = store.touch_api_key(&hash, now).await {
                tracing::debug!(%error, "the last use of an API key was not noted");
            }
        });
    }
}
