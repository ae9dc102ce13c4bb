//! How a person sees what becomes of an import: a bar, lines, or events for programs.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use http::Method;
use http_body_util::BodyExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::{OwoColorize as _, Stream::Stderr};
use serde_json::{Map, Value, json};

use super::super::client::{Refused, Server};
use super::super::{CliError, term};
use super::{OutputArgs, ProgressKind, waiting};

/// From one line to the next where there is no bar; and where rows wait for something else than before.
const LINES: Duration = Duration::from_secs(5);
const CAUSES: Duration = Duration::from_secs(1);
/// How often a connection that breaks is made again, and how long is waited before.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// The kind of progress output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Bar,
    Lines,
    Events,
    Nothing,
}

impl Shown {
    pub(super) fn of(output: OutputArgs) -> Self {
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

/// Watches an import until nothing is under way any more. As it is then.
pub(super) async fn follow(server: &Server, import: &Value, output: OutputArgs) -> Result<Value, CliError> {
    let id = text(import, "id").to_owned();
    let mut view = View::new(Shown::of(output), number(import, "rows"));
    let mut tries = 0;
    loop {
        match watch(server, &id, &mut view).await {
            Ok(Some(end)) => {
                view.end(&end);
                return Ok(end);
            }
            // A restarted server resumes the import.
            Ok(None) => tries = 0,
            // What it says of this request it will say again.
            Err(error) if error.downcast_ref().is_some_and(Refused::is_for_good) => {
                view.clear();
                return Err(error);
            }
            Err(error) if tries >= TRIES => {
                view.clear();
                let hint = format!("the import continues on the server; follow it with `keyferry imports watch {id}`");
                return Err(format!("the server cannot be asked any more: {error}; {hint}").into());
            }
            Err(error) if tries == 0 => view.note(&format!("{error}: trying again for {TRIES} s")),
            Err(_) => {}
        }
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// One connection's events. The last one, if it came.
async fn watch(server: &Server, id: &str, view: &mut View) -> Result<Option<Value>, CliError> {
    let path = format!("/api/v2/public/imports/{id}/events");
    let mut answer = server.send(Method::GET, &path).await?.good().await?;
    let (mut buffer, mut came) = (Vec::new(), false);
    while let Some(frame) = answer.response.body_mut().frame().await {
        let Ok(frame) = frame else { break };
        let Ok(data) = frame.into_data() else { continue };
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            let Some((name, import)) = parse(&String::from_utf8_lossy(&event)) else { continue };
            came = true;
            if name == "end" {
                return Ok(Some(import));
            }
            view.show(&import);
        }
    }
    if came { Ok(None) } else { Err("the connection ended".into()) }
}

/// Name and data of a server-sent event.
fn parse(event: &str) -> Option<(String, Value)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).ok()?))
}

struct View {
    shown: Shown,
    bar: ProgressBar,
    said: Option<Instant>,
    /// What was said last of rows that wait.
    causes: Vec<String>,
}

impl View {
    fn new(shown: Shown, rows: u64) -> Self {
        let bar = if shown == Shown::Bar { ProgressBar::new(rows) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} rows {msg}") {
            bar.set_style(style);
        }
        Self { shown, bar, said: None, causes: Vec::new() }
    }

    fn show(&mut self, import: &Value) {
        let settled = number(import, "rows").saturating_sub(count(import, "queued"));
        match self.shown {
            Shown::Events => event("progress", import),
            Shown::Nothing => {}
            Shown::Bar => {
                self.bar.set_length(number(import, "rows"));
                self.bar.set_position(settled);
                self.bar.set_message(message(import));
            }
            Shown::Lines => {
                let causes = waiting::causes(import);
                let pause = if causes == self.causes || causes.is_empty() { LINES } else { CAUSES };
                if self.said.is_none_or(|said| said.elapsed() >= pause) {
                    (self.said, self.causes) = (Some(Instant::now()), causes);
                    term::progress(&format!("{settled}/{} rows {}", number(import, "rows"), message(import)));
                }
            }
        }
    }

    /// A line that is no progress.
    fn note(&self, line: &str) {
        match self.shown {
            Shown::Nothing => {}
            Shown::Bar | Shown::Lines | Shown::Events => self.bar.suspend(|| term::progress(line)),
        }
    }

    fn end(&mut self, import: &Value) {
        self.clear();
        if self.shown == Shown::Events {
            event("end", import);
        }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Rate, time left, and how rows went: green, yellow, red.
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
    let _ = writeln!(std::io::stdout(), "{}", Value::Object(line));
}

/// For programs: one line that is about something else than the import.
pub(super) fn line(event: &str, name: &str, value: &str) {
    let _ = writeln!(std::io::stdout(), "{}", json!({"event": event, name: value}));
}

/// A text of an import's.
pub(super) fn text<'a>(import: &'a Value, name: &str) -> &'a str {
    import.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number of an import's.
pub(super) fn number(import: &Value, name: &str) -> u64 {
    import.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The number of rows in this state.
pub(super) fn count(import: &Value, state: &str) -> u64 {
    import.get("counts").map_or(0, |counts| number(counts, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_whatever_stands_before_it() {
        let (name, import) = parse(": still there\n\nevent: end\ndata: {\"rows\":3}\n\n").unwrap();
        assert_eq!((name.as_str(), number(&import, "rows")), ("end", 3));
        assert!(parse(": still there\n\n").is_none());
    }

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
