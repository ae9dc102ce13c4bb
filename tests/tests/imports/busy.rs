//! A server that is busy, or restarts, while the command talks to it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use keyferry_tests::binary;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A response of the mock server: the bytes before it closes the connection.
type Answer = String;

/// A mock server: responds to one request after the other, each on a connection of its own.
struct MockServer {
    address: SocketAddr,
    /// The head of each request, and the number of bytes of the file in its body.
    asked: Arc<Mutex<Vec<(String, usize)>>>,
}

impl MockServer {
    async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, mut answers): (Arc<Mutex<Vec<_>>>, VecDeque<_>) = (Arc::default(), answers.into_iter().collect());
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Some(answer) = answers.pop_front() {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                heard.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<(String, usize)> {
        self.asked.lock().unwrap().clone()
    }

    async fn run(&self, arguments: &[&str], input: Option<&str>) -> (Option<i32>, String, String) {
        let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
        let folder = tempfile::TempDir::new().unwrap();
        let key = keyferry_tests::create_api_key(&folder.path().join("data"), "acme", "test").await;
        command.args(arguments).env("KEYFERRY_API_KEY", key);
        command.env("KEYFERRY_SERVER", format!("http://{}", self.address));
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that has ended reads nothing any more.
        let _ = stdin.write_all(input.unwrap_or_default().as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

/// Reads the head of a request, and the number of bytes of its body, including chunk framing.
async fn read(stream: &mut TcpStream) -> (String, usize) {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        if read == 0 || !is_chunked || body.ends_with("0\r\n\r\n") {
            return (head.to_owned(), body.len());
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Answer {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn busy(status: &str, headers: &str) -> Answer {
    let body = json!({"code": "too_many_uploads", "detail": "4 files are being received already"}).to_string();
    answer(status, &format!("content-type: application/problem+json\r\n{headers}"), &body)
}

/// A response that only a proxy sends.
fn gateway() -> Answer {
    answer("503 Service Unavailable", "content-type: text/html\r\nretry-after: 1\r\n", "<h1>Service Unavailable</h1>")
}

const ID: &str = "0123456789abcdef01234567";

fn import(state: &str) -> String {
    let counts = json!({"done": 1, "failed": 0, "queued": 0, "waiting": 0, "skipped": 0});
    json!({"id": ID, "state": state, "rows": 1, "counts": counts, "apps": [], "waiting": [], "outcomes": {"created": 1}}).to_string()
}

fn accepted() -> Answer {
    answer("202 Accepted", "content-type: application/json\r\n", &import("running"))
}

fn ended() -> Answer {
    let event = format!("event: end\ndata: {}\n\n", import("finished"));
    answer("200 OK", "content-type: text/event-stream\r\n", &event)
}

fn file() -> (tempfile::TempDir, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("rows.ndjson");
    std::fs::write(&path, "{}\n").unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[tokio::test]
async fn a_file_is_sent_again_and_followed_where_the_server_is_busy() {
    let server = MockServer::start([
        busy("503 Service Unavailable", "retry-after: 1\r\n"),
        busy("429 Too Many Requests", "retry-after: Sun, 29 Nov 2020 22:00:00 GMT\r\n"),
        accepted(),
        busy("503 Service Unavailable", "retry-after: 1\r\n"),
        ended(),
    ])
    .await;
    let (_folder, path) = file();
    let (code, out, err) = server.run(&["import", &path], None).await;
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert_eq!(err.matches("the server is busy").count(), 3, "{err}");
    assert!(err.contains("trying again in 1 s"), "{err}");
    let asked = server.asked();
    assert!(asked[..3].iter().all(|(head, bytes)| head.starts_with("POST ") && *bytes > 5), "{asked:?}");
}

#[tokio::test]
async fn a_file_that_arrived_though_a_proxy_said_otherwise_is_followed_as_what_it_is() {
    let known = answer(
        "409 Conflict",
        &format!("content-type: application/problem+json\r\nlocation: /api/v2/public/imports/{ID}\r\n"),
        &json!({"code": "file_known", "detail": "this file was imported before"}).to_string(),
    );
    let shown = answer("200 OK", "content-type: application/json\r\n", &import("running"));
    let server = MockServer::start([gateway(), known, shown, ended()]).await;
    let (_folder, path) = file();
    let (code, out, err) = server.run(&["import", &path], None).await;
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(err.contains("arrived the first time"), "{err}");
}

#[tokio::test]
async fn what_could_be_imported_twice_is_not_sent_twice() {
    let (_folder, path) = file();
    let server = MockServer::start([gateway()]).await;
    let (code, _, err) = server.run(&["import", "--again", &path], None).await;
    assert!(code == Some(1) && err.contains("imports list"), "{err}");
    assert_eq!(server.asked().len(), 1);
    let server = MockServer::start([busy("503 Service Unavailable", "retry-after: 1\r\n"), accepted(), ended()]).await;
    let (code, _, err) = server.run(&["import", "--again", &path], None).await;
    assert_eq!(code, Some(0), "the server itself has said that it did not take it: {err}");
    let server = MockServer::start([busy("503 Service Unavailable", "retry-after: 1\r\n")]).await;
    let (code, _, err) = server.run(&["import", "-"], Some("{}\n")).await;
    assert!(code == Some(1) && err.contains("standard input cannot be sent a second time"), "{err}");
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_made_again_while_a_file_is_sent_or_followed() {
    let (_folder, path) = file();
    let server = MockServer::start([String::new(), accepted(), String::new(), ended()]).await;
    let (code, out, err) = server.run(&["import", &path], None).await;
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert!(err.contains("sending it again") && err.contains("trying again for"), "{err}");
}

#[tokio::test]
async fn what_does_not_pass_by_waiting_is_told_at_once() {
    let (_folder, path) = file();
    let refused =
        answer("401 Unauthorized", "content-type: application/problem+json\r\n", r#"{"detail":"Invalid Credentials"}"#);
    let server = MockServer::start([accepted(), refused.clone()]).await;
    let (code, _, err) = server.run(&["import", &path], None).await;
    assert!(code == Some(1) && err.contains("Invalid Credentials"), "{err}");
    let server = MockServer::start([refused]).await;
    let (code, _, err) = server.run(&["imports", "list"], None).await;
    assert!(code == Some(1) && err.contains("Invalid Credentials"), "{err}");
    let unreachable = MockServer { address: "127.0.0.1:1".parse().unwrap(), asked: Arc::default() };
    let (code, _, err) = unreachable.run(&["import", &path], None).await;
    assert!(code == Some(1) && err.contains("cannot connect"), "{err}");
}

#[tokio::test]
async fn every_other_command_waits_for_a_busy_server_too() {
    let listed = answer("200 OK", "content-type: application/json\r\n", r#"{"imports":[]}"#);
    let server = MockServer::start([busy("503 Service Unavailable", "retry-after: 1\r\n"), listed]).await;
    let (code, _, err) = server.run(&["imports", "list", "--json"], None).await;
    assert!(code == Some(0) && err.contains("the server is busy"), "{err}");
    let folder = tempfile::TempDir::new().unwrap();
    let moving = folder.path().join("moving.age").display().to_string();
    let recipient = age::x25519::Identity::generate().to_public().to_string();
    let rows = answer("200 OK", "content-type: application/x-ndjson\r\n", "{}\n");
    let server = MockServer::start([busy("429 Too Many Requests", "retry-after: 1\r\n"), rows]).await;
    let (code, out, err) = server.run(&["export", "--recipient", &recipient, "--output", &moving], None).await;
    assert!(code == Some(0) && out.starts_with("1 credentials are in"), "{out}\n{err}");
}
