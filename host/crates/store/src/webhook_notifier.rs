//! [`WebhookNotifier`]: how the task that delivers learns of new deliveries and changed webhooks.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::keys::WebhookKey;

/// Notifies one listener of webhooks for which a delivery was queued, or which were changed or deleted. A webhook that
/// is reported again before the listener has taken the report is reported once.
#[derive(Debug, Default)]
pub struct WebhookNotifier {
    keys: Mutex<HashSet<WebhookKey>>,
    reported: Notify,
}

impl WebhookNotifier {
    /// Reports these webhooks.
    pub fn notify(&self, keys: Vec<WebhookKey>) {
        if !keys.is_empty() {
            self.keys.lock().extend(keys);
            self.reported.notify_one();
        }
    }

    /// Waits for and takes the webhooks that were reported since the last call, at least one. A call that was cancelled
    /// can be repeated.
    pub async fn notified(&self) -> HashSet<WebhookKey> {
        loop {
            let keys = std::mem::take(&mut *self.keys.lock());
            if !keys.is_empty() {
                return keys;
            }
            self.reported.notified().await;
        }
    }
}
