//! Groups 17, 21 and 22 at the running server: providers that flood, plugins with many requests, and the effect on
//! the server's memory, its other callers and its secrets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use flate2::{Compress, Compression, FlushCompress};
use keyferry_mock_providers::{Delivery, MockProviders, Received, Reply};
use keyferry_tests::dns::DnsServer;
use keyferry_tests::process::kernel_tells;
use rustls::ServerConfig;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::probe::{KEY, Probe};

/// The allowed growth of the server's memory while all floods run at once, in KiB.
const ROOM: usize = 64 * 1024;

/// The beginning of a gzip stream, and a block that can be repeated endlessly: about a thousandth of the MiB of
/// zeros that it encodes, and independent of earlier blocks.
fn zeros() -> (Vec<u8>, Vec<u8>) {
    let mut compress = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(8192);
    compress.compress_vec(&vec![0; 1 << 20], &mut block, FlushCompress::Full).unwrap();
    (vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], block)
}

/// Its path, the bytes that are sent once, the bytes that are repeated, and the errors that a component may get.
type Flood = (&'static str, Vec<u8>, Vec<u8>, &'static [&'static str]);

fn floods() -> Vec<Flood> {
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes();
    let (start, zeros) = zeros();
    let bomb = [head("content-encoding: gzip\r\n"), start].concat();
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
    vec![
        ("bomb", bomb, zeros, &["TooLarge"]),
        ("chunks", head("transfer-encoding: chunked\r\n"), chunk, &["TooLarge"]),
        ("body", head(""), vec![b'x'; 0x10000], &["TooLarge"]),
        ("headers", b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-a: b\r\n".repeat(10_000), &["TooLarge"]),
        ("header", b"HTTP/1.1 200 OK\r\nx-a: ".to_vec(), vec![b'x'; 0x10000], &["TooLarge"]),
        (
            "extension",
            [head("transfer-encoding: chunked\r\n"), b"1;".to_vec()].concat(),
            vec![b'x'; 0x10000],
            &["Transport", "Timeout"],
        ),
        (
            "trailers",
            [head("transfer-encoding: chunked\r\n"), b"0\r\n".to_vec()].concat(),
            b"x-a: b\r\n".repeat(1000),
            &["Transport", "TooLarge"],
        ),
        ("continue", Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), &["Timeout"]),
        ("hints", Vec::new(), b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(1000), &["Timeout"]),
        ("silence", Vec::new(), Vec::new(), &["Timeout"]),
    ]
}

/// A server that floods, in a different way for each path.
struct Flooder {
    port: u16,
    task: AbortHandle,
}

impl Drop for Flooder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Flooder {
    async fn start(tls: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(tls);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(flood(acceptor.clone(), stream));
            }
        });
        Self { port, task: task.abort_handle() }
    }
}

async fn flood(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    let line = String::from_utf8(request).unwrap();
    let path = line.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
    let (_, first, again, _) = floods().into_iter().find(|(name, ..)| *name == path).unwrap();
    let _ = stream.write_all(&first).await;
    let _ = stream.flush().await;
    if again.is_empty() {
        let _ = stream.read(&mut [0]).await;
        return;
    }
    // Until the client closes.
    while stream.write_all(&again).await.is_ok() {}
}

/// The peak memory of a process, in KiB.
fn peak(pid: u32) -> usize {
    kernel_tells(pid, "VmHWM:")
}

fn short_calls(options: &mut keyferry_tests::ServerOptions) {
    let file = options.data.parent().unwrap().join("keyferry.toml");
    std::fs::write(&file, "[sandbox]\nwall-seconds = 3\n").unwrap();
    options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
}

#[tokio::test]
async fn floods_end_in_typed_errors_and_leave_memory_as_it_was() {
    let dns = DnsServer::start(|question| question.addresses(&["127.0.0.1"])).await;
    let mut providers = MockProviders::start().await.unwrap();
    let port = providers.add("good.example.com", |_| Reply::text(200, "good")).await.unwrap().port();
    let flooder = Flooder::start(providers.ca().server_config(&["bad.example.com"]).unwrap()).await;
    let probe = Arc::new(Probe::start(providers, &dns, short_calls).await);
    let good = format!("https://good.example.com:{port}");
    assert!(probe.ask(&good, &good).await.contains("good"));
    let before = peak(probe.world.server.pid());
    let mut asking = JoinSet::new();
    for (name, _, _, told) in floods() {
        let (probe, origin) = (Arc::clone(&probe), format!("https://bad.example.com:{}", flooder.port));
        asking.spawn(async move {
            let began = Instant::now();
            (name, told, probe.ask(&origin, &format!("{origin}/{name}")).await, began.elapsed())
        });
    }
    // Another plugin is served meanwhile.
    let neighbour = probe.ask(&good, &good).await;
    assert!(neighbour.contains("good"), "{neighbour}");
    for (name, told, detail, time) in asking.join_all().await {
        assert!(told.iter().any(|told| detail.contains(told)) && detail.contains("sent true"), "{name}: {detail}");
        assert!(time < Duration::from_secs(10), "{name} took {time:?}");
    }
    let after = peak(probe.world.server.pid());
    assert!(after < before + ROOM, "the server had {before} KiB at most, and then {after} KiB");
    assert!(probe.ask(&good, &good).await.contains("good"));
}

#[tokio::test]
async fn a_storm_of_calls_is_answered_and_what_is_given_up_ends() {
    let dns = DnsServer::start(|question| question.addresses(&["127.0.0.1"])).await;
    let mut providers = MockProviders::start().await.unwrap();
    let slow = |request: Received| match request.path() {
        "/stall" => Reply::text(200, "late").delayed(Duration::from_secs(60)),
        _ => Reply::text(200, "good").delayed(Duration::from_millis(20)),
    };
    let port = providers.add("good.example.com", slow).await.unwrap().port();
    let mut probe = Probe::start(providers, &dns, short_calls).await;
    let origin = format!("https://good.example.com:{port}");
    let request = |ask: &str, times: u32| {
        let credential = json!({"origin": origin, "ask": ask, "times": times.to_string(), "api_key": KEY});
        let body = json!({"slug": "prober", "auth_object": {"keybased": credential}});
        let request = probe.world.migrate_request(&body).header("x-api-key", &probe.world.api_key);
        request.header("accept", "application/problem+json")
    };
    let address = probe.world.server.address();
    // More requests than the limit of a call, in more calls than there are slots: the ninth request of each is refused.
    let mut storm = JoinSet::new();
    for _ in 0..80 {
        let request = request(&origin, 10);
        storm.spawn(async move { request.send(address).await });
    }
    for answer in storm.join_all().await {
        let text = answer.text();
        match answer.status {
            503 => assert!(answer.header("retry-after").is_some(), "{text}"),
            _ => assert!(text.contains("BudgetExhausted") || text.contains("Timeout"), "{}: {text}", answer.status),
        }
    }
    // Callers that disconnect during their request.
    for _ in 0..20 {
        let gone =
            tokio::time::timeout(Duration::from_millis(20), request(&format!("{origin}/stall"), 1).send(address));
        assert!(gone.await.is_err());
    }
    let good = probe.ask(&origin, &origin).await;
    assert!(good.contains("good"), "{good}");
    // A call that waits for a provider when the server is asked to shut down.
    let stalled = tokio::spawn(request(&format!("{origin}/stall"), 1).send(address));
    let began = Instant::now();
    let stalls = |received: &[Received]| received.iter().filter(|request| request.path() == "/stall").count();
    let before = stalls(&probe.world.providers.received());
    while stalls(&probe.world.providers.received()) <= before && began.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = probe.world.server.terminate().await;
    assert!(status.success(), "{status}: {}", probe.world.server.logs());
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?} to end", began.elapsed());
    assert!(stalled.await.unwrap().text().contains("Timeout"), "the call did not end with a timeout");
}

#[tokio::test]
async fn what_a_provider_echoes_of_a_secret_reaches_neither_caller_nor_log() {
    let dns = DnsServer::start(|question| question.addresses(&["127.0.0.1"])).await;
    let mut providers = MockProviders::start().await.unwrap();
    let base64 = base64::engine::general_purpose::STANDARD.encode(KEY);
    let escaped = percent_encoding::utf8_percent_encode(KEY, percent_encoding::NON_ALPHANUMERIC).to_string();
    let escaped = escaped.replace("%2D", "-");
    let echoes = [KEY.to_owned(), base64, escaped, KEY.replace('/', "\\/"), KEY.replace('+', "\\u002B")];
    let said = echoes.clone();
    let echo = move |request: Received| {
        let echo = &said[request.path().trim_start_matches('/').parse::<usize>().unwrap_or_default() % said.len()];
        let reply = Reply::text(401, &format!("[{echo}]")).with_header("x-echo", echo);
        if request.query().is_empty() {
            return reply;
        }
        reply.delivered(Delivery::Raw(format!("HTTP/1.1 {echo}\r\n\r\n").into_bytes()))
    };
    let port = providers.add("echo.example.com", echo).await.unwrap().port();
    let loud = |options: &mut keyferry_tests::ServerOptions| {
        options.environment.push(("KEYFERRY_LOG".to_owned(), "trace".to_owned()));
    };
    let probe = Probe::start(providers, &dns, loud).await;
    let origin = format!("https://echo.example.com:{port}");
    for (at, echo) in echoes.iter().enumerate() {
        let detail = probe.ask(&origin, &format!("{origin}/{at}")).await;
        assert!(detail.contains("[***]"), "{echo}: {detail}");
        let broken = probe.ask(&origin, &format!("{origin}/{at}?broken")).await;
        assert!(broken.contains("Transport") && !broken.contains(echo), "{broken}");
    }
    let logs = probe.world.server.logs();
    for echo in &echoes {
        assert!(!logs.contains(echo.as_str()), "{echo} is in the log");
    }
}
