//! Follows what other servers on the same database change of what this one keeps in memory.

use std::sync::Arc;
use std::time::Duration;

use keyferry_service::keys;
use keyferry_store::{Kept, Store};
use keyferry_vault::Vault;

/// The pause before what has failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the key ring as other servers change roots. Ends at once for a store of one server.
pub(super) async fn follow(store: Arc<dyn Store>, vault: Arc<Vault>) {
    let Some(peers) = store.peers() else { return };
    let mut changes = peers.changes(Kept::Roots);
    while changes.next().await {
        while let Err(error) = keys::refresh(store.as_ref(), &vault).await {
            tracing::warn!(%error, "roots that another server has changed cannot be read yet");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
