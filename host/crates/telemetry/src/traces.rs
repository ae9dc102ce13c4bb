//! Spans for an OpenTelemetry collector.
//!
//! Only spans with the target [`SPANS`] go there, and no log line does. They contain the fields of the access log: a
//! route's pattern, a status, an app, an outcome. They contain no text from a caller, a plugin or a provider.

use std::str::FromStr;

use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Tracer};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;

use super::collector::{Collector, Signal};
use super::otlp::{EXPORT, LAST_EXPORT, OtlpError, resource};
use super::settings::OtlpSettings;

/// The target of spans that are for the collector. A log does not have them.
pub const SPANS: &str = "keyferry::span";

/// Exports spans to a collector. No request waits for it: spans are queued, and dropped when the queue is full.
#[derive(Clone)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts to send spans. Must be called within a Tokio runtime, which sends the requests.
    ///
    /// # Errors
    /// If a file of the settings is not usable.
    pub fn start(settings: &OtlpSettings) -> Result<Self, OtlpError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(Signal::Traces, settings)?)
            .with_endpoint(settings.endpoint.traces())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT)
            .build()?;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.ratio.get())));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource())
            .build();
        Ok(Self(provider))
    }

    /// The layer that takes spans from `tracing`. Filter them to those of [`SPANS`].
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> OpenTelemetryLayer<S, Tracer> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("keyferry"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
    }

    /// Sends the last spans.
    pub async fn finish(self) {
        // It blocks, and needs the runtime's other threads for the request.
        let finished = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_EXPORT)).await;
        if !matches!(finished, Ok(Ok(()))) {
            tracing::warn!("the last traces did not reach the collector");
        }
    }
}

/// A caller's trace, from the header `traceparent` (<https://www.w3.org/TR/trace-context/>). `tracestate` is left alone: it can
/// hold any text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

impl FromStr for TraceParent {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let hex = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let mut parts = text.split('-');
        let (Some(version), Some(trace), Some(span), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        // Later versions may add to the end.
        let is_whole = version != "00" || parts.next().is_none();
        if !(is_whole && version != "ff" && hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2)) {
            return Err(());
        }
        let trace = TraceId::from_hex(trace).map_err(|_| ())?;
        let span = SpanId::from_hex(span).map_err(|_| ())?;
        if trace == TraceId::INVALID || span == SpanId::INVALID {
            return Err(());
        }
        let flags = u8::from_str_radix(flags, 16).map_err(|_| ())?;
        Ok(Self { trace, span, flags: TraceFlags::new(flags) & TraceFlags::SAMPLED })
    }
}

/// Makes a span part of a caller's trace.
pub fn join(span: &Span, parent: TraceParent) {
    let TraceParent { trace, span: id, flags } = parent;
    let context = SpanContext::new(trace, id, flags, true, TraceState::default());
    // Where no traces are sent there is nothing to be part of.
    let _ = span.set_parent(Context::new().with_remote_span_context(context));
}

/// Work whose spans belong to the span under way here, though another task does it.
pub fn in_trace<F: Future>(work: F) -> impl Future<Output = F::Output> {
    work.with_current_context()
}

/// The trace that a span belongs to, for the log: the caller's, or a new one where traces are sent.
pub fn trace_id(span: &Span, parent: Option<TraceParent>) -> Option<String> {
    if let Some(parent) = parent {
        return Some(parent.trace.to_string());
    }
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let id = context.span().span_context().trace_id();
    (id != TraceId::INVALID).then(|| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_parent_is_as_the_standard_has_it_or_none() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for (text, expected) in [
            (format!("00-{trace}-{span}-01"), true),
            (format!("00-{trace}-{span}-00"), true),
            (format!("cc-{trace}-{span}-01-what-comes-later"), true),
            (format!("00-{trace}-{span}-01-more"), false),
            (format!("ff-{trace}-{span}-01"), false),
            (format!("00-{}-{span}-01", trace.to_uppercase()), false),
            (format!("00-{}-{span}-01", "0".repeat(32)), false),
            (format!("00-{trace}-{}-01", "0".repeat(16)), false),
            (format!("00-{trace}-{span}"), false),
            (format!(" 00-{trace}-{span}-01"), false),
            (format!("00-{trace}-{span}-1"), false),
            ("hunter2".to_owned(), false),
            (String::new(), false),
        ] {
            let parsed = text.parse::<TraceParent>();
            assert_eq!(parsed.is_ok(), expected, "{text}");
            if let Ok(parent) = parsed {
                assert_eq!(
                    (parent.trace.to_string(), parent.flags.is_sampled()),
                    (trace.to_owned(), text.contains("-01"))
                );
            }
        }
    }
}
