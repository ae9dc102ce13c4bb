//! The client of a running server's admin socket.

use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use tokio::net::UnixStream;
use url::form_urlencoded;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Verb, taken_apart};
use crate::admin::response::Problem;
use keyferry_service_client::{Connection, ExchangeError};
use keyferry_types::path_text::ShowPath as _;

/// Performs an operation on the server that listens on a socket.
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
    let mut connection = Connection::over(stream, path.shown().to_string()).await?;
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
    let response = connection.send(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| ExchangeError::Failed(error.to_string()))?.to_bytes();
    if status.is_success() {
        return Ok(serde_json::from_slice(&body)?);
    }
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Err(AdminError::Refused(problem.detail)),
        Err(_) => Err(AdminError::Refused(format!("the server responded with {status}; is it of another version?"))),
    }
}
