//! Telemetry: metrics for Prometheus and for an OpenTelemetry collector, and traces for a collector. Both are off by default,
//! and contain no text from a caller, a plugin or a provider.
//!
//! Code that counts calls a function of [`metrics`], which does nothing until [`Metrics::start`] has installed an exporter. Spans
//! are ordinary `tracing` spans with the target [`SPANS`]; a log line never becomes one.
//!
//! ```no_run
//! # async fn run() -> Result<(), keyferry_telemetry::MetricsError> {
//! use std::time::Duration;
//!
//! use keyferry_telemetry::{Metrics, Prometheus, metrics};
//!
//! let exporters = Metrics::start(Prometheus::Enabled, None)?.with_gauges(|| metrics::plugins("active", 17));
//! metrics::egress("2xx", Duration::from_millis(80));
//! let router = exporters.router(); // `GET /metrics`, to be served on a listener of its own
//! # Ok(())
//! # }
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `metrics` | which metrics are there, and which functions count them? |
//! | `handles` | how is a metric found once? |
//! | `exporters` | which exporters are installed? |
//! | `gauges` | which values are measured, and when? |
//! | `prometheus` | what does Prometheus read? |
//! | `meters` | how are metrics pushed to a collector? |
//! | `traces` | which spans go to a collector, and what is in them? |
//! | `otlp` | what do traces and metrics for a collector share? |
//! | `collector` | how does an export reach the collector? |
//! | `settings` | which settings are there? |

mod collector;
mod exporters;
mod gauges;
mod handles;
mod meters;
pub mod metrics;
mod otlp;
mod prometheus;
mod settings;
mod traces;

pub use collector::check;
pub use exporters::{Metrics, MetricsError, Prometheus};
pub use otlp::OtlpError;
pub use settings::{InvalidSetting, LogFilter, OtlpEndpoint, OtlpSettings, OtlpSignals, SampleRatio};
pub use traces::{SPANS, TraceParent, Traces, in_trace, join, trace_id};
