//! Deleting what is stored of an import: its undo data, or all of it.

use super::importer::Importer;
use super::outcome::WAIT;
use keyferry_service::{BackgroundWork, Throttle};
use keyferry_store::{Forget, ImportKey};

/// Records that are deleted in one transaction, normally and while requests arrive steadily.
const AT_ONCE: usize = 256;
const FEW: usize = 32;

/// Deletes an import's undo data and the input of its failed rows.
pub(super) async fn sealed(importer: &Importer, key: &ImportKey) {
    forget(importer, key, Forget::Sealed).await;
}

/// Deletes an import with its ledger and its undo data.
pub(super) async fn everything(importer: &Importer, key: &ImportKey) {
    forget(importer, key, Forget::Everything).await;
}

async fn forget(importer: &Importer, key: &ImportKey, what: Forget) {
    loop {
        let at_once = match importer.credentials.yield_to_foreground(BackgroundWork::File).await {
            Throttle::Free => AT_ONCE,
            Throttle::Short => FEW,
        };
        match importer.store.forget_import(key, what, at_once).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, import = %key.id, "an import cannot be deleted yet");
                tokio::time::sleep(WAIT).await;
            }
        }
    }
}
