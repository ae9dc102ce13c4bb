//! How a file gets to the server: as it is, part by part.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::super::client::{Answer, NoAnswer, Server};
use super::super::patience::Patience;
use super::super::{CliError, term};
use super::OutputArgs;
use super::follow::{self, Shown};
use super::source::Source;
use keyferry_types::path_text::ShowPath as _;

/// Bytes of a part, and parts that wait for being sent.
const PART: usize = 64 * 1024;
const WAITING: usize = 4;
const IMPORTS: &str = "/api/v2/public/imports";
/// How often a file is sent again whose connection broke off, and how long is waited before.
const BREAKS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(2);
/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

/// Sends a file, and again where the server is busy or the connection breaks off. The import that the server made of it.
///
/// `open` opens the file anew each time.
pub(super) async fn upload(
    server: &Server,
    file: &Path,
    open: impl Fn() -> Result<Source, CliError>,
    query: &str,
    output: OutputArgs,
    again: Again,
) -> Result<Value, CliError> {
    let (mut patience, mut breaks) = (Patience::new(), 0);
    let (mut is_server_there, mut may_be_there) = (false, false);
    let failed = |error: CliError| format!("{}: {error}", file.shown());
    let import = loop {
        let (sent, read) = send(server, open()?, query, output).await;
        if let Some(error) = read {
            return Err(failed(error.into()).into());
        }
        match sent {
            Ok(answer) => {
                is_server_there = true;
                if may_be_there && let Some(path) = known(&answer) {
                    term::progress("the file arrived the first time");
                    break server.json(Method::GET, &path).await?;
                }
                let is_of_the_server = answer.is_of_the_server();
                if !again.is_possible(is_of_the_server) || !patience.wait(&answer.response).await {
                    let hint =
                        answer.response.headers().contains_key(header::RETRY_AFTER).then(|| again.hint()).flatten();
                    break answer.json().await.map_err(|error| failed(error) + hint.unwrap_or_default())?;
                }
                may_be_there |= !is_of_the_server;
            }
            Err(error) => {
                // If the server cannot be reached at the start, there are no retries.
                let is_broken_off = matches!(error.downcast_ref(), Some(NoAnswer::BrokenOff(_)));
                if !is_broken_off && !is_server_there {
                    return Err(failed(error).into());
                }
                if !again.is_possible(!is_broken_off) || breaks == BREAKS {
                    return Err((failed(error) + again.hint().unwrap_or_default()).into());
                }
                breaks += 1;
                is_server_there = true;
                may_be_there |= is_broken_off;
                let seconds = PAUSE.as_secs();
                term::progress(&format!("the file did not arrive ({error}): sending it again in {seconds} s"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    match Shown::of(output) {
        Shown::Events => follow::event("accepted", &import),
        Shown::Nothing => {}
        Shown::Bar | Shown::Lines => {
            let (id, rows) = (follow::text(&import, "id"), follow::number(&import, "rows"));
            term::progress(&format!("{}: {rows} rows, import {id}", file.shown()));
        }
    }
    Ok(import)
}

/// Whether a file can be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It can: a server that has it already says so.
    Always,
    /// It can where the server itself has said that it has not taken it. Otherwise it could be imported twice (`--again`).
    IfRefused,
    /// It cannot: it is standard input.
    Never,
}

impl Again {
    fn is_possible(self, has_server_refused: bool) -> bool {
        match self {
            Self::Always => true,
            Self::IfRefused => has_server_refused,
            Self::Never => false,
        }
    }

    /// Why it is not sent once more, and what to do.
    fn hint(self) -> Option<&'static str> {
        match self {
            Self::Always => None,
            Self::IfRefused => Some(
                "; with --again the file is not sent a second time automatically: check with `keyferry imports list` whether it arrived",
            ),
            Self::Never => Some("; standard input cannot be sent a second time: run the command again later"),
        }
    }
}

/// The import that the server has of a file already.
fn known(answer: &Answer) -> Option<String> {
    let response = &answer.response;
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok())?;
    (response.status() == StatusCode::CONFLICT && location.starts_with(IMPORTS)).then(|| location.to_owned())
}

/// Sends a file once. Returns the response, and the error that stopped reading the file.
async fn send(
    server: &Server,
    source: Source,
    query: &str,
    output: OutputArgs,
) -> (Result<Answer, CliError>, Option<std::io::Error>) {
    let Source { mut reader, bytes, .. } = source;
    let bar = bar(bytes, output);
    let counted = bar.clone();
    let (parts, sent) = mpsc::channel(WAITING);
    let (failed, failure) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        loop {
            let mut part = vec![0; PART];
            let frame = match reader.read(&mut part) {
                Ok(0) => return,
                Ok(read) => {
                    part.truncate(read);
                    counted.inc(read as u64);
                    Frame::data(Bytes::from(part))
                }
                Err(error) => {
                    let told = std::io::Error::from(error.kind());
                    let _ = failed.send(error);
                    let _ = parts.blocking_send(Err(told));
                    return;
                }
            };
            // The receiver is gone if the server has already responded.
            if parts.blocking_send(Ok(frame)).is_err() {
                return;
            }
        }
    });
    let frames = stream::unfold(sent, |mut sent| async move { sent.recv().await.map(|frame| (frame, sent)) });
    let body = StreamBody::new(frames).boxed_unsync();
    let answer = server.send_once(Method::POST, &format!("{IMPORTS}?{query}"), Some(body)).await;
    bar.finish_and_clear();
    let mut failure = failure;
    (answer, failure.try_recv().ok())
}

fn bar(bytes: Option<u64>, output: OutputArgs) -> ProgressBar {
    if Shown::of(output) != Shown::Bar {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "sending {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left"),
        None => (ProgressBar::new_spinner(), "sending {spinner} {bytes}, {bytes_per_sec}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
