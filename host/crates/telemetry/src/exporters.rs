//! The exporters of metrics: Prometheus, a collector, both or neither.

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

/// How often current values are measured for a collector, to which metrics are pushed; Prometheus causes a measurement
/// with each scrape.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Metrics that cannot be counted.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CountingError {
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    #[error("the Prometheus exporter cannot be set up: {0}")]
    Prometheus(#[from] BuildError),
    #[error("a global metrics recorder is already installed")]
    Twice,
}

/// Values that are measured rather than counted.
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
    /// The Prometheus page is served.
    Told,
    /// No Prometheus page is served.
    Untold,
}

/// All that has been counted since it was started.
pub struct Metrics {
    page: Option<PrometheusHandle>,
    meters: Option<Meters>,
    observed: Observed,
}

impl Metrics {
    /// Installs the metrics recorder with the given exporters. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If a global metrics recorder is installed already, or a file or value of the collector's settings is not usable.
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

    /// Adds a function that measures current values; it is called before each scrape and each push.
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
            tracing::warn!(%error, "current values for metrics could not be measured");
        }
    }
}
