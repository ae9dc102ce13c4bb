//! Resuming imports of former processes, and confirming those whose retention is over.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::error::ImportError;
use super::importer::Importer;
use super::job::Work;
use super::share;
use keyferry_store::{ImportRecord, Restore, Timestamp};

/// The interval of checks whether the retention of an import is over.
const LOOK: Duration = Duration::from_secs(60);

impl Importer {
    /// Resumes the imports of a former process, and deletes imports at the end of their retention, while the importer lives.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn resume(self: &Arc<Self>) -> Result<(), ImportError> {
        for record in self.store.all_imports().await? {
            match Work::due(record.state) {
                Some(work) => self.begin(record.key, work),
                None if record.restore == Restore::Over => self.begin(record.key, Work::ForgetSealed),
                None => {}
            }
        }
        tokio::spawn(confirm_in_time(Arc::downgrade(self)));
        tokio::spawn(share::follow(Arc::downgrade(self)));
        Ok(())
    }
}

/// Confirms imports that ended long enough ago, as long as the importer lives.
async fn confirm_in_time(importer: Weak<Importer>) {
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
