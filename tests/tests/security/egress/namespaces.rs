//! Real addresses: two network namespaces, joined by one link, without a route to the outside. The server runs in one,
//! as in production: no development flag, the system's own `resolv.conf` and `hosts`. In the other are a provider at
//! an address that looks public, and all targets that must never be dialled.
//!
//! The test runs itself twice more, once in each namespace (`ip netns exec`).

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use keyferry_mock_providers::ThrowAwayCa;
use keyferry_tests::dns::{Answer, DnsServer, Question, ResponseCode};
use keyferry_tests::{Server, ServerOptions, binary, create_api_key, http, plugins};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The server's address. It looks as public as the provider's; neither is used by other hosts in these namespaces.
const OWN: &str = "93.184.215.1";
/// The provider's address.
const PUBLIC: &str = "93.184.215.14";
/// The DNS server's address.
const DNS: &str = "93.184.215.53";
/// Addresses that must never be dialled, though they would respond.
const FORBIDDEN: [&str; 5] = ["10.0.0.7", "192.168.7.7", "169.254.169.254", "168.63.129.16", "100.100.100.200"];

/// The variable with the folder that the two runs share.
const FOLDER: &str = "KEYFERRY_TEST_NAMESPACES";

/// Two namespaces, which are removed with their files when this is dropped.
struct Namespaces {
    inner: String,
    outer: String,
}

impl Namespaces {
    /// `Err` has the reason why there can be none.
    fn new() -> Result<Self, String> {
        let pid = std::process::id();
        let both = Self { inner: format!("kf-in-{pid}"), outer: format!("kf-out-{pid}") };
        both.make().map(|()| both)
    }

    fn make(&self) -> Result<(), String> {
        let Self { inner, outer } = self;
        ip(&format!("netns add {inner}"))?;
        ip(&format!("netns add {outer}"))?;
        ip(&format!("link add eth0 netns {inner} type veth peer name eth0 netns {outer}"))?;
        ip(&format!("-n {inner} address add {OWN}/24 dev eth0"))?;
        for address in [PUBLIC, DNS] {
            ip(&format!("-n {outer} address add {address}/24 dev eth0"))?;
        }
        for address in FORBIDDEN {
            ip(&format!("-n {outer} address add {address}/32 dev eth0"))?;
        }
        for name in [inner, outer] {
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} link set eth0 up"))?;
        }
        ip(&format!("-n {inner} route add default via {PUBLIC}"))?;
        let files = self.files();
        fs::create_dir_all(&files).map_err(|error| format!("make {}: {error}", files.display()))?;
        let resolv = format!("nameserver {DNS}\nsearch corp.example.com\noptions ndots:5\n");
        let hosts = "127.0.0.1 localhost\n10.0.0.7 overridden.example.com hosts-alone.example.com\n";
        fs::write(files.join("resolv.conf"), resolv).map_err(|error| error.to_string())?;
        fs::write(files.join("hosts"), hosts).map_err(|error| error.to_string())
    }

    /// Files that `ip netns exec` mounts over `/etc`.
    fn files(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.inner)
    }

    /// This test executable in a namespace, restricted to one test.
    fn run(namespace: &str, test: &str, folder: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]).env(FOLDER, folder);
        // The namespaces have no network for a build.
        command.env("KEYFERRY_BIN", binary::keyferry()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in [&self.inner, &self.outer] {
            let _ = ip(&format!("netns delete {name}"));
        }
        let _ = fs::remove_dir_all(self.files());
        // Only where it is empty.
        let _ = fs::remove_dir("/etc/netns");
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let failed = |why: String| format!("ip {arguments}: {why}");
    let output = Command::new("ip").args(arguments.split(' ')).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

#[test]
fn a_server_in_production_dials_what_is_public_and_never_what_is_not() {
    let namespaces = match Namespaces::new() {
        Ok(namespaces) => namespaces,
        // Not every machine that runs the suite allows it, so this is skipped in CI as well.
        Err(why) => return println!("skipped: network namespaces cannot be made here: {why}"),
    };
    let folder = tempfile::tempdir().unwrap();
    plugins::build("prober", &folder.path().join("plugins"));
    let mut world =
        Namespaces::run(&namespaces.outer, "egress::namespaces::the_world_outside", folder.path()).spawn().unwrap();
    // Kept until its end; otherwise it could not print any more.
    let mut lines = BufReader::new(world.stdout.take().unwrap()).lines().map_while(Result::ok);
    let ready = lines.any(|line| line == "ready");
    let result = ready.then(|| {
        Namespaces::run(&namespaces.inner, "egress::namespaces::the_server_inside", folder.path()).output().unwrap()
    });
    end(&mut world);
    let output = result.expect("the test in the outer namespace is ready");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn end(child: &mut Child) {
    // It ends with its stdin.
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// The folder, where the test runs in a namespace; `None` where it is run directly.
fn folder() -> Option<PathBuf> {
    let folder = env::var_os(FOLDER).map(PathBuf::from);
    if folder.is_none() {
        println!(
            "skipped: this is one half of namespaces::a_server_in_production_dials_what_is_public_and_never_what_is_not"
        );
    }
    folder
}

/// The events outside, one per line: `DNS name`, `SERVED host path`, `DIALLED address`.
fn seen(folder: &Path) -> String {
    fs::read_to_string(folder.join("seen")).unwrap_or_default()
}

fn note(folder: &Path, line: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(folder.join("seen")).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn answer(question: &Question) -> Answer {
    let own = |addresses: &[&str]| question.addresses(addresses);
    match question.name.as_str() {
        "public.example.com" | "overridden.example.com" => own(&[PUBLIC]),
        "private.example.com" => own(&[FORBIDDEN[0]]),
        "private-too.example.com" => own(&[FORBIDDEN[1]]),
        "metadata.example.com" => own(&[FORBIDDEN[2]]),
        "azure.example.com" => own(&[FORBIDDEN[3]]),
        "alibaba.example.com" => own(&[FORBIDDEN[4]]),
        "mixed.example.com" => own(&[PUBLIC, FORBIDDEN[0]]),
        "dual.example.com" => own(&[PUBLIC, "fd00::7"]),
        "server.example.com" => own(&[OWN]),
        "loopback.example.com" => own(&["127.0.0.1"]),
        "rebound.example.com" if question.before == 0 => own(&[PUBLIC]),
        "rebound.example.com" => own(&[FORBIDDEN[0]]),
        // A name that a search domain would find.
        name if name.ends_with(".corp.example.com") => own(&[PUBLIC]),
        _ => Answer::Code(ResponseCode::NXDomain),
    }
}

#[tokio::test]
#[ignore = "one half of a test that runs it in a network namespace"]
async fn the_world_outside() {
    let Some(folder) = folder() else { return };
    let ca = ThrowAwayCa::new().unwrap();
    ca.write_pem(&folder.join("ca.pem")).unwrap();
    let names: Vec<&str> = ["*.example.com", PUBLIC, OWN].into_iter().chain(FORBIDDEN).collect();
    let tls = TlsAcceptor::from(ca.server_config(&names).unwrap());
    for address in [PUBLIC].into_iter().chain(FORBIDDEN) {
        for port in [443, 80] {
            let listener = TcpListener::bind((address, port)).await.unwrap();
            tokio::spawn(serve(listener, tls.clone(), folder.clone()));
        }
    }
    let notes = folder.clone();
    let dns = move |question: &Question| {
        note(&notes, &format!("DNS {}", question.name));
        answer(question)
    };
    let _dns = DnsServer::start_at(SocketAddr::new(DNS.parse().unwrap(), 53), dns).await;
    println!("\nready");
    // Until the parent test closes stdin.
    let _ = tokio::io::BufReader::new(tokio::io::stdin()).lines().next_line().await;
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, folder: PathBuf) {
    let address = listener.local_addr().unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        note(&folder, &format!("DIALLED {address}"));
        let (tls, folder) = (tls.clone(), folder.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { return };
                head.push(byte);
            }
            let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
            note(&folder, &format!("SERVED {address} {line}"));
            let location = if line.contains("/to-private") { "location: https://10.0.0.7/\r\n" } else { "" };
            let answer = format!("HTTP/1.1 200 OK\r\n{location}connection: close\r\ncontent-length: 7\r\n\r\noutside");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        });
    }
}

#[tokio::test]
#[ignore = "one half of a test that runs it in a network namespace"]
async fn the_server_inside() {
    let Some(folder) = folder() else { return };
    let data = folder.join("data");
    let api_key = create_api_key(&data, "acme", "test").await;
    let mut options = ServerOptions::new(&data, folder.join("plugins"));
    options.arguments.extend(["--egress-ca".to_owned(), folder.join("ca.pem").display().to_string()]);
    let server = Arc::new(Server::start(options).await);
    // A listener of this machine itself that must not be reachable.
    let own = TcpListener::bind((OWN, 443)).await.unwrap();

    let send = async |request: http::Request| request.header("x-api-key", &api_key).send(server.address()).await;
    let account = http::Request::new("POST", "/api/v2/public/linked-account").json(&json!({"account_id": "user_1"}));
    assert_eq!(send(account).await.status, 200);
    let ask = async |origin: &str, ask: &str| {
        let credential = json!({"origin": origin, "ask": ask, "times": "2", "api_key": "a-secret-value"});
        let body = json!({"slug": "prober", "auth_object": {"keybased": credential}});
        let request = http::Request::new("PUT", "/api/v2/public/migrate-token").json(&body);
        let request = request.header("linked_account_id", "user_1").header("accept", "application/problem+json");
        send(request).await.json()["detail"].as_str().unwrap_or_default().to_owned()
    };
    let by_name = async |name: &str| {
        let origin = format!("https://{name}.example.com");
        ask(&origin, &origin).await.replace(name, "NAME")
    };

    // A public address is reached: by name, in spite of /etc/hosts, and by address.
    for name in ["public", "overridden"] {
        let told = by_name(name).await;
        assert!(told.contains("status 200 outside"), "{name}: {told}");
    }
    let literal = format!("https://{PUBLIC}");
    assert!(ask(&literal, &literal).await.contains("status 200 outside"));
    // Other names fail as if they did not exist, including names in /etc/hosts only and in a search domain.
    let missing = by_name("missing").await;
    assert!(missing.contains("getaddrinfo ENOTFOUND NAME.example.com"), "{missing}");
    for name in
        ["private", "private-too", "metadata", "azure", "alibaba", "mixed", "dual", "server", "loopback", "hosts-alone"]
    {
        assert_eq!(by_name(name).await, missing, "{name}");
    }
    // Each request looks up again, because each connection serves one: the second request of the call gets another
    // answer.
    let rebound = by_name("rebound").await;
    let (first, second) = rebound.split_once(" | ").unwrap();
    assert!(first.contains("status 200") && second.contains("ENOTFOUND"), "{rebound}");
    // By address, and by a redirect.
    for address in FORBIDDEN.into_iter().chain([OWN, "127.0.0.1"]) {
        let url = format!("https://{address}");
        assert!(ask(&url, &url).await.contains("never dialled"), "{address}");
    }
    let redirected = ask("https://public.example.com", "https://public.example.com/to-private").await;
    assert!(redirected.contains("status 200 outside") && redirected.contains("Denied"), "{redirected}");

    let seen = seen(&folder);
    let dialled: Vec<_> = seen.lines().filter_map(|line| line.strip_prefix("DIALLED ")).collect();
    assert!(dialled.len() >= 6 && dialled.iter().all(|address| *address == format!("{PUBLIC}:443")), "{seen}");
    assert!(seen.contains("DNS hosts-alone.example.com") && seen.contains("DNS overridden.example.com"), "{seen}");
    assert!(!seen.contains("corp.example.com"), "a search domain was tried: {seen}");
    let accepted = tokio::time::timeout(std::time::Duration::from_millis(100), own.accept()).await;
    assert!(accepted.is_err(), "the machine dialled itself");
}
