//! `keyferry webhook`: a receiver that checks signatures, and the list of webhooks.

use std::fs;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, World, binary};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::webhooks::bench::{WEBHOOKS, connect, disconnect, register, settled, world_started, world_with};

/// The timeout of expected events.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `keyferry webhook listen`.
struct Listening {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: BufReader<ChildStderr>,
    /// The first line on stderr.
    said: String,
}

impl Listening {
    async fn start(world: &World, secret: Option<&str>, arguments: &[&str]) -> Self {
        let mut command = command(world, &[&["webhook", "listen"], arguments].concat());
        if let Some(secret) = secret {
            command.env("KEYFERRY_WEBHOOK_SECRET", secret);
        }
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        tokio::time::timeout(PATIENCE, err.read_line(&mut said)).await.unwrap().unwrap();
        assert!(said.starts_with("listening on http://127.0.0.1:"), "{said}");
        Self { child, out, err, said }
    }

    async fn line(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.out.next_line()).await.unwrap().unwrap().unwrap()
    }

    async fn delivery(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    fn url(&self) -> &str {
        self.said.split_whitespace().nth(2).unwrap().trim_end_matches([',', ';'])
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    async fn ended(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        tokio::time::timeout(PATIENCE, self.err.read_to_string(&mut rest)).await.unwrap().unwrap();
        (self.child.wait().await.unwrap(), rest)
    }
}

fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::from(binary::command(binary::keyferry()));
    command.args(arguments).env("KEYFERRY_API_KEY", &world.api_key).env("KEYFERRY_SERVER", world.server.url());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn run(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(world, arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Whether these tests run under `nohup`, which the commands that they start inherit.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 != 0
}

async fn webhooks(world: &World) -> Value {
    world.send(Request::new("GET", WEBHOOKS)).await.json()
}

#[tokio::test]
async fn a_listener_registers_itself_checks_what_arrives_and_is_gone_after_a_signal() {
    let (world, []) = world_with([]).await;
    for (signal, arguments) in [(Signal::INT, &["--json"][..]), (Signal::TERM, &[][..]), (Signal::HUP, &[][..])] {
        if signal == Signal::HUP && ignores_hangup() {
            continue;
        }
        let mut listening = Listening::start(&world, None, arguments).await;
        let listed = webhooks(&world).await;
        assert_eq!(
            (&listed[0]["webhook_url"], &listed[0]["webhook_description"]),
            (&json!(listening.url()), &json!("keyferry webhook listen"))
        );
        connect(&world, ACCOUNT).await;
        if arguments.is_empty() {
            let line = listening.line().await;
            let parts: Vec<_> = line.split("  ").skip(1).collect();
            let expected = ["Connection Created", ACCOUNT, "stripe", "signature valid", "attempt 1", "responded 200"];
            assert_eq!(parts, expected, "{line}");
        } else {
            let delivery = listening.delivery().await;
            assert_eq!(delivery["signature"], "valid", "{delivery}");
            assert_eq!((&delivery["event"], &delivery["attempt"]), (&json!("Connection Created"), &json!(1)));
            assert_eq!((&delivery["linked_account_id"], &delivery["slug"]), (&json!(ACCOUNT), &json!("stripe")));
            assert_eq!(
                (&delivery["body"]["event"], &delivery["responded"]),
                (&json!("Connection Created"), &json!(200))
            );
            assert!(delivery["idempotency_key"].is_string() && delivery["received_at"].is_string(), "{delivery}");
        }
        disconnect(&world, ACCOUNT).await;
        assert!(listening.line().await.contains("Connection Deleted"));
        listening.signal(signal);
        let (status, said) = listening.ended().await;
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{signal:?}");
        assert_eq!(webhooks(&world).await, json!([]), "{signal:?}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_seen_and_what_is_not_taken_comes_again() {
    let (world, []) = world_with([]).await;
    let secret = "whsec_of-a-webhook-that-is-there";
    let mut wrong = Listening::start(&world, Some("whsec_another-one"), &["--json", "--respond", "503"]).await;
    let webhook = register(
        &world,
        json!({ "webhook_url": wrong.url(), "webhook_events": ["Connection Created"], "signing_secret": secret }),
    )
    .await;
    connect(&world, ACCOUNT).await;
    for attempt in 1..=4 {
        let delivery = wrong.delivery().await;
        let found = (&delivery["signature"], &delivery["attempt"], &delivery["responded"]);
        assert_eq!(found, (&json!("invalid"), &json!(attempt), &json!(503)), "{delivery}");
    }
    assert_eq!(settled(&world, &webhook).await["deliveries"]["failed"][0]["attempts"], 4);
    let address = wrong.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    wrong.signal(Signal::INT);
    assert_eq!(wrong.ended().await.0.code(), Some(0));
    assert_eq!(webhooks(&world).await, json!([webhook]), "it has deleted nothing of others");

    // The same address with the right secret, from a file.
    let file = world.folder().join("secret.txt");
    fs::write(&file, format!("{secret}\n")).unwrap();
    let file = file.display().to_string();
    let right = ["--json", "--listen", &address, "--secret-file", &file, "--count", "1"];
    let mut right = Listening::start(&world, None, &right).await;
    world.create_account("user_2").await;
    connect(&world, "user_2").await;
    let delivery = right.delivery().await;
    assert_eq!((&delivery["signature"], &delivery["linked_account_id"]), (&json!("valid"), &json!("user_2")));
    assert_eq!(right.ended().await.0.code(), Some(0), "one was asked for");
    settled(&world, &webhook).await;

    let (code, out, _) = run(&world, &["webhook", "list", "--json"]).await;
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()), (Some(0), json!([webhook])));
    let (_, out, _) = run(&world, &["webhook", "list"]).await;
    assert!(
        out.starts_with("webhook\turl\tevents\tapp\tstate\tmade\tdescription\n") && out.contains("\tall\t"),
        "{out}"
    );
    let id = webhook["_id"].as_str().unwrap();
    let (code, out, err) = run(&world, &["webhook", "delete", id]).await;
    assert_eq!((code, out), (Some(0), format!("webhook {id} is deleted\n")), "{err}");
    assert_eq!(webhooks(&world).await, json!([]));
}

#[tokio::test]
async fn a_delivery_is_sent_on_with_its_signature_and_the_server_gets_the_response() {
    let (world, []) = world_with([]).await;
    let mut last = Listening::start(&world, Some("whsec_of-nobody-at-all"), &["--json", "--respond", "418"]).await;
    let to = format!("{}hooks?a=b", last.url());
    let mut first = Listening::start(&world, None, &["--json", "--forward-to", &to, "--events", "created"]).await;
    connect(&world, ACCOUNT).await;
    let (sent, got) = (first.delivery().await, last.delivery().await);
    assert_eq!((&sent["signature"], &sent["responded"]), (&json!("valid"), &json!(418)));
    assert_eq!((&got["signature"], &got["responded"]), (&json!("invalid"), &json!(418)), "it has another secret");
    for member in ["event", "linked_account_id", "idempotency_key", "attempt", "body"] {
        assert_eq!(sent[member], got[member], "{member}");
    }
    last.child.kill().await.unwrap();
    world.create_account("user_2").await;
    connect(&world, "user_2").await;
    let later = loop {
        let delivery = first.delivery().await;
        if delivery["responded"] != 418 {
            break delivery;
        }
    };
    assert_eq!(later["responded"], 502, "{later}");
    first.signal(Signal::TERM);
    let (status, said) = first.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(said.starts_with("warning: the delivery cannot be sent on: "), "{said}");
}

#[tokio::test]
async fn a_server_that_may_not_call_its_own_machine_is_told_of_with_the_flag() {
    let (world, []) = world_started([], |options| {
        options.egress_ca = None;
        options.resolve.clear();
    })
    .await;
    let server = ["webhook", "listen", "--server"];
    let (code, out, err) = run(&world, &[&server[..], &["http://127.0.0.1:1"]].concat()).await;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    let (code, out, err) = run(&world, &["webhook", "listen"]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    for part in ["error: the webhook http://127.0.0.1:", "must be https", "--dev-allow-loopback", "--url"] {
        assert!(err.contains(part), "{err}");
    }
    assert_eq!(webhooks(&world).await, json!([]));
}

#[tokio::test]
async fn a_listener_ends_when_its_reader_is_gone_and_when_the_server_does_not_respond() {
    let (world, []) = world_with([]).await;
    let Listening { mut child, out, err, .. } = Listening::start(&world, None, &[]).await;
    drop(out);
    connect(&world, ACCOUNT).await;
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!((status.code(), webhooks(&world).await), (Some(0), json!([])));
    drop(err);

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let child = command(&world, &["webhook", "listen", "--server", &url]).kill_on_drop(true).spawn().unwrap();
    let _connection = tokio::time::timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
}
