//! [`WebhookNotifier`]: how whoever delivers learns that there is something to deliver.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::WebhookKey;

/// Tells one listener for which webhooks something may have changed: something waits for them, or they themselves are not as
/// they were. A webhook that is told of again before the listener has heard is told of once.
#[derive(Debug, Default)]
pub struct WebhookNotifier {
    keys: Mutex<HashSet<WebhookKey>>,
    rung: Notify,
}

impl WebhookNotifier {
    /// Tells of these webhooks.
    pub fn ring(&self, keys: Vec<WebhookKey>) {
        if !keys.is_empty() {
            self.keys().extend(keys);
            self.rung.notify_one();
        }
    }

    /// The webhooks that were told of since this was last asked, at least one. It can be asked again at any point.
    pub async fn heard(&self) -> HashSet<WebhookKey> {
        loop {
            let keys = std::mem::take(&mut *self.keys());
            if !keys.is_empty() {
                return keys;
            }
            self.rung.notified().await;
        }
    }

    /// A panic elsewhere leaves the set as good as it was.
    fn keys(&self) -> MutexGuard<'_, HashSet<WebhookKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
