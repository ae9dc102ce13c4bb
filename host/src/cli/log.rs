//! The log, and spans for a collector.

use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::config::{LogFormat, LogSettings};
use super::error::CliError;
use super::log_format::{JsonLines, TextLines};
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
    let has_no_keys = |event: &Metadata<'_>| *event.level() < Level::TRACE || !event.target().starts_with("aws_");
    // The level is a hint for all filters together: without it each line of each library is looked at, whatever its level.
    let loggable =
        filter_fn(move |event| event.target() != SPANS && has_no_keys(event)).with_max_level_hint(LevelFilter::TRACE);
    let lines = match log.format {
        LogFormat::Text => lines.event_format(TextLines::new()).boxed(),
        LogFormat::Json => lines.json().event_format(JsonLines::new()).boxed(),
    };
    let lines = lines.with_filter(log.filter.filter().and(loggable));
    if log.format == LogFormat::Json {
        // The usual hook prints plain lines.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    let registry = tracing_subscriber::registry().with(lines);
    // A second start in one process (tests) keeps the first log.
    let _ = match &traces {
        Some(traces) => {
            // Only spans that were made for the collector: a log line can contain data that must stay on this machine.
            let ours = filter_fn(|span| span.is_span() && span.target() == SPANS);
            registry.with(traces.layer().with_filter(ours.with_max_level_hint(LevelFilter::INFO))).try_init()
        }
        // A layer that may be absent would make the log decide on each line and span anew, enabled or not.
        None => registry.try_init(),
    };
    Ok(traces)
}
