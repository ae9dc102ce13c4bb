//! What an operator sees of a running server besides its log: metrics for Prometheus, and traces for an OpenTelemetry
//! collector. Both are off until somebody asks for them, and then hold nothing that a caller, a plugin or a provider has said.
//!
//! | file | answers |
//! |---|---|
//! | `metrics` | which metrics are there, and who adds to them? |
//! | `prometheus` | how are they told? |
//! | `traces` | which spans go to a collector, and what is in them? |
//! | `collector` | how do they get there? |
//! | `settings` | what can be set? |

mod collector;
pub mod metrics;
mod prometheus;
mod settings;
mod traces;

pub use prometheus::Metrics;
pub use settings::{InvalidSetting, LogFilter, OtlpEndpoint, OtlpSettings, SampleRatio};
pub use traces::{SPANS, TraceParent, Traces, TracesError, in_trace, join, trace_id};
