//! The client of a running server's admin socket.

use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::net::UnixStream;
use url::form_urlencoded;

use crate::admin::backup::PATH;
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
    let mut connection = connect(path).await?;
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
    let body = whole(response).await?;
    if status.is_success() {
        return Ok(serde_json::from_slice(&body)?);
    }
    Err(refusal(status, &body))
}

/// The bytes of a backup, as the server that listens on a socket sends them.
pub struct BackupBytes {
    body: Incoming,
    /// Closed when it is dropped.
    _connection: Connection<Full<Bytes>>,
}

impl BackupBytes {
    /// The next ones; `None` at the end.
    ///
    /// # Errors
    /// `ServerGone` if the server breaks off: what has come is no backup.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AdminError> {
        loop {
            match self.body.frame().await.transpose() {
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_trailers) => {}
                },
                Ok(None) => return Ok(None),
                Err(error) => return Err(ExchangeError::Failed(error.to_string()).into()),
            }
        }
    }
}

/// Begins a backup by the server that listens on a socket.
///
/// # Errors
/// `NotRunning` if no server runs; `Refused` with the server's message.
pub async fn take_backup(path: &Path) -> Result<BackupBytes, AdminError> {
    let mut connection = connect(path).await?;
    let request = Request::get(PATH).header(header::HOST, "keyferry").body(Full::default());
    let response = connection.send(request.map_err(|error| AdminError::Request(error.to_string()))?).await?;
    let status = response.status();
    match status.is_success() {
        true => Ok(BackupBytes { body: response.into_body(), _connection: connection }),
        false => Err(refusal(status, &whole(response).await?)),
    }
}

async fn connect(path: &Path) -> Result<Connection<Full<Bytes>>, AdminError> {
    let shown = path.shown().to_string();
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Connection::over(stream, shown).await?),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            Err(AdminError::NotRunning)
        }
        Err(source) => Err(AdminError::Socket { path: shown, source }),
    }
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, AdminError> {
    let body = response.into_body().collect().await;
    Ok(body.map_err(|error| ExchangeError::Failed(error.to_string()))?.to_bytes())
}

fn refusal(status: StatusCode, body: &[u8]) -> AdminError {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => AdminError::Refused(problem.detail),
        Err(_) => AdminError::Refused(format!("the server responded with {status}; is it of another version?")),
    }
}
