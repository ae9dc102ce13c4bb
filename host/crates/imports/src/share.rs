//! Imports of several servers on one store: one of them works on each, and takes over those of a server that has ended.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::importer::Importer;
use super::job::{Job, Stop, Work};
use keyferry_store::{Claim, ImportKey, ImportRecord, ImportState, Kept, StoreResult, Work as Claimed};

/// How often a change by another server is looked for.
const LOOK: Duration = Duration::from_millis(250);
/// How often imports are looked at without a change: servers end without one.
const LOOK_AT_ALL: Duration = Duration::from_secs(5);
/// The same while another server works on some.
const LOOK_AT_WORK: Duration = Duration::from_secs(1);
/// How long a caller waits until another server has stopped work on an import.
const PATIENCE: Duration = Duration::from_secs(5);

impl Importer {
    /// Whether other servers work on imports as well.
    pub(super) fn is_shared(&self) -> bool {
        self.store.peers().is_some()
    }

    /// Claims an import for this server. Where that fails, a later look tries again.
    pub(super) async fn claim(&self, key: &ImportKey) -> Claim {
        match self.store.claim(&Claimed::Import(key.clone())).await {
            Ok(claim) => claim,
            Err(error) => {
                tracing::warn!(%error, import = %key.id, "an import cannot be claimed yet");
                Claim::Free
            }
        }
    }

    /// Gives an import up. Where that fails, this server keeps it, and continues it when there is work.
    pub(super) async fn release(&self, key: &ImportKey) {
        if let Err(error) = self.store.release(&Claimed::Import(key.clone())).await {
            tracing::debug!(%error, import = %key.id, "the claim to an import stays");
        }
    }

    /// Waits until another server has stopped what it does with an import whose state has changed.
    pub(super) async fn await_others(&self, key: &ImportKey) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_shared() && Instant::now() < deadline {
            if self.claimed(key).await.is_ok_and(|claim| claim != Claim::Theirs) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn claimed(&self, key: &ImportKey) -> StoreResult<Claim> {
        self.store.claimed(&Claimed::Import(key.clone())).await
    }

    /// The job of an import that is under way here.
    fn under_way(&self, key: &ImportKey) -> Option<Arc<Job>> {
        self.jobs().get(key).filter(|job| job.is_under_way()).cloned()
    }

    /// Stops what another server has ended, and begins what none does. Returns how soon to look again.
    async fn look(self: &Arc<Self>) -> StoreResult<Duration> {
        let mut next = LOOK_AT_ALL;
        for ImportRecord { key, state, .. } in self.store.all_imports().await? {
            match (self.under_way(&key), Work::due(state)) {
                (Some(job), due) if due != Some(job.work) && job.work != Work::ForgetSealed => {
                    job.request_stop(Stop::AfterRows);
                    next = LOOK_AT_WORK;
                }
                (Some(_), _) | (None, None) => {}
                (None, Some(work)) => {
                    next = LOOK_AT_WORK;
                    match self.claimed(&key).await? {
                        Claim::Free => self.begin(key, work),
                        // Its file is arriving here, or its job is about to begin.
                        Claim::Ours if state == ImportState::Receiving => {}
                        Claim::Ours => self.begin(key, work),
                        Claim::Theirs => {}
                    }
                }
            }
        }
        Ok(next)
    }
}

/// Follows what other servers do with imports, as long as the importer lives. Ends at once for a store of one server.
pub(super) async fn follow(importer: Weak<Importer>) {
    let Some(peers) = importer.upgrade().and_then(|importer| importer.store.peers()) else { return };
    let (mut known, mut looked, mut next) = (None, Instant::now(), LOOK_AT_ALL);
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(importer) = importer.upgrade() else { return };
        let now = peers.generation(Kept::Imports);
        if (now.is_none() || now == known) && looked.elapsed() < next {
            continue;
        }
        (known, looked) = (now, Instant::now());
        match importer.look().await {
            Ok(soon) => next = soon,
            Err(error) => {
                tracing::warn!(%error, "imports cannot be listed");
                next = LOOK_AT_WORK;
            }
        }
    }
}
