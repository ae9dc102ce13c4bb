//! What traces and metrics on their way to a collector have in common.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;

use super::collector::{Collector, Signal};
use super::settings::OtlpSettings;
use keyferry_service_client::UpstreamError;

/// Time limit of one export.
pub(super) const EXPORT: Duration = Duration::from_secs(5);
/// How long the last one may take, on shutdown.
pub(super) const LAST_EXPORT: Duration = Duration::from_secs(3);

/// A collector that cannot be sent what the settings ask for.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OtlpError {
    #[error("otlp-ca: {0}")]
    Ca(#[from] UpstreamError),
    #[error("otlp-headers-file: {0}")]
    Headers(String),
    #[error("the OpenTelemetry exporter cannot be set up: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Checks the settings and the files that they name, without a connection. Must be called within a Tokio runtime.
///
/// # Errors
/// If a setting or a file is not usable.
pub fn check(settings: &OtlpSettings) -> Result<(), OtlpError> {
    Collector::new(Signal::Traces, settings).map(|_| ())
}

/// The attributes that identify this process to a collector.
pub(super) fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_service_name("keyferry").with_attribute(version).build()
}
