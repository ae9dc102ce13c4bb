//! Ctrl-C in a command that sends or follows an import: the command's message, and the effect on the server.

use std::fs;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use keyferry_tests::binary;
use keyferry_tests::http::Request;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::command::{file, run};
use super::shop::{IMPORTS, Mood, Shop, good, hub, ndjson, row};

/// A running command.
struct Running {
    child: Child,
    input: ChildStdin,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(shop: &Shop, arguments: &[&str]) -> Self {
        let mut command = Command::from(binary::command(binary::keyferry()));
        command
            .args(arguments)
            .env("KEYFERRY_API_KEY", &shop.world.api_key)
            .env("KEYFERRY_SERVER", shop.world.server.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, input, out, err }
    }

    /// Sends Ctrl-C, and waits until the command has ended. Its stdin stays open.
    async fn interrupted(mut self) -> Output {
        let pid = Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        while let Some(line) = self.out.next_line().await.unwrap() {
            stdout += &(line + "\n");
        }
        while let Some(line) = self.err.next_line().await.unwrap() {
            stderr += &(line + "\n");
        }
        let status = self.child.wait().await.unwrap();
        drop(self.input);
        Output { status, stdout: stdout.into(), stderr: stderr.into() }
    }
}

/// The server's imports.
async fn listed(shop: &Shop) -> Vec<Value> {
    let answer = shop.world.send(Request::new("GET", IMPORTS)).await.json();
    answer["imports"].as_array().unwrap().clone()
}

/// Waits until the server's imports satisfy a condition.
async fn until_listed(shop: &Shop, is_so: impl Fn(&[Value]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let imports = listed(shop).await;
        if is_so(&imports) {
            return;
        }
        assert!(Instant::now() < deadline, "{imports:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn ctrl_c_ends_the_command_with_the_rows_that_have_failed_so_far() {
    let shop = Shop::open(&[]).await;
    shop.set("hubspot", Mood::TooFast(3600));
    let rows = [row("user_1", "sk_test_wrong"), hub("user_2")];
    let path = file(&shop, "rows.ndjson", &ndjson(&rows));
    let mut importing = Running::start(&shop, &["import", "--create-accounts", "--json", &path]);
    while !importing.out.next_line().await.unwrap().unwrap().contains("\"failed\":1") {}
    let output = importing.interrupted().await;
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let written = fs::read_to_string(format!("{path}.failures.ndjson")).unwrap();
    assert!(written.contains("sk_test_wrong") && written.lines().count() == 1, "{written}");
    let said = String::from_utf8(output.stdout).unwrap();
    for part in ["the import continues on the server", "imports watch ", "imports pause ", "imports cancel "] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn ctrl_c_while_the_file_is_sent_says_so_and_the_server_keeps_nothing_of_it() {
    let shop = Shop::open(&[]).await;
    let rows = ndjson(&[good("user_2"), good("user_3")]);
    for json in [&[][..], &["--json"]] {
        let mut importing = Running::start(&shop, &[&["import", "--create-accounts"], json, &["-"]].concat());
        // The rest of the file is never sent.
        importing.input.write_all(format!("{rows}\n").as_bytes()).await.unwrap();
        until_listed(&shop, |imports| imports.iter().any(|import| import["state"] == "receiving")).await;
        let output = importing.interrupted().await;
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        // A program reads one document per line, a person reads text.
        let (said, other) = match json {
            [] => (output.stderr, output.stdout),
            _ => (output.stdout, output.stderr),
        };
        let said = String::from_utf8(said).unwrap();
        assert!(
            said.contains("interrupted while the file was sent") && said.contains("keyferry imports list"),
            "{said}"
        );
        assert!(other.is_empty(), "{other:?}");
        until_listed(&shop, <[Value]>::is_empty).await;
        assert!(shop.account("user_2").await.is_none(), "no row was applied");
    }
    // The same complete file does not count as imported before.
    let path = file(&shop, "rows.ndjson", &rows);
    let ran = run(&shop, &["import", "--create-accounts", &path]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
}

#[tokio::test]
async fn ctrl_c_while_an_import_is_watched_leaves_it_running() {
    let shop = Shop::open(&[]).await;
    shop.set("hubspot", Mood::TooFast(3600));
    let id = shop.begin("create_accounts=true", &[good("user_2"), hub("user_3")]).await;
    shop.until(&id, |import| import["counts"]["waiting"] == 1).await;
    let mut watching = Running::start(&shop, &["imports", "watch", &id]);
    let first = watching.err.next_line().await.unwrap().unwrap();
    assert!(first.starts_with("1/2 rows"), "{first}");
    let output = watching.interrupted().await;
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the import continues on the server"), "{said}");
    assert_eq!(shop.show(&id).await["state"], "running");
    // Each command in the message works as printed.
    let commands = said.lines().filter_map(|line| line.trim().strip_prefix("keyferry "));
    let commands: Vec<&str> = commands.map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(commands, ["watch", "pause", "cancel"].map(|change| format!("imports {change} {id}")));
    for (command, state) in commands.iter().skip(1).zip(["paused", "cancelled"]) {
        let ran = run(&shop, &command.split(' ').collect::<Vec<_>>()).await;
        assert_eq!(ran.code, Some(0), "{command}: {}", ran.err);
        assert_eq!(shop.show(&id).await["state"], state, "{command}");
    }
}
