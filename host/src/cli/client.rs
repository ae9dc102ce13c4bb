//! Requests to a running server's public API, as its users send them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use rustls::ClientConfig;
use serde_json::Value;
use url::Url;

use super::patience::Patience;
use super::{CliError, term};
use keyferry_service_client::{self as upstream, Connection, Scheme, Upstream};
use keyferry_types::bounded_file::{self, LINE};
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::ApiKey;

/// To a connection, with TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest response body in bytes that is read whole.
const LARGEST: usize = 16 * 1024 * 1024;
/// The address that `serve` listens at unless another one is given.
const SERVER: &str = "http://127.0.0.1:8700";
/// The environment variable of the API key.
const KEY_VARIABLE: &str = "KEYFERRY_API_KEY";

/// The server and the API key to use.
#[derive(Args, Clone)]
#[command(next_help_heading = "Which server")]
pub(super) struct ServerArgs {
    /// The server's URL.
    #[arg(long, value_name = "URL", env = "KEYFERRY_SERVER", default_value = SERVER)]
    server: Url,

    /// A file with the API key [default: the environment variable KEYFERRY_API_KEY].
    #[arg(long, value_name = "FILE", env = "KEYFERRY_API_KEY_FILE")]
    api_key_file: Option<PathBuf>,

    /// Certificates (PEM) to trust for the server, besides the public ones.
    #[arg(long, value_name = "FILE", env = "KEYFERRY_SERVER_CA")]
    server_ca: Option<PathBuf>,
}

impl ServerArgs {
    /// The arguments to repeat in a suggested command. Values from the environment are left out: the next command inherits
    /// them.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let is_from =
            |variable: &str, value: &str| std::env::var(variable).is_ok_and(|set| set.trim_end_matches('/') == value);
        let address = self.server.as_str().trim_end_matches('/');
        let is_usual = address == SERVER && std::env::var_os("KEYFERRY_SERVER").is_none();
        let is_known = is_usual || is_from("KEYFERRY_SERVER", address);
        // No more of an address is used than this.
        let mut shown = self.server.clone();
        let _ = (shown.set_password(None), shown.set_username(""));
        let shown = shown.as_str().trim_end_matches('/').into();
        let file = |name, variable: &str, path: &Option<PathBuf>| {
            path.clone()
                .filter(|path| path.to_str().is_none_or(|path| !is_from(variable, path)))
                .map(|path| (name, path))
        };
        let files = [
            file("--api-key-file", "KEYFERRY_API_KEY_FILE", &self.api_key_file),
            file("--server-ca", "KEYFERRY_SERVER_CA", &self.server_ca),
        ];
        (!is_known).then_some(("--server", shown)).into_iter().chain(files.into_iter().flatten())
    }
}

/// A body that is sent.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A server, and the key to it.
pub(super) struct Server {
    at: Upstream,
    prefix: String,
    tls: Arc<ClientConfig>,
    key: ApiKey,
}

impl Server {
    /// Reads the key and what to believe; nothing is sent.
    pub(super) fn open(args: &ServerArgs) -> Result<Self, CliError> {
        let (server, host) = (&args.server, args.server.host().map(|host| host.to_owned()));
        let (Some(host), Some(port)) = (host, server.port_or_known_default()) else {
            return Err(format!("--server {server}: it must be such as http://127.0.0.1:8700").into());
        };
        let scheme = match server.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(format!("--server: {other} is neither http nor https").into()),
        };
        let (text, origin) = match &args.api_key_file {
            Some(path) => {
                let wrong = |error: std::io::Error| format!("{}: {error}", path.shown());
                let file = bounded_file::read_input(path, LINE).map_err(wrong)?;
                if file.is_exposed() {
                    let (path, mode) = (path.shown(), file.mode);
                    term::warning(&format!("others can read the API key in {path} (mode {mode:04o}): chmod 600 it"));
                }
                (file.text().map_err(wrong)?.to_owned(), path.shown().to_string())
            }
            None => match std::env::var(KEY_VARIABLE) {
                Ok(text) => (text, KEY_VARIABLE.to_owned()),
                Err(_) => {
                    let message = "there is no API key: set KEYFERRY_API_KEY, or name a file by --api-key-file";
                    return Err(message.into());
                }
            },
        };
        let key = text.trim().parse().map_err(|error| format!("{origin} holds no API key: {error}"))?;
        Ok(Self {
            at: Upstream { scheme, host, port },
            prefix: server.path().trim_end_matches('/').to_owned(),
            tls: upstream::client_config(args.server_ca.as_deref())?,
            key,
        })
    }

    /// Sends a request without a body, and again as long as the server says that it is busy: it has done nothing then.
    ///
    /// # Errors
    /// [`NoAnswer`] if no response arrives.
    pub(super) async fn send(&self, method: Method, path: &str) -> Result<Answer, CliError> {
        let mut patience = Patience::new();
        loop {
            let answer = self.send_once(method.clone(), path, None).await?;
            if !patience.wait(&answer.response).await {
                return Ok(answer);
            }
        }
    }

    /// Sends a request on a new connection and returns when the response head has arrived.
    pub(super) async fn send_once(&self, method: Method, path: &str, body: Option<Body>) -> Result<Answer, CliError> {
        let connected = upstream::connect(&self.at, &self.tls, CONNECT).await;
        let mut connection: Connection<Body> = connected.map_err(NoAnswer::NotSent)?;
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(header::HOST, self.at.authority())
            .header(header::USER_AGENT, concat!("keyferry/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/problem+json, application/json, */*")
            .header("x-api-key", self.key.expose())
            .body(body.unwrap_or_else(|| Full::default().map_err(|never| match never {}).boxed_unsync()))?;
        let response = connection.send(request).await.map_err(NoAnswer::BrokenOff)?;
        Ok(Answer { response, _connection: connection })
    }

    /// Sends a request and parses its JSON response.
    pub(super) async fn json(&self, method: Method, path: &str) -> Result<Value, CliError> {
        self.send(method, path).await?.json().await
    }
}

/// Why no response arrived.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// The server could not be connected to, and has learned nothing of the request.
    #[error("{0}")]
    NotSent(String),
    /// The connection ended before a response arrived.
    #[error("{0}")]
    BrokenOff(String),
}

/// What the server says that keeps a request from being done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refused {
    status: StatusCode,
    message: String,
}

impl Refused {
    /// Whether the same request would be refused again: it is the request's fault, and not that the server is busy.
    pub(super) fn is_for_good(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS
    }
}

/// A response whose head has arrived.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    _connection: Connection<Body>,
}

impl Answer {
    /// Whether the body has this server's form; a proxy in front of it would send another.
    pub(super) fn is_of_the_server(&self) -> bool {
        let content_type = self.response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        content_type.is_some_and(|content_type| content_type.starts_with(b"application/problem+json"))
    }

    /// Its JSON, if it is a good one; else what the server says went wrong.
    pub(super) async fn json(self) -> Result<Value, CliError> {
        let status = self.response.status();
        let body = http_body_util::Limited::new(self.response.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| format!("the server's response is incomplete: {error}"))?.to_bytes();
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() && !value.is_null() {
            return Ok(value);
        }
        Err(Refused { status, message: refused(status, &value) }.into())
    }

    /// The response, if its status is a success.
    pub(super) async fn good(self) -> Result<Self, CliError> {
        if self.response.status().is_success() {
            return Ok(self);
        }
        Err(self.json().await.err().unwrap_or_else(|| "the server's response is not understood".into()))
    }
}

/// What the server says went wrong.
fn refused(status: StatusCode, problem: &Value) -> String {
    let said = ["detail", "message", "error"].iter().find_map(|name| problem.get(name).and_then(Value::as_str));
    match said {
        Some(said) => format!("the server refuses: {said} ({})", status.as_u16()),
        None => format!("the server responds with {status}"),
    }
}
