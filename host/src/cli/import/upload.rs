//! Sending a file to the server, as it is, part by part.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use indicatif::ProgressBar;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::args::OutputArgs;
use super::progress::{self, Display};
use super::source::Source;
use crate::cli::api_client::{ApiClient, ApiResponse};
use crate::cli::error::CliError;
use crate::cli::members::{number, text};
use crate::cli::retry::RetryBudget;
use crate::cli::term;
use keyferry_service_client::ExchangeError;
use keyferry_types::path_text::ShowPath as _;

/// Size of a part in bytes, and the number of parts that are read ahead.
const PART: usize = 64 * 1024;
const READ_AHEAD: usize = 4;
const IMPORTS: &str = "/api/v2/public/imports";
/// How often a file is sent again after its connection broke off, and the pause before each attempt.
const MAX_RESENDS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(2);
/// The interval at which the bar is redrawn.
const TICK: Duration = Duration::from_millis(200);

/// Sends a file, and again if the server is busy or the connection breaks off. Returns the import that the server created.
///
/// `open` opens the file anew for each attempt.
pub(super) async fn upload(
    client: &ApiClient,
    file: &Path,
    open: impl Fn() -> Result<Source, CliError>,
    query: &str,
    output: OutputArgs,
    resend: Resend,
) -> Result<Value, CliError> {
    let (mut budget, mut resends) = (RetryBudget::new(), 0);
    let (mut is_reachable, mut may_have_arrived) = (false, false);
    let failed = |error: CliError| format!("{}: {error}", file.shown());
    let import = loop {
        let (sent, read) = send(client, open()?, query, output).await;
        if let Some(error) = read {
            return Err(failed(error.into()).into());
        }
        match sent {
            Ok(response) => {
                is_reachable = true;
                if may_have_arrived && let Some(path) = existing_import(&response) {
                    term::progress("the file arrived the first time");
                    break client.json(Method::GET, &path).await?;
                }
                let is_refused = response.is_from_keyferry();
                if !resend.is_possible(is_refused) || !budget.wait(response.status(), response.headers()).await {
                    let hint = response.headers().contains_key(header::RETRY_AFTER).then(|| resend.hint()).flatten();
                    break response.json().await.map_err(|error| failed(error) + hint.unwrap_or_default())?;
                }
                may_have_arrived |= !is_refused;
            }
            Err(error) => {
                // If the server cannot be reached at the start, there are no retries.
                let is_broken_off = matches!(error.downcast_ref(), Some(ExchangeError::Failed(_)));
                if !is_broken_off && !is_reachable {
                    return Err(failed(error).into());
                }
                if !resend.is_possible(!is_broken_off) || resends == MAX_RESENDS {
                    return Err((failed(error) + resend.hint().unwrap_or_default()).into());
                }
                resends += 1;
                is_reachable = true;
                may_have_arrived |= is_broken_off;
                let seconds = PAUSE.as_secs();
                term::progress(&format!("the file did not arrive ({error}): sending it again in {seconds} s"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    match Display::new(output) {
        Display::Events => progress::event("accepted", &import),
        Display::Nothing => {}
        Display::Bar | Display::Lines => {
            let (id, rows) = (text(&import, "id"), number(&import, "rows"));
            term::progress(&format!("{}: {rows} rows, import {id}", file.shown()));
        }
    }
    Ok(import)
}

/// Whether a file can be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resend {
    /// Yes: a server that has the file already responds with its import.
    Always,
    /// Only if the server itself has refused it. Otherwise it could be imported twice (`--again`).
    IfRefused,
    /// No: standard input can be read only once.
    Never,
}

impl Resend {
    fn is_possible(self, has_server_refused: bool) -> bool {
        match self {
            Self::Always => true,
            Self::IfRefused => has_server_refused,
            Self::Never => false,
        }
    }

    /// Why the file is not sent again, and what to do.
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

/// The path of the import that the server has of the file already.
fn existing_import(response: &ApiResponse) -> Option<String> {
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok())?;
    (response.status() == StatusCode::CONFLICT && location.starts_with(IMPORTS)).then(|| location.to_owned())
}

/// Sends a file once. Returns the response, and the error that stopped reading the file.
async fn send(
    client: &ApiClient,
    source: Source,
    query: &str,
    output: OutputArgs,
) -> (Result<ApiResponse, CliError>, Option<std::io::Error>) {
    let Source { mut reader, bytes, .. } = source;
    let bar = bar(bytes, output);
    let counted = bar.clone();
    let (parts, sent) = mpsc::channel(READ_AHEAD);
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
                    let copy = std::io::Error::from(error.kind());
                    let _ = failed.send(error);
                    let _ = parts.blocking_send(Err(copy));
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
    let response = client.send_once(Method::POST, &format!("{IMPORTS}?{query}"), Some(body)).await;
    bar.finish_and_clear();
    let mut failure = failure;
    (response, failure.try_recv().ok())
}

fn bar(bytes: Option<u64>, output: OutputArgs) -> ProgressBar {
    if Display::new(output) != Display::Bar {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "sending {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left"),
        None => (ProgressBar::new_spinner(), "sending {spinner} {bytes}, {bytes_per_sec}"),
    };
    let bar = term::styled(bar, template);
    bar.enable_steady_tick(TICK);
    bar
}
