//! The destinations of metrics and traces.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::listen_address::listen_address;
use crate::cli::error::CliError;
use keyferry_telemetry::{OtlpEndpoint, OtlpSettings, OtlpSignals, SampleRatio};

/// Metrics and traces. Both are off by default.
#[derive(Args)]
#[command(next_help_heading = "Metrics and traces")]
pub(super) struct TelemetryArgs {
    /// Serve Prometheus metrics at http://IP:PORT/metrics on a separate, unauthenticated listener [default: off].
    #[arg(long, value_name = "IP:PORT", env = "KEYFERRY_METRICS_LISTEN", value_parser = listen_address)]
    pub(super) metrics_listen: Option<SocketAddr>,

    /// Send traces and metrics to this OpenTelemetry collector (http://127.0.0.1:4318) as OTLP over HTTP [default: off].
    #[arg(long, value_name = "URL", env = "KEYFERRY_OTLP_ENDPOINT")]
    otlp_endpoint: Option<OtlpEndpoint>,

    /// A file with headers for the collector, such as its token: one `Name: value` a line. Read for each export.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_OTLP_HEADERS_FILE")]
    otlp_headers_file: Option<PathBuf>,

    /// Certificates (PEM) to trust for the collector, besides the public ones.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_OTLP_CA")]
    otlp_ca: Option<PathBuf>,

    /// The signals to send to the collector.
    #[arg(long, value_name = "SIGNALS", env = "KEYFERRY_OTLP_SIGNALS", value_enum, default_value = "both")]
    otlp_signals: OtlpSignals,

    /// The fraction of traces to send, from 0 to 1. A caller's `traceparent` takes precedence for its request.
    #[arg(long, value_name = "RATIO", env = "KEYFERRY_OTLP_SAMPLE_RATIO", default_value = "1")]
    otlp_sample_ratio: SampleRatio,
}

impl TelemetryArgs {
    /// The collector's settings, if one is set.
    pub(super) fn otlp(self) -> Result<Option<OtlpSettings>, CliError> {
        match self {
            Self { otlp_endpoint: Some(endpoint), .. } => Ok(Some(OtlpSettings {
                endpoint,
                headers: self.otlp_headers_file,
                ca: self.otlp_ca,
                signals: self.otlp_signals,
                ratio: self.otlp_sample_ratio,
            })),
            Self { otlp_ca: Some(_), .. } => {
                Err("otlp-ca is set and otlp-endpoint is not: no collector uses it".into())
            }
            Self { otlp_headers_file: Some(_), .. } => {
                Err("otlp-headers-file is set and otlp-endpoint is not: no collector receives them".into())
            }
            _ => Ok(None),
        }
    }
}
