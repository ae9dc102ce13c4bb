//! The operator's API on a TCP address: which clients have access, and that it is the same API as on the socket.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ORG, Server, ServerOptions, World, WorldOptions, run};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

const TOKEN: &str = "3c1f1b0f8a7e4d6c9b2a5e8f7d6c5b4a";
const HEALTH: &str = "/admin/v1/health";

/// A file that only its owner can read.
fn token_file(folder: &Path, token: &str) -> PathBuf {
    let path = folder.join("admin.token");
    fs::write(&path, format!("{token}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// A world whose server listens to operators on TCP, and the folder of its token.
async fn listening() -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = token_file(folder.path(), TOKEN).display().to_string();
    let change = move |server: &mut ServerOptions| {
        server.arguments.extend(["--admin-listen=127.0.0.1:0".to_owned(), format!("--admin-token-file={file}")]);
    };
    (World::start_with(WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() }).await, folder)
}

async fn ask(world: &World, request: Request) -> Response {
    request.send(world.server.operators_address()).await
}

fn health(token: &str) -> Request {
    Request::new("GET", HEALTH).header("authorization", &format!("Bearer {token}"))
}

fn code(answer: &Response) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    answer.json()["code"].clone()
}

/// Each read-only operation, and one that writes.
fn requests() -> Vec<(&'static str, String, Option<Value>)> {
    let org = format!("/admin/v1/organisations/{ORG}");
    vec![
        ("GET", HEALTH.to_owned(), None),
        ("GET", "/admin/v1/openapi.json".to_owned(), None),
        ("GET", "/admin/v1/plugins".to_owned(), None),
        ("GET", "/admin/v1/plugins/slack".to_owned(), None),
        ("GET", "/admin/v1/plugins/nothing".to_owned(), None),
        ("GET", "/admin/v1/roots".to_owned(), None),
        ("GET", format!("{org}/keys"), None),
        ("GET", format!("{org}/audit"), None),
        ("POST", format!("{org}/keys/disable"), Some(json!({ "key_id": 1 }))),
        ("POST", format!("{org}/keys/disable"), Some(json!({ "surprise": 1 }))),
        ("DELETE", HEALTH.to_owned(), None),
        ("GET", "/admin/v1/nothing".to_owned(), None),
    ]
}

fn of(method: &str, path: &str, body: Option<&Value>) -> Request {
    let request = Request::new(method, path);
    match body {
        Some(body) => request.json(body),
        None => request,
    }
}

#[tokio::test]
async fn the_token_gets_the_answers_of_the_socket() {
    let (world, _folder) = listening().await;
    for (method, path, body) in requests() {
        let request = || of(method, &path, body.as_ref());
        let there = request().send_to_socket(&world.data().join("admin.sock")).await;
        let here = ask(&world, request().header("authorization", &format!("bearer {TOKEN}"))).await;
        assert_eq!((here.status, here.text()), (there.status, there.text()), "{method} {path}");
        for header in ["content-type", "allow", "cache-control"] {
            assert_eq!(here.header(header), there.header(header), "{method} {path}");
        }
    }
    // The effect is visible over the socket and in the trail.
    let path = format!("/admin/v1/organisations/{ORG}/api-keys");
    let made = of("POST", &path, Some(&json!({ "environment": "test", "label": "here", "scopes": ["read"] })));
    let made = ask(&world, made.header("authorization", &format!("Bearer {TOKEN}"))).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let listed = Request::new("GET", &path).send_to_socket(&world.data().join("admin.sock")).await;
    assert!(listed.text().contains("\"here\""), "{}", listed.text());
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    assert!(trail.contains("api_key"), "{trail}");
    assert!(!world.server.logs().contains(TOKEN), "the token is in no log");
}

#[tokio::test]
async fn without_the_token_nothing_is_said_and_nothing_is_done() {
    let (world, _folder) = listening().await;
    let before = world.command(&["audit", "export", "--org", ORG]).await.1;
    for (method, path, body) in requests() {
        let answer = ask(&world, of(method, &path, body.as_ref())).await;
        assert_eq!((answer.status, code(&answer)), (401, json!("operator_token_missing")), "{method} {path}");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{method} {path}");
    }
    for wrong in [format!("Bearer {TOKEN}x"), "Bearer ".to_owned(), format!("Basic {TOKEN}"), TOKEN.to_owned()] {
        let answer = ask(&world, Request::new("GET", HEALTH).header("authorization", &wrong)).await;
        assert_eq!((answer.status, code(&answer)), (401, json!("operator_token_missing")), "{wrong}");
    }
    let twice = health(TOKEN).header("authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(ask(&world, twice).await.status, 401, "one of two tokens is not chosen");
    assert_eq!(world.command(&["audit", "export", "--org", ORG]).await.1, before);
    // The public listener serves none of these paths, with or without the token.
    let elsewhere = health(TOKEN).send(world.server.address()).await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test]
async fn an_organisations_key_is_refused_whatever_its_scopes() {
    let (world, _folder) = listening().await;
    for scope in ["admin", "migrate", "read", "read_credentials"] {
        let (status, key, said) =
            world.command(&["api-key", "create", "--org", ORG, "--environment", "test", "--scope", scope]).await;
        assert_eq!(status, Some(0), "{said}");
        let key = key.trim();
        for request in [health(key), Request::new("GET", HEALTH).header("x-api-key", key)] {
            let answer = ask(&world, request).await;
            assert_eq!((answer.status, code(&answer)), (403, json!("not_an_operator")), "{scope}");
            assert!(!answer.text().contains(key));
        }
        assert!(!world.server.logs().contains(key), "{scope}");
    }
    // The response does not reveal whether a key exists.
    let unknown = keyferry_tests::create_api_key(world.folder().join("other").as_path(), ORG, "test").await;
    assert_eq!(ask(&world, health(&unknown)).await.status, 403);
}

#[tokio::test]
async fn wrong_tokens_run_into_a_limit_and_the_right_one_does_not() {
    let (world, _folder) = listening().await;
    let mut limited = 0;
    for _ in 0..60 {
        let answer = ask(&world, health("wrong")).await;
        if answer.status == 429 {
            assert_eq!(code(&answer), json!("too_many_wrong_tokens"));
            assert!((1..=60).contains(&answer.header("retry-after").unwrap().parse::<u64>().unwrap()));
            limited += 1;
        }
        assert_eq!(ask(&world, health(TOKEN)).await.status, 200);
    }
    assert!((30..=40).contains(&limited), "{limited} of 60");
}

#[tokio::test]
async fn another_token_counts_at_once_and_none_lets_nobody_in() {
    let (world, folder) = listening().await;
    let other = TOKEN.to_uppercase();
    let file = token_file(folder.path(), &other);
    assert_eq!(ask(&world, health(TOKEN)).await.status, 401);
    assert_eq!(ask(&world, health(&other)).await.status, 200);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let answer = ask(&world, health(&other)).await;
    assert_eq!((answer.status, code(&answer)), (503, json!("no_operator_token")));
    fs::remove_file(&file).unwrap();
    assert_eq!(ask(&world, health("")).await.status, 503);
    assert!(world.server.logs().contains("the operator's API refuses all requests over TCP"));
}

#[tokio::test]
async fn what_would_let_others_in_is_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let good = token_file(folder.path(), TOKEN).display().to_string();
    let short = folder.path().join("short");
    fs::copy(&good, &short).unwrap();
    fs::write(&short, "hunter2").unwrap();
    let open = folder.path().join("open");
    fs::copy(&good, &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let (short, open) = (short.display().to_string(), open.display().to_string());
    for (listen, token, expected) in [
        ("127.0.0.1:0", None, "admin-listen is set and admin-token-file is not"),
        ("0.0.0.0:0", Some(&good), "the operator's token would be read on the way"),
        ("127.0.0.1:0", Some(&short), "holds no token"),
        ("127.0.0.1:0", Some(&open), "can be read by others"),
    ] {
        let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
        options.arguments.push(format!("--admin-listen={listen}"));
        options.arguments.extend(token.map(|file| format!("--admin-token-file={file}")));
        let given = options.arguments.clone();
        let failure = Server::try_start(options).await.map(|_| ()).unwrap_err();
        assert!(failure.logs.contains(expected), "{}", failure.logs);
        assert!(!failure.logs.contains("hunter2"));
        let checked = run(["config", "check"].map(str::to_owned).into_iter().chain(given)).await;
        assert!(!checked.status.success());
        assert!(String::from_utf8_lossy(&checked.stderr).contains(expected), "{expected}");
    }
}

/// One response, which has a length.
async fn response(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        text.push(char::from(stream.read_u8().await.unwrap()));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    text
}

/// A refusal without reading the body leaves a connection that works for the next request, or says that it closes.
async fn refused(mut stream: impl AsyncRead + AsyncWrite + Unpin, status: &str, path: &str) {
    let next = format!("GET {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n");
    for round in 0..3 {
        stream.write_all(next.as_bytes()).await.unwrap();
        stream.write_all(b"body").await.unwrap();
        let text = response(&mut stream).await;
        assert!(text.starts_with(status) && !text.contains("connection: close"), "{round}: {text}");
    }
    let large = format!("GET {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n\r\n");
    stream.write_all(large.as_bytes()).await.unwrap();
    stream.write_all(&[b' '; 70_000]).await.unwrap();
    let text = response(&mut stream).await;
    assert!(text.starts_with(status) && text.contains("connection: close"), "{text}");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "and it is closed");
}

#[tokio::test]
async fn a_request_that_is_refused_with_its_body_unread_keeps_its_connection_or_says_that_it_closes() {
    let (world, _folder) = listening().await;
    let tcp = TcpStream::connect(world.server.operators_address()).await.unwrap();
    refused(tcp, "HTTP/1.1 401 ", HEALTH).await;
    let socket = UnixStream::connect(world.data().join("admin.sock")).await.unwrap();
    refused(socket, "HTTP/1.1 404 ", "/admin/v1/nothing").await;
}

#[tokio::test]
async fn a_pipe_in_place_of_the_token_leaves_the_former_one_in_use_and_stops_nobody() {
    let (mut world, folder) = listening().await;
    let path = folder.path().join("admin.token");
    assert_eq!(ask(&world, health(TOKEN)).await.status, 200);
    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    for _ in 0..3 {
        assert_eq!(ask(&world, health(TOKEN)).await.status, 200);
        assert_eq!(ask(&world, health("another-token-of-forty-characters-in-all")).await.status, 401);
    }
    assert_eq!(world.server.logs().matches("the last token that was read stays valid").count(), 1);
    // A token file that is missing or open to others is the operator's error, and no client gets access.
    fs::remove_file(&path).unwrap();
    assert_eq!(ask(&world, health(TOKEN)).await.status, 503);
    token_file(folder.path(), TOKEN);
    assert_eq!(ask(&world, health(TOKEN)).await.status, 200);
    assert!(world.server.terminate().await.success());
}
