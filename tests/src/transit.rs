//! A mock of the transit engine of Vault and OpenBao, over TLS. It is strict: it responds with 400 to a call that
//! differs from the engine's documentation, and records the difference.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::http::request::Parts;
use ::http::{Method, Request as HyperRequest, Response as HyperResponse, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keyferry_mock_providers::ThrowAwayCa;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::or_fail::OrFail as _;

/// The first valid token.
pub const TOKEN: &str = "hvs.a-token-that-nobody-may-see";
/// The engine's mount path.
pub const MOUNT: &str = "team/transit";
/// The engine's namespace.
pub const NAMESPACE: &str = "customers/acme";

/// How it responds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// As documented.
    Works,
    /// Closes every connection.
    Gone,
    /// With this status and these errors to this number of calls, and as documented to later ones.
    Fails(u32, u16, &'static str),
    /// With 429, and this `Retry-After`.
    Busy(&'static str),
    /// With 200 and this body.
    Says(&'static str),
    /// As documented, after this delay.
    Slow(Duration),
}

/// A received call, in the terms of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `encrypt`, `decrypt`
    pub operation: String,
    /// The key's name.
    pub key: String,
    /// `associated_data` and `context`, which have to be equal, as text.
    pub place: String,
}

struct State {
    mood: Mood,
    token: String,
    /// The versions of each key, the newest last.
    keys: BTreeMap<String, Vec<[u8; 32]>>,
    /// The oldest version that can decrypt.
    oldest: BTreeMap<String, usize>,
    calls: Vec<Call>,
    wrong: Vec<String>,
    plain: Vec<Vec<u8>>,
    used: u64,
}

/// A running mock engine. Dropping it stops it.
pub struct Transit {
    address: SocketAddr,
    ca: ThrowAwayCa,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Transit {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Transit {
    /// Starts one with a key of this name.
    pub async fn start(key: &str) -> Self {
        let ca = ThrowAwayCa::new().or_fail("a throw-away authority");
        let tls = ca.server_config(&["127.0.0.1"]).or_fail("a certificate");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.or_fail("listen");
        let address = listener.local_addr().or_fail("where it listens");
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Works,
            token: TOKEN.to_owned(),
            keys: BTreeMap::new(),
            oldest: BTreeMap::new(),
            calls: Vec::new(),
            wrong: Vec::new(),
            plain: Vec::new(),
            used: 0,
        }));
        let task = tokio::spawn(serve(listener, TlsAcceptor::from(tls), address, Arc::clone(&state)));
        let transit = Self { address, ca, state, task };
        transit.rotate(key);
        transit
    }

    /// The environment that makes Keyferry use a key here, with the token in a file in this folder, which it writes.
    pub fn environment(&self, key: &str, folder: &Path) -> Vec<(String, String)> {
        let (ca, token) = (folder.join("transit-ca.pem"), folder.join("transit-token"));
        self.ca.write_pem(&ca).or_fail("write the throw-away authority");
        std::fs::write(&token, format!("{TOKEN}\n")).or_fail("write the token");
        [
            ("KEYFERRY_KEY_TRANSIT", self.url(key)),
            ("KEYFERRY_KEY_CA", ca.display().to_string()),
            ("VAULT_TOKEN_FILE", token.display().to_string()),
            ("VAULT_NAMESPACE", NAMESPACE.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The address of a key.
    pub fn url(&self, key: &str) -> String {
        format!("https://{}/v1/{MOUNT}/keys/{key}", self.address)
    }

    /// The name of a key in stored roots.
    pub fn kek_id(key: &str) -> String {
        format!("transit:{NAMESPACE}:{MOUNT}/{key}")
    }

    /// Creates a version of a key, the first or a further one.
    pub fn rotate(&self, key: &str) {
        let mut material = [0; 32];
        fastrand::fill(&mut material);
        self.lock().keys.entry(key.to_owned()).or_default().push(material);
    }

    /// Allows only this version of a key and later ones to decrypt.
    pub fn oldest(&self, key: &str, version: usize) {
        self.lock().oldest.insert(key.to_owned(), version);
    }

    /// Accepts only this token from now on.
    pub fn want_token(&self, token: &str) {
        token.clone_into(&mut self.lock().token);
    }

    /// Changes how it responds.
    pub fn set(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// The calls since the start, or since the last call of this function.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    /// The invalid calls so far, each with its defect.
    pub fn wrong(&self) -> Vec<String> {
        self.lock().wrong.clone()
    }

    /// All plaintexts that it has wrapped and unwrapped.
    pub fn plain(&self) -> Vec<Vec<u8>> {
        self.lock().plain.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, address: SocketAddr, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        if state.lock().unwrap_or_else(PoisonError::into_inner).mood == Mood::Gone {
            continue;
        }
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| answer(request, address, Arc::clone(&state)));
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: HyperRequest<Incoming>,
    address: SocketAddr,
    state: Arc<Mutex<State>>,
) -> Result<HyperResponse<Full<Bytes>>, crate::http::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mood = state.lock().unwrap_or_else(PoisonError::into_inner).mood.clone();
    if let Mood::Slow(time) = mood {
        tokio::time::sleep(time).await;
    }
    let retry_after = match &mood {
        Mood::Busy(wait) => Some(*wait),
        _ => None,
    };
    let (status, text) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = state.read(&head, &body, address);
        match (outcome, mood) {
            (Err(wrong), _) => {
                state.wrong.push(wrong.clone());
                (400, errors(&wrong))
            }
            (Ok(_), Mood::Says(text)) => (200, text.to_owned()),
            (Ok(_), Mood::Busy(_)) => (429, errors("rate limit quota exceeded")),
            (Ok(_), Mood::Fails(left, status, said)) => {
                state.mood = if left > 1 { Mood::Fails(left - 1, status, said) } else { Mood::Works };
                (status, errors(said))
            }
            (Ok(asked), _) => match state.perform(&asked) {
                Ok(data) => (200, json!({ "request_id": "r", "lease_id": "", "data": data }).to_string()),
                Err((status, said)) => (status, errors(said)),
            },
        }
    };
    let mut answer = HyperResponse::builder().status(StatusCode::from_u16(status)?);
    if let Some(wait) = retry_after {
        answer = answer.header("retry-after", wait);
    }
    Ok(answer.header("content-type", "application/json").body(Full::from(text))?)
}

fn errors(said: &str) -> String {
    json!({ "errors": [said] }).to_string()
}

/// A valid call.
struct Asked {
    token: String,
    operation: String,
    key: String,
    bound: Vec<u8>,
    /// `plaintext`, decoded, or `ciphertext`.
    given: Vec<u8>,
}

impl State {
    fn read(&mut self, head: &Parts, body: &[u8], address: SocketAddr) -> Result<Asked, String> {
        if head.method != Method::POST || head.uri.query().is_some() {
            return Err(format!("{} {}", head.method, head.uri));
        }
        let rest = head.uri.path().strip_prefix(&format!("/v1/{MOUNT}/")).ok_or(format!("path {}", head.uri))?;
        let (operation, key) = rest.split_once('/').ok_or(format!("path {}", head.uri))?;
        let given = match operation {
            "encrypt" => "plaintext",
            "decrypt" => "ciphertext",
            _ => return Err(format!("path {}", head.uri)),
        };
        let mut headers = BTreeMap::new();
        for (name, value) in &head.headers {
            let value = value.to_str().map_err(|error| error.to_string())?;
            if headers.insert(name.as_str(), value).is_some() {
                return Err(format!("header {name} twice"));
            }
        }
        let token = headers.remove("x-vault-token").ok_or("no x-vault-token")?.to_owned();
        let (length, host) = (body.len().to_string(), address.to_string());
        let wanted = BTreeMap::from([
            ("host", host.as_str()),
            ("content-type", "application/json"),
            ("content-length", &length),
            ("x-vault-request", "true"),
            ("x-vault-namespace", NAMESPACE),
        ]);
        if headers != wanted {
            return Err(format!("headers {headers:?}"));
        }
        let body: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let mut names: Vec<_> = body.keys().map(String::as_str).collect();
        names.sort_unstable();
        if names != ["associated_data", given, "context"] && names != ["associated_data", "context", given] {
            return Err(format!("members {names:?}"));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).ok_or(format!("{name} is no text"));
        let decoded = |name: &str| STANDARD.decode(text(name)?).map_err(|error| format!("{name}: {error}"));
        let (bound, context) = (decoded("associated_data")?, decoded("context")?);
        let place = String::from_utf8(bound.clone()).map_err(|error| error.to_string())?;
        let is_root = place.strip_prefix("keyferry/v1/root/").and_then(|rest| rest.split_once('/'));
        let is_root = is_root.is_some_and(|(org, number)| !org.is_empty() && number.parse::<u32>().is_ok());
        if bound != context || !(is_root || ["keyferry/v1/compiled-code", "keyferry/v1/probe"].contains(&&*place)) {
            return Err(format!("bound to {place}"));
        }
        let given = if given == "plaintext" { decoded(given)? } else { text(given)?.as_bytes().to_vec() };
        if operation == "encrypt" && given.len() != 64 {
            return Err(format!("a plaintext of {} bytes", given.len()));
        }
        self.calls.push(Call { operation: operation.to_owned(), key: key.to_owned(), place });
        Ok(Asked { token, operation: operation.to_owned(), key: key.to_owned(), bound, given })
    }

    fn perform(&mut self, asked: &Asked) -> Result<Value, (u16, &'static str)> {
        if asked.token != self.token {
            return Err((403, "permission denied"));
        }
        let versions = self.keys.get(&asked.key).ok_or((400, "encryption key not found"))?;
        let cipher = |material: &[u8; 32]| UnboundKey::new(&AES_256_GCM, material).map(LessSafeKey::new);
        let failed = (400, "cipher: message authentication failed");
        if asked.operation == "encrypt" {
            self.used += 1;
            let nonce = [[0; 4].as_slice(), &self.used.to_be_bytes()].concat();
            let mut sealed = asked.given.clone();
            let key = cipher(versions.last().ok_or(failed)?).map_err(|_| failed)?;
            let sealing = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| failed)?;
            key.seal_in_place_append_tag(sealing, Aad::from(&asked.bound), &mut sealed).map_err(|_| failed)?;
            let ciphertext = format!("vault:v{}:{}", versions.len(), STANDARD.encode([nonce, sealed].concat()));
            self.plain.push(asked.given.clone());
            return Ok(json!({ "ciphertext": ciphertext, "key_version": versions.len() }));
        }
        let parts = std::str::from_utf8(&asked.given).ok().and_then(|text| text.strip_prefix("vault:v"));
        let (version, sealed) =
            parts.and_then(|text| text.split_once(':')).ok_or((400, "invalid ciphertext: no prefix"))?;
        let version: usize = version.parse().map_err(|_| (400, "invalid ciphertext: version"))?;
        if self.oldest.get(&asked.key).is_some_and(|oldest| version < *oldest) {
            return Err((400, "ciphertext or signature version is disallowed by policy (too old)"));
        }
        let sealed = STANDARD.decode(sealed).map_err(|_| (400, "invalid ciphertext: could not decode base64"))?;
        let (nonce, sealed) = sealed.split_at_checked(12).ok_or(failed)?;
        let key = cipher(versions.get(version - 1).ok_or(failed)?).map_err(|_| failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed)?;
        let mut plain = sealed.to_vec();
        let plain = key.open_in_place(nonce, Aad::from(&asked.bound), &mut plain).map_err(|_| failed)?;
        self.plain.push(plain.to_vec());
        Ok(json!({ "plaintext": STANDARD.encode(plain) }))
    }
}
