//! The work on imports that is under way in this process: begun, stopped, awaited.

use std::sync::Arc;
use std::time::Duration;

use super::importer::Importer;
use super::job::{Job, Stop};
use super::{forget, run, undo};
use keyferry_store::ImportKey;
use keyferry_telemetry::metrics;

/// Paused imports of whose rows the reasons to wait are kept.
const MOST_REMEMBERED: usize = 64;
/// The longest wait for jobs after `Stop::AtOnce`.
const ABANDON_WAIT: Duration = Duration::from_millis(500);

/// What can be done with an import in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Rows,
    Undo,
    ForgetSealed,
    Delete,
}

impl Importer {
    /// Begins work on an import after its running job has stopped.
    pub(super) fn begin(self: &Arc<Self>, key: ImportKey, work: Work) {
        if *self.stopping.borrow() {
            // The next process begins it.
            return;
        }
        let job = Arc::new(Job::new(key.clone()));
        let former = self.jobs().insert(key.clone(), Arc::clone(&job));
        let importer = Arc::clone(self);
        self.runtime.spawn(async move {
            if let Some(former) = former {
                former.end().await;
            }
            let _running = matches!(work, Work::Rows | Work::Undo).then(metrics::import_running);
            match work {
                Work::Rows => run::rows(&importer, &job).await,
                Work::Undo => undo::undo(&importer, &job).await,
                Work::ForgetSealed => forget::sealed(&importer, &job.key).await,
                Work::Delete => forget::everything(&importer, &job.key).await,
            }
            job.set_ended();
            let mut jobs = importer.jobs();
            let is_current = jobs.get(&key).is_some_and(|current| Arc::ptr_eq(current, &job));
            // The reasons why rows wait are shown after the import has paused.
            if is_current && !(job.progress.has_rows() && jobs.len() <= MOST_REMEMBERED) {
                jobs.remove(&key);
            }
        });
    }

    /// Waits until the job of an import has ended.
    pub(super) async fn ended(&self, key: &ImportKey) {
        let job = self.jobs().get(key).cloned();
        if let Some(job) = job {
            job.has_ended().await;
        }
    }

    /// Stops the job of an import, and waits until it has stopped.
    pub(super) async fn halt(&self, key: &ImportKey) {
        let job = self.jobs().get(key).cloned();
        if let Some(job) = job {
            job.end().await;
        }
    }

    /// Stops all jobs, and waits until they have stopped. Started rows have `patience` to be completed; then they are abandoned.
    /// The next process resumes all of it.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.send_replace(true);
        let jobs: Vec<_> = self.jobs().values().cloned().collect();
        jobs.iter().for_each(|job| job.request_stop(Stop::AfterRows));
        let ended = async {
            for job in &jobs {
                job.has_ended().await;
            }
        };
        if tokio::time::timeout(patience, ended).await.is_err() {
            jobs.iter().for_each(|job| job.request_stop(Stop::AtOnce));
            let ended = async {
                for job in &jobs {
                    job.has_ended().await;
                }
            };
            if tokio::time::timeout(ABANDON_WAIT, ended).await.is_err() {
                tracing::warn!("work on imports did not stop in time; the next process resumes it");
            }
        }
    }
}
