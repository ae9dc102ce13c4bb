//! `keyferry verify`: verifies stored credentials again, those of one account, of one app, or all.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, ServerOptions, World, WorldOptions, binary};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::{Barrier, Notify};

/// How the mock Stripe responds to the keys that it receives.
#[derive(Default)]
struct Mood {
    /// Whether it responds 503.
    is_down: bool,
    /// Remaining responses with 429.
    too_fast: u32,
    /// Accounts whose keys were revoked.
    revoked: BTreeSet<String>,
    /// Accounts whose keys it takes a minute to check.
    slow: BTreeSet<String>,
    /// Whether each request waits for another one to arrive.
    in_pairs: bool,
    /// The waiting requests, and the most at any time.
    waiting: usize,
    most_waiting: usize,
}

impl Mood {
    /// Counts a request that has to wait for another one, if required.
    fn arrives(&mut self) -> bool {
        if self.in_pairs {
            self.waiting += 1;
            self.most_waiting = self.most_waiting.max(self.waiting);
        }
        self.in_pairs
    }
}

struct Shop {
    world: World,
    mood: Arc<Mutex<Mood>>,
    /// Notified of each slow request.
    slow: Arc<Notify>,
}

impl Shop {
    /// A server with Stripe credentials of these accounts.
    async fn open(arguments: &[&str], accounts: &[&str]) -> Self {
        let (mood, slow): (Arc<Mutex<Mood>>, Arc<Notify>) = Default::default();
        let mut providers = MockProviders::start().await.unwrap();
        let (of, told) = (Arc::clone(&mood), Arc::clone(&slow));
        let reply = move |request: Received| {
            let key = request.header("authorization").unwrap_or_default().to_owned();
            let account = key.trim_start_matches("Bearer ").trim_start_matches("sk_test_of_").to_owned();
            let mut mood = of.lock().unwrap();
            if mood.too_fast > 0 {
                mood.too_fast -= 1;
                return Reply::json(429, &json!({"error": {"message": "slow down"}})).with_header("retry-after", "1");
            }
            if mood.is_down {
                return Reply::json(503, &json!({"error": {"message": "away", "type": "api_error"}}));
            }
            let works = Reply::json(200, &json!({"id": format!("acct_{account}"), "object": "account"}));
            if mood.slow.contains(&account) {
                told.notify_one();
                return works.delayed(Duration::from_secs(60));
            }
            match mood.revoked.contains(&account) {
                true => Reply::json(401, &json!({"error": {"message": "Expired API Key provided"}})),
                false => works,
            }
        };
        let (of, pair) = (Arc::clone(&mood), Arc::new(Barrier::new(2)));
        let answer = move |request: Received| {
            let (of, pair, reply) = (Arc::clone(&of), Arc::clone(&pair), reply(request));
            async move {
                if of.lock().unwrap().arrives() {
                    pair.wait().await;
                    of.lock().unwrap().waiting -= 1;
                }
                reply
            }
        };
        providers.add_async(demo::STRIPE_HOST, answer).await.unwrap();
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let change = Box::new(move |options: &mut ServerOptions| options.arguments.extend(arguments));
        let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await;
        for account in accounts {
            if *account != ACCOUNT {
                world.create_account(account).await;
            }
            let body =
                json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": format!("sk_test_of_{account}")}}});
            let request = Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", account);
            let answer = world.send(request.json(&body)).await;
            assert!(answer.text().contains("success"), "{}", answer.text());
        }
        Self { world, mood, slow }
    }

    fn change(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.mood.lock().unwrap());
    }

    async fn verify(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.world.client(&self.world.api_key, &[&["verify"], arguments].concat()).await
    }

    async fn is_expired(&self, account: &str) -> bool {
        let request = Request::new("GET", &format!("/api/v2/public/linked-account/{account}"));
        self.world.send(request).await.json()["integrations"][0]["reauth_required"] == true
    }
}

/// Replaces timestamps.
fn masked(text: &str) -> Value {
    let mut found: Value = serde_json::from_str(text).unwrap();
    for one in found["verifications"].as_array_mut().unwrap() {
        if let Some(Value::String(moment)) = one.get_mut("checked_at") {
            "(moment)".clone_into(moment);
        }
    }
    found
}

#[tokio::test]
async fn credentials_that_work_are_told_from_those_that_do_not_and_those_of_which_nothing_is_known() {
    let shop = Shop::open(&[], &[ACCOUNT, "user_2", "user_3"]).await;
    let header = "account\tapp\tauth type\tverdict\tmessage\n";
    let verified = |account: &str| format!("{account}\tstripe\tkeybased\tverified\t\n");
    let all = format!("{header}{}{}{}", verified("user_3"), verified("user_2"), verified("user_1"));
    for arguments in [&["--all"][..], &["--app", "stripe"], &["--all", "--app", "stripe", "--parallel", "1"]] {
        let (code, out, err) = shop.verify(arguments).await;
        assert_eq!((code, &out, err.as_str()), (Some(0), &all, "3 credentials: 3 verified\n"), "{arguments:?}");
    }
    let one = format!("{header}{}", verified("user_2"));
    for arguments in
        [&["user_2"][..], &["user_2", "stripe"], &["--account", "user_2"], &["--account", "user_2", "--app", "stripe"]]
    {
        let (code, out, err) = shop.verify(arguments).await;
        assert_eq!((code, &out, err.as_str()), (Some(0), &one, "1 credential: 1 verified\n"), "{arguments:?}");
    }

    shop.change(|mood| _ = mood.revoked.insert("user_2".to_owned()));
    let (code, out, err) = shop.verify(&["--all", "--only-failed"]).await;
    assert_eq!(code, Some(3), "{err}");
    assert!(out.starts_with(&format!("{header}user_2\tstripe\tkeybased\trejected\t")), "{out}");
    assert!(out.lines().count() == 2 && out.contains("Expired API Key provided"), "{out}");
    assert_eq!(err, "3 credentials: 2 verified, 1 rejected\n");
    assert!(shop.is_expired("user_2").await && !shop.is_expired("user_3").await);

    shop.change(|mood| mood.is_down = true);
    let (code, out, err) = shop.verify(&["--all", "--only-failed"]).await;
    assert_eq!((code, err.as_str()), (Some(4), "3 credentials: 3 provider_error\n"), "{out}");
    assert_eq!(out.matches("\tprovider_error\t").count(), 3, "{out}");
    assert!(shop.is_expired("user_2").await && !shop.is_expired("user_3").await, "an outage expires nothing");

    shop.change(|mood| (mood.is_down, mood.too_fast) = (false, 2));
    let (code, out, err) = shop.verify(&["user_3", "stripe"]).await;
    assert_eq!((code, out.lines().count()), (Some(0), 2), "a provider that asks for a pause gets it: {err}");
    assert!(err.starts_with("stripe accepts no more requests now: trying again in 1 s\n"), "{err}");
}

#[tokio::test]
async fn a_program_reads_one_document_of_stable_members() {
    let shop = Shop::open(&[], &[ACCOUNT, "user_2"]).await;
    shop.change(|mood| _ = mood.revoked.insert("user_2".to_owned()));
    let (code, out, _) = shop.verify(&["--all", "--json"]).await;
    assert_eq!(code, Some(3));
    let mut found = masked(&out);
    let detail = found["verifications"][0]["detail"].take();
    assert!(detail.as_str().unwrap().contains("Expired API Key provided"), "{detail}");
    let expected = json!({
        "verifications": [
            {
                "account_id": "user_2", "slug": "stripe", "auth_type": "keybased", "result": "failed",
                "outcome": "rejected", "detail": null, "checked_at": "(moment)", "reauth_required": true,
            },
            {
                "account_id": "user_1", "slug": "stripe", "auth_type": "keybased", "result": "verified",
                "outcome": "verified", "detail": null, "checked_at": "(moment)", "reauth_required": false,
            },
        ],
        "counts": {"verified": 1, "failed": 1, "not_verified": 0},
        "complete": true,
    });
    assert_eq!(found, expected);
    let (code, out, _) = shop.verify(&["user_1", "--only-failed", "--json"]).await;
    let nothing = json!({
        "verifications": [], "counts": {"verified": 1, "failed": 0, "not_verified": 0}, "complete": true,
    });
    assert_eq!((code, masked(&out)), (Some(0), nothing));

    // Without its plugin there is no result.
    std::fs::remove_file(shop.world.plugins().join("stripe.wasm")).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let found = loop {
        let (code, out, _) = shop.verify(&["user_1", "--json"]).await;
        if code != Some(0) {
            assert_eq!(code, Some(4), "{out}");
            break masked(&out);
        }
        assert!(std::time::Instant::now() < deadline);
    };
    let one = &found["verifications"][0];
    assert_eq!((&one["result"], &one["outcome"]), (&json!("not_verified"), &json!("app_not_in_service")), "{found}");
    assert_eq!((&one["checked_at"], &one["reauth_required"]), (&Value::Null, &Value::Null), "{found}");
}

#[tokio::test]
async fn what_is_not_there_is_an_error_before_anything_is_verified() {
    let shop = Shop::open(&[], &[ACCOUNT]).await;
    for (arguments, code, expected) in [
        (&["user_1", "hubspot"][..], 1, "no credential for `hubspot` to verify: user_1 has stripe"),
        (&["--app", "strype"], 1, "`strype`"),
        (&[], 2, "<ACCOUNT|--all|--app <SLUG>|--account <ID>>"),
        (&["user_1", "--all"], 2, "cannot be used with"),
        (&["user_1", "stripe", "--app", "stripe"], 2, "cannot be used with"),
        (&["--all", "--parallel", "0"], 2, "1..=64"),
    ] {
        let (ended, out, err) = shop.verify(arguments).await;
        assert_eq!((ended, out.as_str()), (Some(code), ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    let read = ["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read"];
    let (_, reader, _) = shop.world.command(&read).await;
    let (code, out, err) = shop.world.client(reader.trim(), &["verify", "--all"]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(
        err.contains("the scope `migrate`") && err.contains("has read. ") && err.contains("--scope read,migrate`"),
        "{err}"
    );
    shop.world.create_account("empty").await;
    let (code, out, err) = shop.verify(&["empty"]).await;
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", "0 credentials\n"));
}

#[tokio::test]
async fn as_many_are_verified_at_once_as_are_asked_for_and_no_more() {
    let shop = Shop::open(&[], &["user_2", "user_3", "user_4", "user_5", "user_6", "user_7"]).await;
    shop.change(|mood| mood.in_pairs = true);
    // With one at a time, no request would ever have another one beside it.
    let (code, _, err) = shop.verify(&["--all", "--parallel", "2"]).await;
    assert_eq!((code, err.as_str()), (Some(0), "6 credentials: 6 verified\n"));
    shop.change(|mood| assert_eq!(mood.most_waiting, 2));
}

/// The limit counts requests of a key, including those for pages.
#[tokio::test]
async fn a_server_that_is_busy_is_waited_for() {
    let accounts: Vec<_> = (2..14).map(|number| format!("user_{number}")).collect();
    let accounts: Vec<_> = accounts.iter().map(String::as_str).collect();
    let shop = Shop::open(&["--rate-limit", "10", "--rate-burst", "40"], &accounts).await;
    let twice =
        tokio::join!(shop.verify(&["--all", "--parallel", "12"]), shop.verify(&["--all"]), shop.verify(&["--all"]));
    for (code, out, err) in [twice.0, twice.1, twice.2] {
        assert_eq!((code, out.lines().count()), (Some(0), 1 + accounts.len()), "{out}{err}");
        assert!(err.ends_with("12 credentials: 12 verified\n"), "{err}");
    }
}

/// `verify --all` without concurrency, at the last credential, whose provider is slow.
async fn at_the_last_one(shop: &Shop, more: &[&str]) -> Child {
    let mut command = Command::from(binary::command(binary::keyferry()));
    command.args(["verify", "--all", "--parallel", "1"]).args(more);
    command.env("KEYFERRY_API_KEY", &shop.world.api_key).env("KEYFERRY_SERVER", shop.world.server.url());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // The oldest account is the last one.
    shop.change(|mood| _ = mood.slow.insert(ACCOUNT.to_owned()));
    let child = command.spawn().unwrap();
    shop.slow.notified().await;
    child
}

/// The exit status, stdout and stderr.
async fn ended(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn ctrl_c_prints_what_was_done() {
    let shop = Shop::open(&[], &[ACCOUNT, "user_2", "user_3"]).await;
    for more in [&[][..], &["--json"]] {
        let child = at_the_last_one(&shop, more).await;
        let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let (code, out, err) = ended(child).await;
        assert_eq!(code, Some(4), "{out}{err}");
        assert!(err.contains("stopped: ") && err.ends_with("2 credentials: 2 verified\n"), "{err}");
        if more.is_empty() {
            assert!(out.contains("user_3\t") && out.contains("user_2\t") && !out.contains("user_1\t"), "{out}");
        } else {
            let found = masked(&out);
            assert_eq!((found["verifications"].as_array().unwrap().len(), &found["complete"]), (2, &json!(false)));
        }
    }
}

#[tokio::test]
async fn a_server_that_goes_away_ends_it_with_what_was_done() {
    let mut shop = Shop::open(&[], &[ACCOUNT, "user_2", "user_3"]).await;
    let child = at_the_last_one(&shop, &[]).await;
    shop.world.server.kill();
    let (code, out, err) = ended(child).await;
    assert_eq!((code, out.lines().count()), (Some(4), 3), "{out}{err}");
    assert!(err.contains("broke off") && err.ends_with("2 credentials: 2 verified\n"), "{err}");
}
