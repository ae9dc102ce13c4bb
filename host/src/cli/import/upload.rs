//! How a file gets to the server: as it is, part by part.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio::sync::mpsc;

use super::super::client::Server;
use super::super::{CliError, term};
use super::OutputArgs;
use super::follow::{self, Shown};
use super::source::Source;
use crate::path_text::ShowPath as _;

/// Bytes of a part, and parts that wait for being sent.
const PART: usize = 64 * 1024;
const WAITING: usize = 4;
/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

/// Sends a file. The import that the server made of it.
pub(super) async fn upload(
    server: &Server,
    file: &Path,
    source: Source,
    query: &str,
    output: OutputArgs,
) -> Result<Value, CliError> {
    let Source { mut reader, bytes, .. } = source;
    let bar = bar(bytes, output);
    let counted = bar.clone();
    let (parts, sent) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut part = vec![0; PART];
            let read = match reader.read(&mut part) {
                Ok(0) => return,
                Ok(read) => {
                    part.truncate(read);
                    Ok(Frame::data(Bytes::from(part)))
                }
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if let Ok(frame) = &read
                && let Some(data) = frame.data_ref()
            {
                counted.inc(data.len() as u64);
            }
            // Nobody takes parts any more where the server has answered already.
            if parts.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    let frames = stream::unfold(sent, |mut sent| async move { sent.recv().await.map(|frame| (frame, sent)) });
    let body = StreamBody::new(frames).boxed_unsync();
    let sent = server.send(Method::POST, &format!("/api/v2/public/imports?{query}"), Some(body)).await;
    bar.finish_and_clear();
    let import = sent?.json().await.map_err(|error| format!("{}: {error}", file.shown()))?;
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
