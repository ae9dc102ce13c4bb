//! The client of a running server's public API, as its users' programs are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use rustls::ClientConfig;
use serde::Serialize;
use serde_json::Value;

use super::error::CliError;
use super::retry::RetryBudget;
use super::server_url::ServerUrl;
use super::term;
use keyferry_service_client::{Connection, ExchangeError, tls_config};
use keyferry_types::bounded_file::{self, LINE};
use keyferry_types::path_text::ShowPath as _;
use keyferry_vault::ApiKey;

/// Time until there is a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest response body in bytes that is read as a whole.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// The default address of `serve`.
const SERVER: &str = "http://127.0.0.1:8700";
/// The environment variable of the API key.
const KEY_VARIABLE: &str = "KEYFERRY_API_KEY";

/// The server and the API key to use.
#[derive(Args, Clone)]
#[command(next_help_heading = "Which server")]
pub(super) struct ServerArgs {
    /// The server's URL.
    #[arg(long, value_name = "URL", env = "KEYFERRY_SERVER", default_value = SERVER)]
    server: ServerUrl,

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
        let is_from = |variable: &str, value: &str| std::env::var(variable).is_ok_and(|set| set == value);
        let inherited = std::env::var("KEYFERRY_SERVER").unwrap_or_else(|_| SERVER.to_owned());
        let is_known = inherited.parse().is_ok_and(|inherited: ServerUrl| inherited == self.server);
        let file = |name, variable: &str, path: &Option<PathBuf>| {
            path.clone()
                .filter(|path| path.to_str().is_none_or(|path| !is_from(variable, path)))
                .map(|path| (name, path))
        };
        let files = [
            file("--api-key-file", "KEYFERRY_API_KEY_FILE", &self.api_key_file),
            file("--server-ca", "KEYFERRY_SERVER_CA", &self.server_ca),
        ];
        (!is_known).then(|| ("--server", self.server.to_string().into())).into_iter().chain(files.into_iter().flatten())
    }
}

/// The body of a request.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A server, and the API key to use.
pub(super) struct ApiClient {
    server: ServerUrl,
    tls: Arc<ClientConfig>,
    key: ApiKey,
}

impl ApiClient {
    /// Reads the key and the certificates. It makes no connection.
    pub(super) fn new(args: &ServerArgs) -> Result<Self, CliError> {
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
        let key = text.trim().parse().map_err(|error| format!("{origin}: {error}"))?;
        Ok(Self { server: args.server.clone(), tls: tls_config(args.server_ca.as_deref())?, key })
    }

    pub(super) fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Sends a request without a body, and repeats it while the server responds that it is busy and has done nothing.
    ///
    /// # Errors
    /// [`ExchangeError`] if no response arrives.
    pub(super) async fn send(&self, method: Method, path: &str) -> Result<ApiResponse, CliError> {
        let mut budget = RetryBudget::new();
        loop {
            let response = self.send_once(method.clone(), path, None).await?;
            if !budget.wait(response.status(), response.headers()).await {
                return Ok(response);
            }
        }
    }

    /// Sends a request on a new connection and returns when the response head has arrived.
    ///
    /// # Errors
    /// [`ExchangeError`] if no response arrives.
    pub(super) async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
    ) -> Result<ApiResponse, CliError> {
        self.exchange(method, path, HeaderMap::new(), body).await
    }

    /// Sends JSON on a new connection, and returns when the response head has arrived.
    pub(super) async fn send_json(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<ApiResponse, CliError> {
        let is_json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = Full::from(serde_json::to_vec(body)?).map_err(|never| match never {}).boxed_unsync();
        self.exchange(method, path, HeaderMap::from_iter([is_json]), Some(body)).await
    }

    /// Posts JSON on a new connection, and parses the JSON response.
    pub(super) async fn post_json(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.send_json(Method::POST, path, body).await?.json().await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Body>,
    ) -> Result<ApiResponse, CliError> {
        let connected = Connection::open(self.server.address(), &self.tls, CONNECT).await;
        let mut connection = connected.map_err(|error| match error {
            ExchangeError::NotConnected(reason) if reason.starts_with("cannot connect") => {
                let hint = "is `keyferry serve` running there? --server or KEYFERRY_SERVER names another server";
                ExchangeError::NotConnected(format!("{reason}; {hint}"))
            }
            error => error,
        })?;
        let mut request = Request::builder()
            .method(method)
            .uri(self.server.target(path))
            .header(header::HOST, self.server.address().authority())
            .header(header::USER_AGENT, concat!("keyferry/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/problem+json, application/json, */*")
            .header("x-api-key", self.key.expose())
            .body(body.unwrap_or_else(|| Full::default().map_err(|never| match never {}).boxed_unsync()))?;
        request.headers_mut().extend(headers);
        let response = connection.send(request).await?;
        Ok(ApiResponse { response, _connection: connection })
    }

    /// Sends a request and parses its JSON response.
    pub(super) async fn json(&self, method: Method, path: &str) -> Result<Value, CliError> {
        self.send(method, path).await?.json().await
    }
}

/// An error that the server responded with.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct ApiError {
    status: StatusCode,
    /// The stable code of a problem; empty if it is not Keyferry that has responded.
    code: String,
    /// The reason that the server states.
    reason: Option<String>,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, body: &Value) -> Self {
        let reason = ["detail", "message", "error"].iter().find_map(|name| body.get(name).and_then(Value::as_str));
        let code = body.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
        let message = match &reason {
            Some(reason) => format!("the server refuses: {reason} ({})", status.as_u16()),
            None => format!("the server responds with {status}"),
        };
        Self { status, code, reason: reason.map(str::to_owned), message }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// The reason alone, for a table; the whole message if the server states none.
    pub(super) fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or(&self.message)
    }

    /// Whether the same request would fail again: the request is at fault, and the server is not busy.
    pub(super) fn is_permanent(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS
    }
}

/// A response whose head has arrived.
pub(super) struct ApiResponse {
    response: Response<Incoming>,
    _connection: Connection<Body>,
}

impl ApiResponse {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next part of the body; `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        while let Some(frame) = self.response.body_mut().frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Whether Keyferry itself sent the error; a proxy in front of it sends another content type.
    pub(super) fn is_from_keyferry(&self) -> bool {
        let content_type = self.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        content_type.is_some_and(|content_type| content_type.starts_with(b"application/problem+json"))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`ApiError`] if the status is not a success.
    pub(super) async fn json(self) -> Result<Value, CliError> {
        let status = self.status();
        let body = Limited::new(self.response.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| format!("the server's response is incomplete: {error}"))?.to_bytes();
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() && !value.is_null() {
            return Ok(value);
        }
        Err(ApiError::new(status, &value).into())
    }

    /// The response, if its status is a success.
    ///
    /// # Errors
    /// [`ApiError`] if not.
    pub(super) async fn error_for_status(self) -> Result<Self, CliError> {
        if self.status().is_success() {
            return Ok(self);
        }
        Err(self.json().await.err().unwrap_or_else(|| "the server's response is not understood".into()))
    }
}
