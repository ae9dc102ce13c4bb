//! How a person or a program sees the progress of an import: a bar, lines, or events.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use owo_colors::{OwoColorize as _, Stream::Stderr};
use serde_json::{Map, Value, json};

use super::args::{OutputArgs, ProgressKind};
use super::waiting;
use crate::cli::members::{count, number};
use crate::cli::stdout::stdout;
use crate::cli::term;

/// The interval of lines if there is no bar, and the shorter one if rows wait for a new reason.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
const NEW_CAUSE_INTERVAL: Duration = Duration::from_secs(1);

/// The kind of progress output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Display {
    Bar,
    Lines,
    Events,
    Nothing,
}

impl Display {
    pub(super) fn new(output: OutputArgs) -> Self {
        match (output.json, output.progress) {
            (true, _) => Self::Events,
            (false, ProgressKind::None) => Self::Nothing,
            (false, ProgressKind::Bar) => Self::Bar,
            (false, ProgressKind::Lines) => Self::Lines,
            (false, ProgressKind::Auto) if std::io::stderr().is_terminal() => Self::Bar,
            (false, ProgressKind::Auto) => Self::Lines,
        }
    }
}

/// The view of one import.
pub(super) struct ProgressView {
    display: Display,
    bar: ProgressBar,
    /// When the last line was printed, and the reasons for which rows waited then.
    printed: Option<Instant>,
    causes: Vec<String>,
}

impl ProgressView {
    pub(super) fn new(display: Display, rows: u64) -> Self {
        let bar = if display == Display::Bar { ProgressBar::new(rows) } else { ProgressBar::hidden() };
        let bar = term::styled(bar, "{bar:30} {pos}/{len} rows {msg}");
        Self { display, bar, printed: None, causes: Vec::new() }
    }

    pub(super) fn show(&mut self, import: &Value) {
        let settled = number(import, "rows").saturating_sub(count(import, "queued"));
        match self.display {
            Display::Events => event("progress", import),
            Display::Nothing => {}
            Display::Bar => {
                self.bar.set_length(number(import, "rows"));
                self.bar.set_position(settled);
                self.bar.set_message(message(import));
            }
            Display::Lines => {
                let causes = waiting::causes(import);
                let is_new = causes != self.causes && !causes.is_empty();
                let interval = if is_new { NEW_CAUSE_INTERVAL } else { LINE_INTERVAL };
                if self.printed.is_none_or(|printed| printed.elapsed() >= interval) {
                    (self.printed, self.causes) = (Some(Instant::now()), causes);
                    term::coloured_progress(&format!("{settled}/{} rows {}", number(import, "rows"), message(import)));
                }
            }
        }
    }

    /// Prints a line that is not progress.
    pub(super) fn note(&self, line: &str) {
        match self.display {
            Display::Nothing => {}
            Display::Bar | Display::Lines | Display::Events => self.bar.suspend(|| term::progress(line)),
        }
    }

    pub(super) fn end(&mut self, import: &Value) {
        self.clear();
        if self.display == Display::Events {
            event("end", import);
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Rate, time left, and the number of rows by result: green, yellow, red.
fn message(import: &Value) -> String {
    let rate = import.get("rate").and_then(Value::as_f64).unwrap_or_default();
    let mut parts = vec![format!("{rate:.0}/s")];
    if let Some(left) = import.get("seconds_left").and_then(Value::as_u64) {
        parts.push(format!("{} left", duration(left)));
    }
    let counts = [("done", count(import, "done")), ("skipped", count(import, "skipped"))];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        parts.push(format!("{count} {name}").if_supports_color(Stderr, |text| text.green()).to_string());
    }
    for (name, colour) in [("failed", true), ("waiting", false)] {
        let count = count(import, name);
        if count > 0 {
            let text = format!("{count} {name}");
            parts.push(if colour {
                text.if_supports_color(Stderr, |text| text.red()).to_string()
            } else {
                text.if_supports_color(Stderr, |text| text.yellow()).to_string()
            });
        }
    }
    parts.extend(waiting::short(import, jiff::Timestamp::now()));
    parts.join(", ")
}

fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Prints an event as one line of JSON.
pub(super) fn event(name: &str, import: &Value) {
    let mut line = Map::new();
    line.insert("event".to_owned(), json!(name));
    line.insert("import".to_owned(), import.clone());
    let _ = writeln!(stdout(), "{}", Value::Object(line));
}

/// Prints another event, with one member, as one line of JSON.
pub(super) fn event_with(event: &str, name: &str, value: &str) {
    let _ = writeln!(stdout(), "{}", json!({"event": event, name: value}));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_what_there_is_to_tell() {
        let import = json!({
            "rate": 12.4, "seconds_left": 3700, "counts": {"done": 5, "failed": 1, "waiting": 2, "skipped": 0},
            "waiting": [{"slug": "hubspot", "reason": "provider", "detail": "connect ECONNREFUSED api.hubapi.com:443"}],
        });
        let told = message(&import);
        for part in [
            "12/s",
            "1 h 1 min left",
            "5 done",
            "1 failed",
            "2 waiting",
            "hubspot waits: provider, connect ECONNREFUSED",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("skipped"), "{told}");
    }
}
