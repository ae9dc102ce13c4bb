//! The socket: a line with the operation's name, a line with its JSON; back comes one JSON value.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::operations::{CreateApiKey, GrantPlugin, ListPlugins, Operation};
use super::{AdminError, Operator};

/// Bytes of a request.
const MAX_REQUEST: u64 = 64 * 1024;
/// How long a request may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
enum Answer<T> {
    Done(T),
    Refused(String),
}

/// A socket that is listened on; dropped, it is removed.
pub struct Socket {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens. The store's lock has been taken before, so a socket that is there was left behind.
///
/// # Errors
/// Where the socket cannot be made; a path of more than 107 bytes is one reason.
pub fn listen(path: &Path, operator: Operator) -> Result<Socket, AdminError> {
    let fault = |source| AdminError::Socket { path: path.display().to_string(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(fault(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(fault)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let operator = operator.clone();
            tokio::spawn(async move {
                if let Err(error) = answer(stream, &operator).await {
                    tracing::debug!(%error, "an operator's connection ended early");
                }
            });
        }
    });
    Ok(Socket { path: path.to_owned(), task })
}

async fn answer(mut stream: UnixStream, operator: &Operator) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut bounded = (&mut stream).take(MAX_REQUEST);
    tokio::time::timeout(TIMEOUT, bounded.read_to_end(&mut request)).await??;
    let request = String::from_utf8_lossy(&request);
    let (name, body) = request.split_once('\n').unwrap_or((&request, ""));
    let answer = match name {
        CreateApiKey::NAME => perform::<CreateApiKey>(body, operator).await,
        ListPlugins::NAME => perform::<ListPlugins>(body, operator).await,
        GrantPlugin::NAME => perform::<GrantPlugin>(body, operator).await,
        other => refuse(&format!("this server does not know the operation `{other}`; is it of another version?")),
    };
    stream.write_all(&answer).await?;
    stream.shutdown().await
}

async fn perform<O: Operation>(body: &str, operator: &Operator) -> Vec<u8> {
    let operation: O = match serde_json::from_str(body) {
        Ok(operation) => operation,
        Err(error) => return refuse(&format!("the request is not understood: {error}")),
    };
    tracing::info!(operation = O::NAME, "operator");
    match operation.perform(operator).await {
        Ok(done) => serde_json::to_vec(&Answer::Done(done)).unwrap_or_default(),
        Err(error) => refuse(&error.to_string()),
    }
}

fn refuse(reason: &str) -> Vec<u8> {
    serde_json::to_vec(&Answer::<()>::Refused(reason.to_owned())).unwrap_or_default()
}

/// Asks the server that runs on a data folder.
///
/// # Errors
/// `NotRunning` where none does; `Refused` with the server's own words.
pub async fn call<O: Operation>(path: &Path, operation: &O) -> Result<O::Done, AdminError> {
    let fault = |source| AdminError::Socket { path: path.display().to_string(), source };
    let mut stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            return Err(AdminError::NotRunning);
        }
        Err(error) => return Err(fault(error)),
    };
    let request = format!("{}\n{}", O::NAME, serde_json::to_string(operation)?);
    stream.write_all(request.as_bytes()).await.map_err(fault)?;
    stream.shutdown().await.map_err(fault)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(fault)?;
    match serde_json::from_slice(&answer)? {
        Answer::Done(done) => Ok(done),
        Answer::Refused(reason) => Err(AdminError::Refused(reason)),
    }
}
