//! Servers whose exact bytes a test defines, and clients that trust them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::{
    AppClient, Body, Call, Egress, EgressLimits, EgressSettings, GrantSet, Loopback, Method, Pair, Part, Request,
    Response, SendError,
};
use keyferry_types::path_text::ShowPath as _;
use keyferry_types::secret::{Secret, SharedSecret};

/// A request as a server read it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The request line and the headers.
    pub(super) head: String,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The behaviour of a server for a request.
pub(super) enum Reply {
    /// Sends this and waits for the next request.
    Say(Vec<u8>),
    /// Sends this and closes the connection.
    SayAndClose(Vec<u8>),
    /// Sends this and then nothing more.
    SayAndStall(Vec<u8>),
    /// Sends the first once, then the second repeatedly.
    Flood(Vec<u8>, Vec<u8>),
    /// Sends the first at once, then the second byte by byte, one each interval.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Sends this after a delay.
    Later(Duration, Vec<u8>),
}

/// A response with a status line, headers and a body.
pub(super) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
    text.push_str("\r\n");
    Reply::Say([text.as_bytes(), body].concat())
}

/// A certificate authority for the duration of a test.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let directory = tempfile::tempdir().unwrap();
        // Each authority has its own name: with equal names, only the signature would show that an authority is the
        // wrong one.
        params.distinguished_name.push(DnType::CommonName, directory.path().shown().to_string());
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    fn acceptor(&self, name: &str, validity: Validity) -> TlsAcceptor {
        let (certificate, key) = self.certificate(name, validity);
        let config = rustls::ServerConfig::builder_with_provider(crate::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A certificate for a name or an address, and its key.
    pub(super) fn certificate(
        &self,
        name: &str,
        validity: Validity,
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if validity == Validity::Over {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// The authority's own certificate.
    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Settings that trust this authority, allow loopback, and have no host names.
    pub(super) fn settings(&self) -> EgressSettings {
        EgressSettings {
            ca_file: Some(self.directory.path().join("ca.pem")),
            dev_resolve: vec!["nothing.example=127.0.0.1:1".parse().unwrap()],
            loopback: Loopback::AllowedForDevelopment,
            ..EgressSettings::default()
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Now,
    Over,
}

/// A server. It ends with the test.
pub(super) struct Site {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    load: Arc<Load>,
    task: JoinHandle<()>,
}

/// Counts the concurrent requests of a server.
#[derive(Default)]
struct Load {
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    /// Serves over TLS with a certificate for `name`.
    pub(super) async fn tls(
        authority: &Authority,
        name: &str,
        validity: Validity,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(authority.acceptor(name, validity)), handler).await
    }

    /// Serves over TLS with a given configuration.
    pub(super) async fn with(
        tls: rustls::ServerConfig,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(TlsAcceptor::from(Arc::new(tls))), handler).await
    }

    /// Serves without TLS.
    pub(super) async fn plain(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, handler).await
    }

    async fn serve(tls: Option<TlsAcceptor>, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (all_seen, count, handler) = (Arc::clone(&seen), Arc::clone(&connections), Arc::new(handler));
        let load = Arc::new(Load::default());
        let all_load = Arc::clone(&load);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (tls, seen, handler) = (tls.clone(), Arc::clone(&all_seen), Arc::clone(&handler));
                let load = Arc::clone(&all_load);
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, &seen, &load, &*handler).await;
                            }
                        }
                        None => converse(stream, &seen, &load, &*handler).await,
                    }
                });
            }
        });
        Self { address, seen, connections, load, task }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The most concurrent requests so far.
    pub(super) fn most_at_once(&self) -> usize {
        self.load.most.load(Ordering::SeqCst)
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Vec<Seen>>,
    load: &Load,
    handler: &impl Fn(&Seen) -> Reply,
) {
    while let Some(request) = read(&mut stream).await {
        let under_way = load.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        load.most.fetch_max(under_way, Ordering::SeqCst);
        seen.lock().unwrap().push(request.clone());
        match handler(&request) {
            Reply::Say(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Reply::SayAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::SayAndStall(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                // Until the client closes.
                let _ = stream.read(&mut [0]).await;
                return;
            }
            Reply::Flood(first, bytes) => {
                let _ = stream.write_all(&first).await;
                while stream.write_all(&bytes).await.is_ok() {}
                return;
            }
            Reply::Drip(first, rest, interval) => {
                let _ = stream.write_all(&first).await;
                for byte in rest {
                    let _ = stream.flush().await;
                    tokio::time::sleep(interval).await;
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
            }
            Reply::Later(after, bytes) => {
                tokio::time::sleep(after).await;
                let _ = stream.write_all(&bytes).await;
            }
        }
        let _ = stream.flush().await;
        load.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut seen = Seen { head: String::from_utf8(head).unwrap(), body: String::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    seen.body = String::from_utf8(body).unwrap();
    Some(seen)
}

/// The default set-up: one server for `api.example.com`, and a client with all grants for it.
pub(super) struct Bench {
    pub(super) site: Site,
    pub(super) client: AppClient,
    pub(super) call: Call,
    _authority: Authority,
}

impl Bench {
    pub(super) async fn new(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(|_| {}, handler).await
    }

    pub(super) async fn with(
        change: impl FnOnce(&mut EgressSettings),
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let authority = Authority::new();
        let site = Site::tls(&authority, "api.example.com", Validity::Now, handler).await;
        let mut settings = authority.settings();
        settings.dev_resolve = vec![format!("api.example.com={}", site.address).parse().unwrap()];
        change(&mut settings);
        let call = call_with(&settings.limits, Duration::from_secs(30));
        let client = AppClient::new(&Egress::new(settings).unwrap()).unwrap();
        Self { site, client, call, _authority: authority }
    }

    pub(super) async fn send(&mut self, request: Request) -> Result<Response, SendError> {
        self.client.send(&mut self.call, request).await
    }
}

/// A client that resolves one name and has all grants for it.
pub(super) fn client(mut settings: EgressSettings, name: &str, target: SocketAddr) -> AppClient {
    settings.dev_resolve = vec![format!("{name}={target}").parse().unwrap()];
    AppClient::new(&Egress::new(settings).unwrap()).unwrap()
}

/// A call with all grants for `*.example.com` and this machine.
pub(super) fn call_with(limits: &EgressLimits, time: Duration) -> Call {
    let methods = "GET,HEAD,POST,PUT,PATCH,DELETE";
    let hosts = ["*.example.com", "*.example.com:8443", "127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "8.8.8.8"];
    let grants: GrantSet = hosts.iter().map(|host| format!("{methods} https://{host}/*").parse().unwrap()).collect();
    Call::new(Arc::new(grants), Instant::now() + time, limits)
}

/// As [`call_with`], with the default limits.
pub(super) fn call() -> Call {
    call_with(&EgressLimits::default(), Duration::from_secs(30))
}

/// `GET https://api.example.com/`
pub(super) fn get() -> Request {
    get_from("https://api.example.com")
}

/// `GET` of another origin's root.
pub(super) fn get_from(origin: &str) -> Request {
    Request {
        method: Method::Get,
        origin: origin.to_owned(),
        path: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        auth: None,
        body: Body::Empty,
        mint: Vec::new(),
    }
}

pub(super) fn text(value: &str) -> Part {
    Part::Text(value.to_owned())
}

pub(super) fn secret(value: &str) -> SharedSecret {
    Arc::new(Secret::new(value))
}

pub(super) fn hidden(value: &str) -> Part {
    Part::Secret(secret(value))
}

pub(super) fn pair(name: &str, value: Vec<Part>) -> Pair {
    Pair { name: name.to_owned(), value }
}
