//! Who is told what is counted: Prometheus, a collector, both or nobody.

use std::sync::Arc;
use std::time::Duration;

use ::metrics::Recorder;
use axum::Router;
use metrics_exporter_prometheus::{BuildError, PrometheusHandle};
use metrics_process::Collector as Process;
use metrics_util::layers::FanoutBuilder;

use super::meters::Meters;
use super::metrics::describe;
use super::otlp::OtlpError;
use super::prometheus;
use super::settings::OtlpSettings;

/// How often what is looked up is looked up where nobody asks for it: a collector is told, and does not ask.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Metrics that cannot be counted.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CountingError {
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    #[error("metrics cannot be told to Prometheus: {0}")]
    Prometheus(#[from] BuildError),
    #[error("somebody counts already")]
    Twice,
}

/// What is looked up rather than counted.
#[derive(Clone)]
pub(super) struct Observed {
    process: Process,
    look: Arc<dyn Fn() + Send + Sync>,
}

impl Observed {
    pub(super) fn look(&self) {
        (self.look)();
        self.process.collect();
    }
}

/// The page that Prometheus asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// There is one.
    Told,
    /// There is none.
    Untold,
}

/// All that has been counted since it was started.
pub struct Metrics {
    page: Option<PrometheusHandle>,
    meters: Option<Meters>,
    observed: Observed,
}

impl Metrics {
    /// Begins to count for those who are to be told. Within a Tokio runtime.
    ///
    /// # Errors
    /// Where somebody counts already, or what the collector's settings name is not there.
    pub fn start(page: Page, collector: Option<&OtlpSettings>) -> Result<Self, CountingError> {
        let page = (page == Page::Told).then(prometheus::recorder).transpose()?;
        let meters = collector.map(Meters::start).transpose()?;
        let handle = page.as_ref().map(|page| page.handle());
        let (meters, sent) = meters.unzip();
        match (page, sent) {
            (None, None) => {}
            (Some(page), None) => count_by(page)?,
            (None, Some(sent)) => count_by(sent)?,
            (Some(page), Some(sent)) => {
                count_by(FanoutBuilder::default().add_recorder(page).add_recorder(sent).build())?;
            }
        }
        let process = Process::default();
        process.describe();
        describe();
        Ok(Self { page: handle, meters, observed: Observed { process, look: Arc::new(|| {}) } })
    }

    /// With something that is looked up whenever somebody asks or is about to be told.
    #[must_use]
    pub fn looking(mut self, look: impl Fn() + Send + Sync + 'static) -> Self {
        self.observed.look = Arc::new(look);
        if self.meters.is_some() {
            tokio::spawn(look_often(self.observed.clone()));
        }
        self
    }

    /// The page, where there is one.
    pub fn router(&self) -> Option<Router> {
        self.page.clone().map(|handle| prometheus::router(handle, self.observed.clone()))
    }

    /// Tells a collector what is left.
    pub async fn finish(self) {
        if let Some(meters) = self.meters {
            meters.finish().await;
        }
    }
}

fn count_by(recorder: impl Recorder + Sync + 'static) -> Result<(), CountingError> {
    ::metrics::set_global_recorder(recorder).map_err(|_| CountingError::Twice)
}

async fn look_often(observed: Observed) {
    let mut times = tokio::time::interval(LOOK_EVERY);
    loop {
        times.tick().await;
        let observed = observed.clone();
        // The kernel is asked for files and memory, which may block.
        let looked = tokio::task::spawn_blocking(move || observed.look()).await;
        if let Err(error) = looked {
            tracing::warn!(%error, "what is looked up for metrics could not be");
        }
    }
}
