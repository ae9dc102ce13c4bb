//! Forgetting: what was replaced once it is confirmed or its time is over, and whole imports.

use std::sync::Weak;
use std::time::Duration;

use super::importer::{Importer, Work};
use super::outcome::WAIT;
use keyferry_service::{BackgroundWork, Throttle};
use keyferry_store::{Forget, ImportKey, ImportRecord, Restore, Timestamp};

/// Records that are forgotten in one transaction, and while requests keep coming.
const AT_ONCE: usize = 256;
const FEW: usize = 32;
/// How often it is looked whether the time of an import is over.
const LOOK: Duration = Duration::from_secs(60);

/// Forgets what an import replaced, and what rows that failed would be tried again with.
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

/// Confirms imports that ended long enough ago, for as long as there is an importer.
pub(super) async fn in_time(importer: Weak<Importer>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(importer) = importer.upgrade() else { return };
        let records = match importer.store.all_imports().await {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "imports cannot be listed");
                continue;
            }
        };
        let now = Timestamp::now();
        let is_over = |record: &ImportRecord| {
            record.restore == Restore::Possible
                && record.ended_at.is_some_and(|ended| ended.after(importer.settings.retention) <= now)
        };
        for record in records.into_iter().filter(is_over) {
            let confirmed = importer
                .move_on(&record.key, None, |stored| Ok(ImportRecord { restore: Restore::Over, ..stored }))
                .await;
            match confirmed {
                Ok(_) => importer.begin(record.key, Work::ForgetSealed),
                Err(error) => tracing::warn!(%error, import = %record.key.id, "an import cannot be confirmed yet"),
            }
        }
    }
}
