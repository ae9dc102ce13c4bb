//! Telemetry: metrics for Prometheus and for an OpenTelemetry collector, and traces for a collector. Both are off by default,
//! and contain no text from a caller, a plugin or a provider.
//!
//! | file | answers |
//! |---|---|
//! | `metrics` | which metrics are there, and which functions count them? |
//! | `exporters` | which exporters are installed? |
//! | `prometheus` | what does Prometheus read? |
//! | `meters` | how are metrics pushed to a collector? |
//! | `traces` | which spans go to a collector, and what is in them? |
//! | `otlp` | what do traces and metrics for a collector share? |
//! | `collector` | how does an export reach the collector? |
//! | `settings` | what can be set? |
//!
//! ```
//! use keyferry_telemetry::SampleRatio;
//!
//! let ratio: SampleRatio = "0.25".parse()?;
//! assert!(ratio.get() < 0.5);
//! # Ok::<(), keyferry_telemetry::InvalidSetting>(())
//! ```

mod collector;
mod exporters;
mod meters;
pub mod metrics;
mod otlp;
mod prometheus;
mod settings;
mod traces;

pub use exporters::{CountingError, Metrics, Page};
pub use otlp::{OtlpError, check};
pub use settings::{InvalidSetting, LogFilter, OtlpEndpoint, OtlpSettings, OtlpSignals, SampleRatio};
pub use traces::{SPANS, TraceParent, Traces, in_trace, join, trace_id};
