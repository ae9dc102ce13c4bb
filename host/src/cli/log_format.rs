//! The lines of the log: those of `tracing-subscriber`, with the request that a line is about in the place of a span.

use std::fmt;

use serde_json::Value;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, format};
use tracing_subscriber::registry::LookupSpan;

use keyferry_api::RequestContext;

/// The name of the span in whose place a request is.
const SPAN: &str = "request";

/// Lines of text.
pub(super) struct TextLines(Format<Full, ()>);

/// Lines of JSON.
pub(super) struct JsonLines(Format<Json, SystemTime>);

/// A way to show text on a terminal.
#[derive(Clone, Copy)]
struct Style {
    before: &'static str,
    after: &'static str,
}

impl TextLines {
    pub(super) fn new() -> Self {
        Self(format().without_time().with_level(false))
    }
}

impl JsonLines {
    pub(super) fn new() -> Self {
        Self(format().json())
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let is_terminal = writer.has_ansi_escapes();
        let style = |before| Style::new(is_terminal, before);
        let dim = style("\u{1b}[2m");
        writer.write_str(dim.before)?;
        if SystemTime.format_time(&mut writer).is_err() {
            writer.write_str("<unknown time>")?;
        }
        let (color, level) = match *event.metadata().level() {
            Level::TRACE => ("\u{1b}[35m", "TRACE"),
            Level::DEBUG => ("\u{1b}[34m", "DEBUG"),
            Level::INFO => ("\u{1b}[32m", " INFO"),
            Level::WARN => ("\u{1b}[33m", " WARN"),
            Level::ERROR => ("\u{1b}[31m", "ERROR"),
        };
        let level = style(color).paint(level);
        write!(writer, "{} {level} ", dim.after)?;
        let (bold, italic) = (style("\u{1b}[1m"), style("\u{1b}[3m"));
        let request = RequestContext::with_current(|request| {
            write!(writer, "{}{}", bold.paint(SPAN), bold.paint("{"))?;
            for (place, (name, value)) in fields(request).enumerate() {
                let space = if place == 0 { "" } else { " " };
                write!(writer, "{space}{}{}", italic.paint(name), dim.paint("="))?;
                // As a field of a span is shown that is text, and as one that is a name.
                if ["key", "trace"].contains(&name) { write!(writer, "{value:?}")? } else { writer.write_str(value)? }
            }
            write!(writer, "{}{} ", bold.paint("}"), dim.paint(":"))
        });
        request.unwrap_or(Ok(()))?;
        self.0.format_event(ctx, writer, event)
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(span) = RequestContext::with_current(span) else { return self.0.format_event(ctx, writer, event) };
        let mut line = String::new();
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        let object = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writeln!(writer, "{object},\"span\":{span},\"spans\":[{span}]}}")
    }
}

/// The fields of a request, in the order in which they become known.
fn fields(request: &RequestContext) -> impl Iterator<Item = (&'static str, &str)> {
    let caller = request.caller();
    let fields = [
        ("id", Some(request.id())),
        ("trace", request.trace()),
        ("org", caller.map(|caller| &*caller.org)),
        ("key", caller.map(|caller| &*caller.key)),
        ("session", caller.and_then(|caller| caller.session.as_deref())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// A request as a span in JSON: its fields by name, and the name of the span.
fn span(request: &RequestContext) -> String {
    let mut fields: Vec<_> = fields(request).collect();
    fields.sort_unstable();
    fields.push(("name", SPAN));
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{}", Value::from(*value))).collect();
    format!("{{{}}}", fields.join(","))
}

impl Style {
    fn new(is_terminal: bool, before: &'static str) -> Self {
        if is_terminal { Self { before, after: "\u{1b}[0m" } } else { Self { before: "", after: "" } }
    }

    fn paint(self, text: &'static str) -> impl fmt::Display {
        let Self { before, after } = self;
        fmt::from_fn(move |f| write!(f, "{before}{text}{after}"))
    }
}
