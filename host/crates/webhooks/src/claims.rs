//! [`Claims`]: the webhooks whose deliveries this server makes, of several servers on one store.

use std::collections::HashSet;
use std::sync::Arc;

use super::schedule::Schedule;
use keyferry_store::{Claim, Store, WebhookKey, Work};

/// What this server has claimed. A store of one server needs no claims.
pub(super) struct Claims {
    store: Arc<dyn Store>,
    is_shared: bool,
    ours: HashSet<WebhookKey>,
}

impl Claims {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { is_shared: store.peers().is_some(), store, ours: HashSet::new() }
    }

    /// Whether other servers deliver as well.
    pub(super) fn are_needed(&self) -> bool {
        self.is_shared
    }

    /// Whether this server delivers to a webhook, which it claims if no other one does.
    pub(super) async fn take(&mut self, key: &WebhookKey) -> bool {
        if !self.is_shared || self.ours.contains(key) {
            return true;
        }
        match self.store.claim(&Work::Deliveries(key.clone())).await {
            Ok(Claim::Ours) => {
                self.ours.insert(key.clone());
                true
            }
            Ok(Claim::Theirs | Claim::Free) => false,
            Err(error) => {
                tracing::debug!(%error, webhook = %key.id, "the deliveries of a webhook cannot be claimed yet");
                false
            }
        }
    }

    /// Gives up webhooks for which nothing waits: the next event's server delivers it at once.
    pub(super) async fn release_idle(&mut self, awaited: &[WebhookKey], schedule: &Schedule) {
        let is_idle = |key: &&WebhookKey| !awaited.contains(key) && !schedule.is_busy(key);
        let idle: Vec<WebhookKey> = self.ours.iter().filter(is_idle).cloned().collect();
        for key in idle {
            if self.store.release(&Work::Deliveries(key.clone())).await.is_ok() {
                self.ours.remove(&key);
            }
        }
    }
}
