//! What traces and metrics on their way to a collector have in common.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;

use keyferry_service_client::TrustError;

/// Time limit of one export.
pub(super) const EXPORT: Duration = Duration::from_secs(5);
/// Time limit of the last export, on shutdown.
pub(super) const LAST_EXPORT: Duration = Duration::from_secs(3);

/// Why nothing can be exported to a collector.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OtlpError {
    #[error("otlp-ca: {0}")]
    Ca(#[from] TrustError),
    #[error("otlp-headers-file: {0}")]
    Headers(String),
    #[error("the OpenTelemetry exporter cannot be set up: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// The attributes that identify this process to a collector.
pub(super) fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_service_name("keyferry").with_attribute(version).build()
}
