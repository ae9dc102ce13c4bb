//! The exporters of metrics: Prometheus, a collector, both or neither.

use ::metrics::Recorder;
use axum::Router;
use metrics_exporter_prometheus::{BuildError, PrometheusHandle};
use metrics_util::layers::FanoutBuilder;

use super::gauges::Gauges;
use super::handles;
use super::meters::Meters;
use super::metrics::describe;
use super::otlp::OtlpError;
use super::prometheus;
use super::settings::OtlpSettings;

/// Why metrics cannot be exported.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum MetricsError {
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    #[error("the Prometheus exporter cannot be set up: {0}")]
    Prometheus(#[from] BuildError),
    #[error("a global metrics recorder is already installed")]
    Twice,
}

/// Whether metrics are kept for Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prometheus {
    /// Metrics can be scraped from [`Metrics::router`].
    Enabled,
    /// There is nothing to scrape.
    Disabled,
}

/// The installed exporters of metrics.
pub struct Metrics {
    prometheus: Option<PrometheusHandle>,
    meters: Option<Meters>,
    gauges: Gauges,
}

impl Metrics {
    /// Installs the metrics recorder with the given exporters. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// If a global metrics recorder is installed already, or a file or value of the collector's settings is not usable.
    pub fn start(prometheus: Prometheus, collector: Option<&OtlpSettings>) -> Result<Self, MetricsError> {
        let scraped = (prometheus == Prometheus::Enabled).then(prometheus::recorder).transpose()?;
        let meters = collector.map(Meters::start).transpose()?;
        let handle = scraped.as_ref().map(|recorder| recorder.handle());
        let (meters, pushed) = meters.unzip();
        match (scraped, pushed) {
            (None, None) => {}
            (Some(scraped), None) => install(scraped)?,
            (None, Some(pushed)) => install(pushed)?,
            (Some(scraped), Some(pushed)) => {
                install(FanoutBuilder::default().add_recorder(scraped).add_recorder(pushed).build())?;
            }
        }
        let gauges = Gauges::new();
        describe();
        Ok(Self { prometheus: handle, meters, gauges })
    }

    /// Adds a function that measures current values; it is called before each scrape and each push.
    #[must_use]
    pub fn with_gauges(mut self, measure: impl Fn() + Send + Sync + 'static) -> Self {
        self.gauges.set_others(measure);
        if self.meters.is_some() {
            tokio::spawn(self.gauges.clone().measure_repeatedly());
        }
        self
    }

    /// The router that Prometheus scrapes, if enabled.
    pub fn router(&self) -> Option<Router> {
        self.prometheus.clone().map(|handle| prometheus::router(handle, self.gauges.clone()))
    }

    /// Pushes the last metrics to the collector.
    pub async fn finish(self) {
        if let Some(meters) = self.meters {
            meters.finish().await;
        }
    }
}

fn install(recorder: impl Recorder + Sync + 'static) -> Result<(), MetricsError> {
    ::metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Twice)?;
    handles::installed();
    Ok(())
}
