//! Commands, data folders and servers of the tests of backups.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_test_postgres::Database;
use keyferry_tests::http::Request;
use keyferry_tests::{ORG, Server, World, binary, run_in};
use serde_json::{Value, json};

const IMPORTS: &str = "/api/v2/public/imports";
/// How long something may take that is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// The result of a command.
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    /// What it printed as JSON.
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    /// It failed, and said all of this.
    #[track_caller]
    pub(super) fn fails(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is not in: {}", self.err);
        }
    }
}

pub(super) async fn keyferry(arguments: &[&str]) -> Ran {
    let output = run_in(&[], arguments).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Makes a data folder with the key of a world's, and with its compiled code, which would take a while.
pub(super) fn folder_with_key(world: &World, name: &str) -> PathBuf {
    let folder = world.folder().join(name);
    DirBuilder::new().mode(0o700).create(&folder).unwrap();
    DirBuilder::new().mode(0o700).create(folder.join("cache")).unwrap();
    fs::copy(world.data().join("keyferry.key"), folder.join("keyferry.key")).unwrap();
    for file in fs::read_dir(world.data().join("cache")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join("cache").join(file.file_name())).unwrap();
    }
    folder
}

/// A server like that of a world, on another data folder.
pub(super) async fn server_on(world: &mut World, data: &Path, store: Option<&Database<'_>>) -> Server {
    let mut options = world.server.options_mut().clone();
    options.data = data.to_owned();
    options.environment.retain(|(name, _)| name != "KEYFERRY_STORE_URL");
    options.environment.extend(store.map(|database| ("KEYFERRY_STORE_URL".to_owned(), database.url())));
    Server::start(options).await
}

/// All credentials, as a server exports them.
pub(super) async fn exported(server: &Server, key: &str) -> String {
    let response = Request::new("GET", "/api/v2/public/export").header("x-api-key", key).send(server.address()).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.text()
}

pub(super) async fn reading_key(world: &World) -> String {
    let create = ["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read_credentials"];
    let (code, key, said) = world.command(&create).await;
    assert_eq!(code, Some(0), "{said}");
    key.trim().to_owned()
}

pub(super) fn stripe() -> Value {
    json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}})
}

/// Imports a credential for each of that many new accounts.
pub(super) async fn import(world: &World, rows: usize) {
    let line =
        |number| json!({"linked_account_id": format!("bulk_{number}"), "slug": "stripe", "auth_object": stripe()});
    let lines: String = (0..rows).map(|number| format!("{}\n", line(number))).collect();
    let request = Request::new("POST", &format!("{IMPORTS}?create_accounts=true"));
    let response = world.send(request.body("application/x-ndjson", lines)).await;
    assert_eq!(response.status, 202, "{}", response.text());
    let id = response.json()["id"].as_str().unwrap().to_owned();
    let until = Instant::now() + PATIENCE;
    loop {
        let import = world.send(Request::new("GET", &format!("{IMPORTS}/{id}"))).await.json();
        if import["state"] != "running" {
            assert_eq!(import["outcomes"], json!({"created": rows}), "{import:#}");
            return;
        }
        assert!(Instant::now() < until, "{import:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs a command with these bytes as its standard input.
pub(super) async fn piped(arguments: &[&str], input: &[u8]) -> Ran {
    use tokio::io::AsyncWriteExt as _;
    let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = tokio::spawn(async move {
        // The command may have ended.
        let _ = stdin.write_all(&input).await;
    });
    let output = child.wait_with_output().await.unwrap();
    writing.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
