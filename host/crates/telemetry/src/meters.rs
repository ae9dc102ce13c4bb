//! Metrics for an OpenTelemetry collector: the same as at `/metrics`, every minute or as often as `OTEL_METRIC_EXPORT_INTERVAL`
//! says, in milliseconds (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use metrics_opentelemetry::{OpenTelemetryMetrics, OpenTelemetryRecorder};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::collector::{Collector, Signal};
use super::metrics::histograms;
use super::otlp::{EXPORT, LAST_EXPORT, OtlpError, resource};
use super::settings::OtlpSettings;

/// Metrics on their way to a collector.
#[derive(Clone)]
pub(super) struct Meters(SdkMeterProvider);

impl Meters {
    /// Starts to push the recorder's metrics. Must be called within a Tokio runtime, which sends the requests.
    pub(super) fn start(settings: &OtlpSettings) -> Result<(Self, OpenTelemetryRecorder), OtlpError> {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_http_client(Collector::new(Signal::Metrics, settings)?)
            .with_endpoint(settings.endpoint.metrics())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT)
            .build()?;
        let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).with_resource(resource()).build();
        let mut recorder = OpenTelemetryRecorder::new(OpenTelemetryMetrics::new(provider.meter("keyferry")));
        for (name, bounds) in histograms() {
            recorder.set_histogram_bounds_mut([name].into_iter(), bounds);
        }
        Ok((Self(provider), recorder))
    }

    /// Pushes the last metrics.
    pub(super) async fn finish(self) {
        // It blocks, and needs the runtime's other threads for the request.
        let finished = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_EXPORT)).await;
        if !matches!(finished, Ok(Ok(()))) {
            tracing::warn!("the last metrics did not reach the collector");
        }
    }
}
