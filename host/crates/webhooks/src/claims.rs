//! [`Claims`]: the webhooks whose deliveries this server makes, of several servers on one store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::schedule::Schedule;
use keyferry_store::{Claim, Store, WebhookKey, Work};

/// How long it is believed that another server has a webhook: with more than that, its deliveries would lie longer where it ends.
const KNOWN: Duration = Duration::from_secs(1);

/// What this server has claimed. A store of one server needs no claims.
pub(super) struct Claims {
    store: Arc<dyn Store>,
    is_shared: bool,
    ours: HashSet<WebhookKey>,
    /// Those of other servers, and when that was found.
    theirs: HashMap<WebhookKey, Instant>,
}

impl Claims {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { is_shared: store.peers().is_some(), store, ours: HashSet::new(), theirs: HashMap::new() }
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
        if self.theirs.get(key).is_some_and(|at| at.elapsed() < KNOWN) {
            return false;
        }
        match self.store.claim(&Work::Deliveries(key.clone())).await {
            Ok(Claim::Ours) => {
                self.theirs.remove(key);
                self.ours.insert(key.clone());
                true
            }
            Ok(Claim::Theirs | Claim::Free) => {
                self.theirs.insert(key.clone(), Instant::now());
                false
            }
            Err(error) => {
                tracing::debug!(%error, webhook = %key.id, "the deliveries of a webhook cannot be claimed yet");
                false
            }
        }
    }

    /// Gives up webhooks for which nothing waits: the next event's server delivers it at once.
    pub(super) async fn release_idle(&mut self, awaited: &[WebhookKey], schedule: &Schedule) {
        self.theirs.retain(|_, at| at.elapsed() < KNOWN);
        let is_idle = |key: &&WebhookKey| !awaited.contains(key) && !schedule.is_busy(key);
        let idle: Vec<WebhookKey> = self.ours.iter().filter(is_idle).cloned().collect();
        for key in idle {
            if self.store.release(&Work::Deliveries(key.clone())).await.is_ok() {
                self.ours.remove(&key);
            }
        }
    }
}
