//! The work on imports that is under way in this process: begun, stopped, awaited.

use std::sync::Arc;
use std::time::Duration;

use super::importer::Importer;
use super::job::{Job, Stop, Work};
use super::{forget, run, undo};
use keyferry_store::{Claim, ImportKey};
use keyferry_telemetry::metrics;

/// Paused imports of whose rows the reasons to wait are kept.
const MOST_REMEMBERED: usize = 64;
/// The longest wait for jobs after `Stop::AtOnce`.
const ABANDON_WAIT: Duration = Duration::from_millis(500);

impl Importer {
    /// Begins work on an import after its running job has stopped. Of several servers, one works on it: where another one does, it begins
    /// this work, or a later look finds it free.
    pub(super) fn begin(self: &Arc<Self>, key: ImportKey, work: Work) {
        if !self.is_shared() {
            return self.begin_ours(key, work);
        }
        let importer = Arc::clone(self);
        self.runtime.spawn(async move {
            if importer.claim(&key).await == Claim::Ours {
                importer.begin_ours(key, work);
            }
        });
    }

    fn begin_ours(self: &Arc<Self>, key: ImportKey, work: Work) {
        if *self.stopping.borrow() {
            // The next process begins it.
            return;
        }
        let job = Arc::new(Job::new(key.clone(), work));
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
            if importer.forget_job(&job) {
                importer.release(&key).await;
            }
        });
    }

    /// Forgets an ended job, unless the reasons why its rows wait are shown after the import has paused. Returns whether no other job of
    /// the import has begun.
    fn forget_job(&self, job: &Arc<Job>) -> bool {
        let mut jobs = self.jobs();
        let is_current = jobs.get(&job.key).is_some_and(|current| Arc::ptr_eq(current, job));
        if is_current && !(job.progress.has_rows() && jobs.len() <= MOST_REMEMBERED) {
            jobs.remove(&job.key);
        }
        is_current
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
