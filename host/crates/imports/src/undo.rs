//! Undo of an import: row by row, each only if it was not changed since; then the accounts that it created.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::importer::Importer;
use super::job::Job;
use super::outcome::WAIT;
use super::run;
use keyferry_service::{BackgroundWork, ServiceError, keys, retry_on_conflict};
use keyferry_store::{
    AuditAction, AuditEvent, ImportRecord, ImportState, IntegrationKey, RowEffect, RowRecord, RowState, StoreError,
    TakeBack, UndoWrite,
};

/// The number of rows that are read at a time, and undone concurrently.
const READ_AT_ONCE: usize = 256;
const AT_ONCE: usize = 32;

/// Undoes an import. An interrupted undo continues where it stopped.
pub(super) async fn undo(importer: &Arc<Importer>, job: &Arc<Job>) {
    let record = loop {
        match importer.store.import(&job.key).await {
            Ok(Some((record, _))) if record.state == ImportState::Undoing => break record,
            Ok(_) => return,
            Err(error) => tracing::warn!(%error, import = %job.key.id, "an import cannot be undone yet"),
        }
        if job.is_stopping() {
            return;
        }
        tokio::time::sleep(WAIT).await;
    };
    let undo = Undo { importer, job, record };
    // Accounts come last: several rows may have written integrations of one.
    if undo.each_row(Pass::Integrations).await && undo.each_row(Pass::Accounts).await {
        run::ended(importer, &undo.record, ImportState::Undone, None).await;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Integrations,
    Accounts,
}

struct Undo<'a> {
    importer: &'a Arc<Importer>,
    job: &'a Arc<Job>,
    record: ImportRecord,
}

impl Undo<'_> {
    /// Undoes all rows in one pass. Returns `false` if the job stops.
    async fn each_row(&self, pass: Pass) -> bool {
        let mut after = 0;
        loop {
            if self.job.is_stopping() {
                return false;
            }
            let rows = match self.importer.store.rows(self.record.key.id, after, READ_AT_ONCE).await {
                Ok(rows) => rows,
                Err(error) => {
                    self.wait(&error).await;
                    continue;
                }
            };
            let Some(last) = rows.last().map(|row| row.number) else { return true };
            after = last;
            let due: Vec<RowRecord> = rows.into_iter().filter(|row| is_due(row, pass)).collect();
            stream::iter(due)
                .for_each_concurrent(AT_ONCE, async |row| {
                    while let Err(error) = self.one(&row, pass).await {
                        if self.job.is_stopping() {
                            return;
                        }
                        self.wait(&error).await;
                    }
                    self.job.progress.settled(Instant::now());
                })
                .await;
        }
    }

    async fn wait(&self, error: &(dyn std::error::Error + Sync)) {
        tracing::warn!(%error, import = %self.record.key.id, "the undo of an import waits");
        tokio::time::sleep(WAIT).await;
    }

    async fn one(&self, row: &RowRecord, pass: Pass) -> Result<(), ServiceError> {
        self.importer.credentials.yield_to_foreground(BackgroundWork::Row).await;
        match pass {
            Pass::Integrations => self.integration(row).await,
            Pass::Accounts => {
                let audit = self.audit(AuditAction::AccountDeleted, row);
                self.importer.store.undo_account(&self.record.key, row.clone(), audit).await?;
                Ok(())
            }
        }
    }

    async fn integration(&self, row: &RowRecord) -> Result<(), ServiceError> {
        let (Some(effect), Some(account)) = (&row.effect, &row.account) else { return Ok(()) };
        let key = IntegrationKey { account: self.record.key.account(account), slug: effect.slug.clone() };
        let undo = retry_on_conflict(|| async {
            let write = self.write(row, effect, &key).await?;
            match self.importer.store.undo_row(write).await {
                // It was undone before.
                Ok(()) | Err(StoreError::RowSettled) => Ok(()),
                Err(error) => Err(error.into()),
            }
        });
        self.importer.credentials.write_alone(&key, undo).await
    }

    /// The write that undoes a row, given what is stored now.
    async fn write(
        &self,
        row: &RowRecord,
        effect: &RowEffect,
        key: &IntegrationKey,
    ) -> Result<UndoWrite, ServiceError> {
        let store = &self.importer.store;
        let stored = store.integration(key).await?;
        let is_as_written =
            stored.as_ref().is_some_and(|now| now.id == effect.integration && now.version == effect.version);
        let write = |state, outcome: &str, detail: Option<String>, take_back, action: Option<AuditAction>| UndoWrite {
            import: self.record.key.clone(),
            row: RowRecord { state, outcome: Some(outcome.to_owned()), detail, ..row.clone() },
            take_back,
            audit: action.map(|action| self.audit(action, row)),
        };
        if !is_as_written {
            let detail = match stored {
                Some(_) => "the credential was replaced since, and stays",
                None => "the credential was deleted since, and stays so",
            };
            return Ok(write(RowState::Kept, "changed_since", Some(detail.to_owned()), None, None));
        }
        let Some(former) = store.former(self.record.key.id, row.number).await? else {
            let remove = TakeBack::Remove { key: key.clone(), id: effect.integration, version: effect.version };
            return Ok(write(RowState::Undone, "removed", None, Some(remove), Some(AuditAction::IntegrationDeleted)));
        };
        let vault = &self.importer.vault;
        keys::unlock(store.as_ref(), vault, &key.account.org).await?;
        let record = Box::new(keys::resealed(vault, former, effect.version + 1)?);
        let back = TakeBack::PutBack { record };
        Ok(write(RowState::Undone, "put_back", None, Some(back), Some(AuditAction::CredentialRestored)))
    }

    fn audit(&self, action: AuditAction, row: &RowRecord) -> AuditEvent {
        let ImportRecord { key, actor, .. } = &self.record;
        let effect = row.effect.as_ref().filter(|_| action != AuditAction::AccountDeleted);
        AuditEvent {
            account: row.account.clone(),
            slug: effect.map(|effect| effect.slug.clone()),
            ..AuditEvent::new(action, actor, "undone")
                .in_environment(key.environment)
                .for_request(&format!("import {} row {}", key.id, row.number))
        }
    }
}

fn is_due(row: &RowRecord, pass: Pass) -> bool {
    match (pass, &row.effect) {
        (_, None) => false,
        (Pass::Integrations, Some(_)) => row.state == RowState::Done,
        (Pass::Accounts, Some(effect)) => effect.made_account.is_some(),
    }
}
