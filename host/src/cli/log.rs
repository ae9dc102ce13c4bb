//! The log, and spans for a collector.

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::config::{LogFormat, LogSettings};
use super::error::CliError;
use keyferry_telemetry::{OtlpSettings, SPANS, Traces};

/// Starts the log, and the export of spans if there is a collector.
///
/// # Errors
/// If a file named in the collector's settings does not exist.
pub(super) fn start_log(log: &LogSettings, otlp: Option<&OtlpSettings>) -> Result<Option<Traces>, CliError> {
    let traces = otlp.filter(|otlp| otlp.signals.has_traces()).map(Traces::start).transpose()?;
    let lines = tracing_subscriber::fmt::layer()
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    // AWS' client logs responses at TRACE level, with the keys in them if its variable `LOG_SENSITIVE_BODIES` is set.
    let no_keys = filter_fn(|event| *event.level() < Level::TRACE || !event.target().starts_with("aws_"));
    let no_spans = filter_fn(|event| event.target() != SPANS);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let lines = lines.with_filter(log.filter.filter().and(no_keys).and(no_spans));
    // Only spans that were made for the collector: a log line can contain data that must stay on this machine.
    let spans = traces
        .as_ref()
        .map(|traces| traces.layer().with_filter(filter_fn(|span| span.is_span() && span.target() == SPANS)));
    if log.format == LogFormat::Json {
        // The usual hook prints plain lines.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::registry().with(lines).with(spans).try_init();
    Ok(traces)
}
