//! The socket of a running server: HTTP/1.1, for every process that may open the file.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use rustix::fs::Mode;
use rustix::process::umask;
use tokio::net::UnixListener;

use crate::ConnConfig;
use crate::HttpSettings;
use crate::admin::error::AdminError;
use crate::admin::operator::Operator;
use crate::admin::routes::router;
use keyferry_types::path_text::ShowPath as _;

/// How long a request's head may take to arrive, and how long an idle connection is kept.
const TIMEOUT: Duration = Duration::from_secs(10);

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
    let fault = |source| AdminError::Socket { path: path.shown().to_string(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(fault(error)),
        _ => {}
    }
    // The mode of a socket is what the mask leaves of it, and only later can it be set: until then the mask must exclude all
    // other users. Files that other threads make meanwhile are closed to others too, which harms none of them.
    let before = umask(Mode::RWXG | Mode::RWXO);
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener.map_err(fault)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
    let router = router(operator);
    let settings = HttpSettings { head_timeout: TIMEOUT, idle_timeout: TIMEOUT, ..HttpSettings::default() };
    let (terms, connections) = (ConnConfig::new(&settings, router), GracefulShutdown::new());
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(terms.clone().serve(stream, connections.watcher()));
        }
    });
    Ok(Socket { path: path.to_owned(), task })
}
