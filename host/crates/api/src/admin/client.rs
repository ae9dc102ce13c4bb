//! The client of a running server's admin socket.

use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixStream;
use url::form_urlencoded;

use super::AdminError;
use super::operations::{Operation, Verb, taken_apart};
use keyferry_types::path_text::ShowPath as _;

/// What is read of a problem.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// Asks the server that runs on a data folder.
///
/// # Errors
/// `NotRunning` if no server runs; `Refused` with the server's message.
pub async fn call<O: Operation>(path: &Path, operation: &O) -> Result<O::Done, AdminError> {
    let fault = |source| AdminError::Socket { path: path.shown().to_string(), source };
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Err(AdminError::NotRunning);
        }
        Err(error) => return Err(fault(error)),
    };
    let broken = |source: hyper::Error| AdminError::ServerGone { source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let (mut uri, members) = taken_apart(operation)?;
    let body = match O::ROUTE.verb {
        Verb::Read if members.is_empty() => Vec::new(),
        Verb::Read => {
            let mut query = form_urlencoded::Serializer::for_suffix(format!("{uri}?"), uri.len() + 1);
            for (name, value) in &members {
                query.append_pair(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
            }
            uri = query.finish();
            Vec::new()
        }
        Verb::Change => serde_json::to_vec(&members)?,
    };
    let request = Request::builder()
        .method(O::ROUTE.verb.method())
        .uri(uri)
        .header(header::HOST, "keyferry")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| AdminError::Request(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
    if status.is_success() {
        return Ok(serde_json::from_slice(&body)?);
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(AdminError::Refused(problem.detail)),
        Err(_) => Err(AdminError::Refused(format!("the server answered {status}; is it of another version?"))),
    }
}
