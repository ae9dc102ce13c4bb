//! HTTPS without a reverse proxy: a certificate that is renewed during requests, and certificates that cannot be used.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyferry_tests::http::Request;
use keyferry_tests::wire::Wire;
use keyferry_tests::{
    ACCOUNT, ORG, Server, ServerOptions, ServerTls, World, WorldOptions, create_api_key, run, run_in,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// An authority that clients trust.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `localhost` and its key, both PEM.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// As tools for certificate renewal do: written under another name first.
fn put(path: &Path, content: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, content).unwrap();
    fs::rename(&beside, path).unwrap();
}

async fn see(server: &Server, client: &Arc<ClientConfig>) -> Vec<u8> {
    let (answer, seen) =
        Request::new("GET", "/readyz").try_send_tls(server.address(), Arc::clone(client)).await.unwrap();
    assert_eq!(answer.status, 200);
    seen
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn https_is_served_and_a_renewed_certificate_is_taken_up_without_a_failed_request() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let authority = Authority::new();
    let (first, first_key) = authority.issue();
    put(&cert, &first);
    put(&key, &first_key);
    let client = authority.client();
    let tls = ServerTls { cert: cert.clone(), key: key.clone(), client: Arc::clone(&client) };
    // The account is created before TLS is on.
    let mut world = World::start_with(WorldOptions::default()).await;
    world.server.options_mut().tls = Some(tls);
    world.server.restart().await;

    let get = Request::new("GET", &format!("/api/v2/public/linked-account/{ACCOUNT}"));
    let get = get.header("x-api-key", &world.api_key);
    let (answer, _) = get.clone().try_send_tls(world.server.address(), Arc::clone(&client)).await.unwrap();
    assert_eq!((answer.status, answer.json()["account_id"].as_str()), (200, Some(ACCOUNT)));
    assert_eq!(get.try_send(world.server.address()).await.unwrap().status, 400, "without TLS it is not served");
    let stranger = Authority::new().client();
    assert!(Request::new("GET", "/readyz").try_send_tls(world.server.address(), stranger).await.is_err());

    let before = see(&world.server, &client).await;
    let (second, second_key) = authority.issue();
    // Between the two writes the pair does not match, and the former one has to stay in use.
    put(&cert, &second);
    until("the half-renewed pair was not noticed", async || {
        assert_eq!(see(&world.server, &client).await, before);
        world.server.logs().contains("the former TLS certificate stays in use")
    })
    .await;
    put(&key, &second_key);
    until("the renewed certificate was not taken up", async || see(&world.server, &client).await != before).await;
    let renewed = see(&world.server, &client).await;
    put(&cert, "no certificate");
    until("what is no certificate was not noticed", async || {
        assert_eq!(see(&world.server, &client).await, renewed);
        world.server.logs().contains("holds no certificate in PEM")
    })
    .await;
    assert!(!world.server.logs().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_certificate_or_key_that_cannot_be_used_is_told_and_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let authority = Authority::new();
    let ((one, one_key), (_, other_key)) = (authority.issue(), authority.issue());
    let (cert, key) = (file("cert.pem", &one), file("key.pem", &one_key));
    let cases = [
        (folder.path().join("missing.pem"), key.clone(), "missing.pem cannot be read"),
        (file("junk.pem", "junk"), key.clone(), "junk.pem holds no certificate in PEM"),
        (cert.clone(), file("none.pem", ""), "none.pem holds no key in PEM"),
        (cert.clone(), cert.clone(), "cert.pem holds no key in PEM"),
        (cert, file("other.pem", &other_key), "do not go together"),
    ];
    for (cert, key, expected) in cases {
        let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
        options.tls = Some(ServerTls { cert, key, client: authority.client() });
        let failure = Server::try_start(options).await.err().unwrap();
        assert!(failure.status.is_some_and(|status| !status.success()), "{expected}: {failure}");
        assert!(failure.logs.contains(expected), "{expected}: {failure}");
        assert!(!failure.logs.contains("listening"), "{expected}: {failure}");
    }
    let alone = run(["serve", "--tls-cert", "cert.pem", "--data", folder.path().join("data").to_str().unwrap()]).await;
    assert!(
        !alone.status.success() && String::from_utf8_lossy(&alone.stderr).contains("tls-key is not: HTTPS needs both"),
        "{alone:?}"
    );
}

#[tokio::test]
async fn whoever_is_slow_with_the_handshake_or_behind_it_is_cut_off_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let settings = folder.path().join("keyferry.toml");
    let authority = Authority::new();
    let (certificate, secret) = authority.issue();
    put(&cert, &certificate);
    put(&key, &secret);
    put(&settings, "[http]\nhead-seconds = 1\nidle-seconds = 1\n");
    let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
    options.tls = Some(ServerTls { cert, key, client: authority.client() });
    options.arguments.extend(["--config".to_owned(), settings.display().to_string()]);
    // If one of the slow clients kept its slot, there would be none for the last.
    options.arguments.extend(["--max-connections", "4"].map(str::to_owned));
    let server = Server::start(options).await;

    // A record of a handshake that declares 512 bytes, and 3 of them.
    let begun: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01];
    let mut slow = Vec::new();
    for bytes in [&[][..], begun, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut wire = Wire::connect(server.address()).await;
        wire.send(bytes).await;
        slow.push(wire);
    }
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut behind = tokio_rustls::TlsConnector::from(authority.client()).connect(name, stream).await.unwrap();
    behind.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), behind.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty(), "half a head got a response: {rest:?}");
    for (place, mut wire) in slow.into_iter().enumerate() {
        assert!(wire.is_closed().await, "slow client {place} is still there");
    }
    see(&server, &authority.client()).await;
}

#[tokio::test]
async fn operators_are_listened_to_beyond_this_machine_over_https() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (certificate, secret) = authority.issue();
    let file = |name: &str, content: &str| {
        put(&folder.path().join(name), content);
        folder.path().join(name)
    };
    let token = "3c1f1b0f8a7e4d6c9b2a5e8f7d6c5b4a";
    let token_file = file("token", token);
    fs::set_permissions(&token_file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
    let (cert, key) = (file("cert.pem", &certificate), file("key.pem", &secret));
    options.tls = Some(ServerTls { cert, key, client: authority.client() });
    options.arguments.push("--admin-listen=0.0.0.0:0".to_owned());
    options.arguments.push(format!("--admin-token-file={}", token_file.display()));
    let server = Server::start(options).await;
    let address = (std::net::Ipv4Addr::LOCALHOST, server.operators_address().port()).into();
    let health = || Request::new("GET", "/admin/v1/health");
    let known = health().header("authorization", &format!("Bearer {token}"));
    let (answer, _) = known.clone().try_send_tls(address, authority.client()).await.unwrap();
    assert_eq!((answer.status, &answer.json()["obstacles"]), (200, &serde_json::json!([])));
    let (answer, _) = health().try_send_tls(address, authority.client()).await.unwrap();
    assert_eq!(answer.status, 401);
    let plain = known.try_send(address).await.unwrap();
    assert_eq!(plain.status, 400, "plain HTTP is not spoken there");
    assert!(plain.text().contains("this port serves HTTPS: write https://"), "{}", plain.text());
}

/// The response tells a client the scheme of the port.
#[tokio::test]
async fn a_command_with_the_wrong_scheme_is_told_the_right_one() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    put(&ca, &authority.0.pem());
    let (certificate, secret) = authority.issue();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    put(&cert, &certificate);
    put(&key, &secret);
    let tls = ServerTls { cert, key, client: authority.client() };
    let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
    let api_key = create_api_key(&options.data, ORG, "test").await;
    let unsecured = Server::start(options.clone()).await;
    let plain = unsecured.address();
    options.data = folder.path().join("other");
    options.tls = Some(tls);
    let secured = Server::start(options).await;
    let port = secured.address().port();
    for (server, expected) in [
        (format!("https://{plain}"), "does not speak TLS: write http:// in place of https://"),
        (format!("http://127.0.0.1:{port}"), "this port serves HTTPS: write https:// in place of http://"),
        // On this machine, the default scheme is http.
        (format!("127.0.0.1:{port}"), "this port serves HTTPS: write https://"),
        (format!("https://localhost:{port}"), "(401)"),
        ("ftp://localhost".to_owned(), "'--server <URL>': it must be the server's URL, such as http://127.0.0.1:8700"),
    ] {
        let environment = [("KEYFERRY_SERVER", &*server), ("KEYFERRY_API_KEY", &api_key)];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let output = run_in(&environment, ["imports", "list", "--server-ca", &ca.display().to_string()]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{server}: {said}");
        assert!(!said.contains(&api_key), "{said}");
    }
}

/// A named pipe without a writer, in place of a file.
fn put_fifo(path: &Path) {
    let beside = path.with_extension("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&beside).status().unwrap().success());
    fs::rename(&beside, path).unwrap();
}

/// A self-signed certificate for `localhost` and its key, valid from `before` days ago until `after` days from now.
fn of_days(before: i64, after: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let day = |days: i64| {
        let (now, span) = (jiff::Timestamp::now(), Duration::from_secs(24 * 60 * 60 * days.unsigned_abs()));
        let time = if days < 0 { now - span } else { now + span };
        let date = jiff::tz::TimeZone::UTC.to_datetime(time).date();
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (day(-before), day(after));
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_pipe_in_place_of_certificate_or_key_is_told_at_the_start_and_leaves_the_former_one_in_use_later() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let authority = Authority::new();
    let (certificate, secret) = authority.issue();
    for pipe in [&cert, &key] {
        put(&cert, &certificate);
        put(&key, &secret);
        put_fifo(pipe);
        let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
        options.tls = Some(ServerTls { cert: cert.clone(), key: key.clone(), client: authority.client() });
        let failure = Server::try_start(options).await.err().unwrap();
        let name = pipe.file_name().unwrap().to_str().unwrap();
        assert!(failure.logs.contains(&format!("{name} cannot be read: it is a FIFO")), "{failure}");
    }
    put(&cert, &certificate);
    put(&key, &secret);
    let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
    options.tls = Some(ServerTls { cert: cert.clone(), key: key.clone(), client: authority.client() });
    let mut server = Server::start(options).await;
    let client = authority.client();
    let before = see(&server, &client).await;
    for pipe in [&cert, &key] {
        put_fifo(pipe);
        let name = pipe.file_name().unwrap().to_str().unwrap();
        until("the pipe was not noticed", async || {
            assert_eq!(see(&server, &client).await, before);
            server.logs().contains(&format!("{name} cannot be read: it is a FIFO"))
        })
        .await;
        put(pipe, if pipe == &cert { &certificate } else { &secret });
    }
    put_fifo(&key);
    let began = Instant::now();
    assert!(server.terminate().await.success());
    assert!(began.elapsed() < Duration::from_secs(10), "the signal waited for a pipe");
}

#[tokio::test]
async fn a_key_that_others_can_read_and_a_certificate_that_ends_are_warned_of_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let authority = Authority::new();
    let write = |(certificate, secret): (String, String), mode: u32| {
        put(&cert, &certificate);
        put(&key, &secret);
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    };
    let check = async || {
        let data = folder.path().join("data").display().to_string();
        let (cert, key) = (cert.display().to_string(), key.display().to_string());
        let output = run(["config", "check", "--data", &data, "--tls-cert", &cert, "--tls-key", &key]).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (days, expected) in [((400, -2), "expired at"), ((-2, 400), "is not valid before"), ((300, 5), "expires at")] {
        write(of_days(days.0, days.1), 0o600);
        let said = check().await;
        assert!(said.contains(expected) && !said.contains("others can read"), "{said}");
    }
    for mode in [0o644, 0o640, 0o604] {
        write(authority.issue(), mode);
        let said = check().await;
        assert!(said.contains("others can read the TLS key") && said.contains(&format!("mode {mode:04o}")), "{said}");
    }
    write(authority.issue(), 0o600);
    assert!(!check().await.contains("warning"));

    let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
    options.tls = Some(ServerTls { cert: cert.clone(), key: key.clone(), client: authority.client() });
    let server = Server::start(options).await;
    assert!(!server.logs().contains("others can read the TLS key"));
    write(authority.issue(), 0o644);
    until("the mode was not warned of", async || server.logs().contains("others can read the TLS key")).await;
    write(of_days(300, 5), 0o600);
    until("the end was not warned of", async || server.logs().contains("expires at")).await;
    let health =
        keyferry_api::admin::call(&folder.path().join("data/admin.sock"), &keyferry_api::admin::ShowHealth {}).await;
    let warnings = health.unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("cert.pem expires at"), "{warnings:?}");
    // A change of the mode counts without a write to the file.
    let warnings = async || {
        let socket = folder.path().join("data/admin.sock");
        keyferry_api::admin::call(&socket, &keyferry_api::admin::ShowHealth {}).await.unwrap().warnings
    };
    for (mode, expected) in [(0o644, 2), (0o600, 1)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        until("the mode was not noticed", async || warnings().await.len() == expected).await;
    }
}
