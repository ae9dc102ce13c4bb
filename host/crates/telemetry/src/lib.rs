//! What an operator sees of a running server besides its log: metrics for Prometheus, and traces for an OpenTelemetry
//! collector. Both are off until somebody asks for them, and then hold nothing that a caller, a plugin or a provider has said.
//!
//! | file | answers |
//! |---|---|
//! | `metrics` | which metrics are there, and who adds to them? |
//! | `exporters` | who is told of them? |
//! | `prometheus` | what does Prometheus read? |
//! | `meters` | how is a collector told? |
//! | `traces` | which spans go to a collector, and what is in them? |
//! | `otlp` | what have traces and metrics for a collector in common? |
//! | `collector` | how do they get there? |
//! | `settings` | what can be set? |

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
