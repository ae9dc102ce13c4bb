//! A mock AWS KMS: moto, behind a proxy that counts calls and can fail as KMS does.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::http::{Request as HyperRequest, Response as HyperResponse, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::Request;
use crate::or_fail::{OrFail as _, fail};
use crate::tools;

/// The region that its keys are in.
pub const REGION: &str = "eu-west-1";
/// The secret half of the credentials that [`Kms::environment`] gives.
pub const SECRET: &str = "an-aws-secret-that-nobody-may-see";

/// How the proxy handles calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Forwards them.
    Works,
    /// Closes every connection.
    Gone,
    /// Responds to this number of calls with this status and error code, and forwards later ones.
    Answers(u32, u16, &'static str),
}

/// One received call.
#[derive(Debug, Clone)]
pub struct Call {
    /// `Encrypt`
    pub operation: String,
    /// The request's body.
    pub body: Value,
}

struct State {
    mood: Mood,
    calls: Vec<Call>,
}

/// A running mock KMS. Dropping it stops it.
pub struct Kms {
    child: Child,
    /// The child exits when this is closed.
    _stdin: ChildStdin,
    moto: SocketAddr,
    front: SocketAddr,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Kms {
    fn drop(&mut self) {
        self.task.abort();
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Kms {
    /// Starts one. `None` where there is no Python, after printing the reason.
    pub async fn start() -> Option<Self> {
        let python = tools::moto()?.join("python");
        let mut command = Command::new(python);
        command.arg(tools::moto_folder().join("server.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().or_fail("start moto");
        let stdin = child.stdin.take().or_fail("moto's input");
        let mut hear = BufReader::new(child.stdout.take().or_fail("moto's output"));
        // moto prints lines about itself first.
        let port = loop {
            let mut line = String::new();
            if hear.read_line(&mut line).or_fail("hear from moto") == 0 {
                fail("moto ended without a port");
            }
            if let Ok(port) = line.trim().parse::<u16>() {
                break port;
            }
        };
        let moto = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.or_fail("listen in front of moto");
        let front = listener.local_addr().or_fail("where it listens");
        let state = Arc::new(Mutex::new(State { mood: Mood::Works, calls: Vec::new() }));
        let task = tokio::spawn(serve(listener, moto, Arc::clone(&state)));
        Some(Self { child, _stdin: stdin, moto, front, state, task })
    }

    /// The environment that makes Keyferry use this key, in the usual variables of AWS.
    pub fn environment(&self, key: &str) -> Vec<(String, String)> {
        [
            ("KEYFERRY_KEY_KMS", key),
            ("AWS_ENDPOINT_URL_KMS", &format!("http://{}", self.front)),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // Makes the AWS client log responses that contain keys.
            ("LOG_SENSITIVE_BODIES", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Creates a key and returns its ARN.
    pub async fn create_key(&self) -> String {
        let made = self.call("CreateKey", json!({})).await;
        made.pointer("/KeyMetadata/Arn").and_then(Value::as_str).or_fail("the ARN of a new key").to_owned()
    }

    /// Calls moto directly, not through the proxy. Fails the test where moto refuses.
    pub async fn call(&self, operation: &str, body: Value) -> Value {
        let answer = ask(self.moto, operation, body.to_string().into_bytes()).await.or_fail(operation);
        if answer.status != 200 {
            fail(format_args!("{operation}: {} {}", answer.status, answer.text()));
        }
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// Changes how the proxy handles calls.
    pub fn set(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// The calls since the start, or since the last call of this function.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(to: SocketAddr, operation: &str, body: Vec<u8>) -> Result<crate::http::Response, crate::http::Error> {
    let scope = format!("AKIAIOSFODNN7EXAMPLE/20260101/{REGION}/kms/aws4_request");
    let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    let request = Request::new("POST", "/").header("x-amz-target", &format!("TrentService.{operation}"));
    request.header("authorization", &signed).body("application/x-amz-json-1.1", body).try_send(to).await
}

async fn serve(listener: TcpListener, moto: SocketAddr, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        if mood(&state) == Mood::Gone {
            continue;
        }
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(request, moto, Arc::clone(&state)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn mood(state: &Mutex<State>) -> Mood {
    state.lock().unwrap_or_else(PoisonError::into_inner).mood
}

async fn answer(
    request: HyperRequest<Incoming>,
    moto: SocketAddr,
    state: Arc<Mutex<State>>,
) -> Result<HyperResponse<Full<Bytes>>, crate::http::Error> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let mood = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let body = serde_json::from_slice(&body).unwrap_or_default();
        state.calls.push(Call { operation: operation.clone(), body });
        let mood = state.mood;
        if let Mood::Answers(left, status, code) = mood {
            state.mood = if left > 1 { Mood::Answers(left - 1, status, code) } else { Mood::Works };
        }
        mood
    };
    let (status, body) = match mood {
        Mood::Works => {
            let answer = ask(moto, &operation, body.to_vec()).await?;
            (answer.status, answer.body)
        }
        // A connection from before the outage.
        Mood::Gone => return Err("gone".into()),
        Mood::Answers(_, status, code) => (status, json!({ "__type": code, "message": "" }).to_string().into_bytes()),
    };
    let answer = HyperResponse::builder().status(StatusCode::from_u16(status)?);
    Ok(answer.header("content-type", "application/x-amz-json-1.1").body(Full::from(body))?)
}
