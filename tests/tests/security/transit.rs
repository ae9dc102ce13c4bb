//! Root keys wrapped by a transit engine, played by a strict mock: it checks every call in full.
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::{Request, Response, get};
use keyferry_tests::leaks::folder_holds;
use keyferry_tests::transit::{Mood, TOKEN, Transit};
use keyferry_tests::{Awaits, ORG, Server, ServerOptions, World, WorldOptions, create_api_key_in};
use serde_json::{Value, json};

const KEY: &str = "keyferry";
const PATIENCE: Duration = Duration::from_secs(30);

struct Setup {
    transit: Transit,
    keys: Vec<(String, String)>,
    folder: tempfile::TempDir,
    world: World,
}

impl Setup {
    async fn start() -> Self {
        let (transit, folder) = (Transit::start(KEY).await, tempfile::tempdir().unwrap());
        let keys = transit.environment(KEY, folder.path());
        let server = Box::new(|options: &mut ServerOptions| {
            options.environment.push(("KEYFERRY_LOG".to_owned(), "trace".to_owned()));
        });
        let options = WorldOptions { server: Some(server), ..WorldOptions::default() };
        let world = World::start_keyed(keys.clone(), options).await;
        Self { transit, keys, folder, world }
    }

    /// Creates one more organisation with a linked account. This does not unlock its root.
    async fn organisation(&self, org: &str) -> String {
        let key = create_api_key_in(&self.keys, &self.world.data(), org, "test").await;
        let account = Request::new("PUT", "/api/v2/public/linked-account").json(&json!({ "account_id": "user_1" }));
        let answer = account.header("x-api-key", &key).send(self.world.server.address()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        key
    }

    async fn migrate(&self, key: &str) -> Response {
        let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
        let request = self.world.migrate_request(&body).header("x-api-key", key);
        request.header("accept", "application/problem+json").send(self.world.server.address()).await
    }

    async fn migrates(&self, key: &str) {
        let answer = self.migrate(key).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// For a moment after a failure the same error is returned without a call.
    async fn comes_round(&self, key: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.migrate(key).await;
            if answer.status == 200 {
                return;
            }
            assert!(Instant::now() < deadline, "{}", answer.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn command(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.world.command_keyed(&self.keys, arguments).await
    }

    /// Operation and place of each call since the last call of this function.
    fn calls(&self) -> Vec<(String, String)> {
        self.transit.take_calls().into_iter().map(|call| (call.operation, call.place)).collect()
    }
}

fn call(operation: &str, place: &str) -> (String, String) {
    (operation.to_owned(), format!("keyferry/v1/{place}"))
}

#[tokio::test]
async fn every_call_is_to_the_letter_and_there_is_one_for_each_root() {
    let mut setup = Setup::start().await;
    for _ in 0..20 {
        setup.migrates(&setup.world.api_key).await;
    }
    let expected = [call("encrypt", "root/acme/1"), call("encrypt", "compiled-code"), call("decrypt", "root/acme/1")];
    assert_eq!(setup.calls(), expected);
    let (_, listed, said) = setup.command(&["key", "list", "--org", ORG, "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&listed).expect(&said)[0]["wrapped_by"], Transit::kek_id(KEY));

    // The engine's key gets a new version, and the token is replaced while the server runs.
    setup.transit.rotate(KEY);
    setup.world.server.restart().await;
    setup.migrates(&setup.world.api_key).await;
    assert_eq!(setup.calls(), [call("decrypt", "compiled-code"), call("decrypt", "root/acme/1")]);
    let (next, token) = ("hvs.the-next-token-that-nobody-may-see", setup.folder.path().join("transit-token"));
    setup.transit.want_token(next);
    std::fs::write(&token, next).unwrap();
    assert_eq!(setup.command(&["key", "rotate", "--org", ORG]).await.0, Some(0));
    let (_, printed, _) = setup.command(&["key", "reseal", "--org", ORG]).await;
    assert!(printed.starts_with("1 credentials sealed under the newest key"), "{printed}");
    assert_eq!(setup.command(&["key", "disable", "1", "--org", ORG]).await.0, Some(0));
    assert_eq!(setup.command(&["key", "destroy", "1", "--yes", "--org", ORG]).await.0, Some(0));
    assert_eq!(setup.calls(), [call("encrypt", "root/acme/2")]);

    // The first version of the key is retired: the second root still works, compiled code is compiled again.
    setup.transit.oldest(KEY, 2);
    std::fs::remove_file(setup.world.data().join("code-key.json")).unwrap();
    setup.world.server.restart().await;
    setup.migrates(&setup.world.api_key).await;
    assert_eq!(setup.calls(), [call("encrypt", "compiled-code"), call("decrypt", "root/acme/2")]);
    assert!(setup.world.server.terminate().await.success());

    assert_eq!(setup.transit.wrong(), Vec::<String>::new());
    let (logs, data) = (setup.world.server.logs(), setup.world.data());
    let mut secrets = vec![TOKEN.to_owned(), next.to_owned()];
    for plain in setup.transit.plain() {
        assert!(!folder_holds(&data, &plain) && !folder_holds(&data, &plain[..32]), "in the data folder");
        secrets.extend([STANDARD.encode(&plain), STANDARD.encode(&plain[..32])]);
        secrets.push(plain[..32].iter().map(|byte| format!("{byte:02x}")).collect());
    }
    assert!(secrets.len() > 12);
    for secret in secrets {
        assert!(!logs.contains(&secret), "in the log");
        assert!(!folder_holds(&data, secret.as_bytes()), "in the data folder");
    }
    assert!(!data.join("keyferry.key").exists(), "a local key was made beside");
}

#[tokio::test]
async fn each_failure_is_told_for_what_it_is_and_passes() {
    let setup = Setup::start().await;
    let answers = "the key service does not answer";
    let nothing = "the key service sent an invalid response";
    let damaged = "they do not open with the server's key";
    let cases = [
        (Mood::Fails(99, 403, "permission denied"), "the key service refuses Keyferry's credentials", "60", 1),
        (Mood::Fails(99, 404, "no handler for route"), "the key service has no such key", "60", 1),
        (Mood::Fails(99, 400, "encryption key not found"), "the key service has no such key", "60", 1),
        (Mood::Fails(99, 400, "version is disallowed by policy (too old)"), "has the key disabled", "60", 1),
        (Mood::Fails(99, 429, "rate limit quota exceeded"), "the key service is asked too often", "2", 3),
        (Mood::Busy("3"), "the key service is asked too often", "3", 1),
        (Mood::Busy("0.5"), "the key service is asked too often", "1", 3),
        (Mood::Fails(99, 500, "internal error"), answers, "5", 3),
        (Mood::Fails(99, 503, "Vault is sealed"), answers, "5", 3),
        (Mood::Says("<html>welcome</html>"), nothing, "60", 1),
        (Mood::Says("{\"data\":{}}"), nothing, "60", 1),
        (Mood::Gone, answers, "5", 0),
    ];
    for (number, (mood, why, wait, attempts)) in cases.into_iter().enumerate() {
        let key = setup.organisation(&format!("org{number}")).await;
        setup.calls();
        setup.transit.set(mood.clone());
        let answer = setup.migrate(&key).await;
        let body = answer.json();
        assert_eq!((answer.status, body["code"].as_str()), (503, Some("keys_locked")), "{mood:?}: {body}");
        assert_eq!(answer.header("retry-after"), Some(wait), "{mood:?}");
        assert!(body["detail"].as_str().unwrap().contains(why), "{mood:?}: {body}");
        assert_eq!(setup.calls().len(), attempts, "{mood:?}");
        setup.transit.set(Mood::Works);
        setup.comes_round(&key).await;
    }
    // The result is a key, but one that was wrapped for another place; or not a key.
    for (number, text) in [
        r#"{"data":{"plaintext":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw=="}}"#,
        r#"{"data":{"plaintext":"AAEC"}}"#,
        r#"{"data":{"plaintext":"not base64"}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let key = setup.organisation(&format!("forged{number}")).await;
        setup.transit.set(Mood::Says(text));
        let body = setup.migrate(&key).await.json();
        assert!(body["detail"].as_str().unwrap().contains(damaged), "{body}");
        setup.transit.set(Mood::Works);
    }
    // Two failed attempts, and a late response, are invisible to callers.
    for (number, mood) in
        [Mood::Fails(2, 503, "Vault is sealed"), Mood::Slow(Duration::from_millis(300))].into_iter().enumerate()
    {
        let key = setup.organisation(&format!("late{number}")).await;
        setup.transit.set(mood);
        setup.migrates(&key).await;
        setup.transit.set(Mood::Works);
    }
    assert_eq!(setup.transit.wrong(), Vec::<String>::new());
}

#[tokio::test]
async fn a_pipe_in_place_of_the_token_leaves_the_former_one_in_use_and_stops_nobody() {
    let mut setup = Setup::start().await;
    setup.migrates(&setup.world.api_key).await;
    let token = setup.folder.path().join("transit-token");
    for (number, put) in [
        (
            0,
            &(|path: &std::path::Path| {
                assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            }) as &dyn Fn(&std::path::Path),
        ),
        (1, &|path: &std::path::Path| std::fs::create_dir(path).unwrap()),
        (2, &|path: &std::path::Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()),
    ] {
        // Each organisation has a root of its own, which needs a call of the service.
        std::fs::remove_file(&token).unwrap();
        put(&token);
        let key = setup.organisation(&format!("pipe{number}")).await;
        let began = Instant::now();
        setup.migrates(&key).await;
        assert!(began.elapsed() < PATIENCE, "it was waited for");
        if number == 1 {
            std::fs::remove_dir(&token).unwrap()
        } else {
            std::fs::remove_file(&token).unwrap()
        }
        std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    }
    let logs = setup.world.server.logs();
    assert!(logs.contains("the last token that was read is used") && !logs.contains(TOKEN), "{logs}");
    assert_eq!(setup.transit.wrong(), Vec::<String>::new());
    // At a start there is no former token.
    setup.world.server.kill();
    std::fs::remove_file(&token).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&token).status().unwrap().success());
    let mut options = ServerOptions::new(setup.world.data(), setup.world.plugins());
    options.environment.clone_from(&setup.keys);
    let failure = Server::try_start(options).await.err().expect("it starts without a token");
    assert!(failure.logs.contains("transit-token cannot be read: it is a FIFO (named pipe)"), "{failure}");
}

#[tokio::test]
async fn a_start_waits_for_a_sealed_engine_and_not_for_one_that_refuses() {
    let mut setup = Setup::start().await;
    setup.transit.set(Mood::Fails(u32::MAX, 503, "Vault is sealed"));
    setup.world.server.options_mut().awaits = Awaits::Listening;
    setup.world.server.restart().await;
    let ready = get(setup.world.server.address(), "/readyz").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("not ready")));
    assert!(setup.world.server.logs().contains("503 Service Unavailable Vault is sealed"));
    setup.transit.set(Mood::Works);
    setup.comes_round(&setup.world.api_key).await;
    setup.world.server.kill();

    let start = async |change: &dyn Fn(&mut ServerOptions), why: &str| {
        let mut options = ServerOptions::new(setup.world.data(), setup.world.plugins());
        options.environment.clone_from(&setup.keys);
        change(&mut options);
        let failure = Server::try_start(options).await.err().expect(why);
        assert_eq!(failure.status.and_then(|status| status.code()), Some(1), "{failure}");
        assert!(failure.logs.contains(why) && !failure.logs.contains(TOKEN), "{why}: {failure}");
    };
    let without = |options: &mut ServerOptions, name: &str| options.environment.retain(|(known, _)| known != name);
    let other = setup.folder.path().join("other-token");
    std::fs::write(&other, "hvs.wrong").unwrap();
    let other = other.display().to_string();
    start(
        &|options| options.environment.push(("VAULT_TOKEN_FILE".to_owned(), other.clone())),
        "the key service refuses Keyferry's credentials",
    )
    .await;
    start(&|options| without(options, "VAULT_TOKEN_FILE"), "the variable VAULT_TOKEN is not set").await;
    start(
        &|options| options.environment.push(("VAULT_TOKEN_FILE".to_owned(), "/nowhere/token".to_owned())),
        "the token file /nowhere/token cannot be read",
    )
    .await;
    start(
        &|options| options.environment.push(("KEYFERRY_KEY_TRANSIT".to_owned(), setup.transit.url("other"))),
        &format!("needs the key {}, and {} is configured", Transit::kek_id(KEY), Transit::kek_id("other")),
    )
    .await;
    // An untrusted certificate: the engine is not reachable, so the server starts and is not ready.
    setup.world.server.options_mut().environment.retain(|(name, _)| name != "KEYFERRY_KEY_CA");
    setup.calls();
    setup.world.server.restart().await;
    assert_eq!(get(setup.world.server.address(), "/readyz").await.status, 503);
    assert!(setup.world.server.logs().contains("no TLS with 127.0.0.1"), "{}", setup.world.server.logs());
    assert_eq!(setup.calls(), [], "the token was sent to an untrusted server");
}

#[tokio::test]
async fn a_key_file_takes_the_place_of_a_transit_key_and_gives_it_back() {
    let mut setup = Setup::start().await;
    setup.migrates(&setup.world.api_key).await;
    let file = setup.folder.path().join("kek").display().to_string();
    let (code, _, said) = setup.command(&["key", "rewrap", "--all", "--to-key-file", &file]).await;
    assert!(code == Some(0) && said.contains(&format!("Now start the server with --key-file {file}")), "{said}");
    let transit = std::mem::take(&mut setup.keys);
    setup.world.server.options_mut().environment = vec![("KEYFERRY_KEY_FILE".to_owned(), file.clone())];
    setup.keys = vec![("KEYFERRY_KEY_FILE".to_owned(), file)];
    setup.world.server.restart().await;
    assert_eq!(setup.command(&["key", "rewrap", "--all", "--finish"]).await.0, Some(0));
    // Nothing depends on the engine any more.
    setup.transit.set(Mood::Gone);
    setup.world.server.restart().await;
    setup.migrates(&setup.world.api_key).await;

    setup.transit.set(Mood::Works);
    setup.calls();
    let value = |name: &str| transit.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let (url, token, ca) = (setup.transit.url(KEY), value("VAULT_TOKEN_FILE"), value("KEYFERRY_KEY_CA"));
    let to = ["--to-key-transit", &url, "--to-key-token-file", &token, "--to-key-ca", &ca];
    let to = to.iter().copied().chain(["--to-key-namespace", keyferry_tests::transit::NAMESPACE]);
    let arguments: Vec<_> = ["key", "rewrap", "--org", ORG].into_iter().chain(to).collect();
    let (code, printed, said) = setup.command(&arguments).await;
    assert!(code == Some(0) && printed.starts_with("1 root keys were wrapped by transit:"), "{printed}{said}");
    // The server tests that a wrapped key can be unwrapped before it relies on it.
    assert_eq!(setup.calls(), [call("encrypt", "root/acme/1"), call("decrypt", "root/acme/1")]);
    setup.keys = transit.clone();
    setup.world.server.options_mut().environment = transit;
    setup.world.server.restart().await;
    setup.migrates(&setup.world.api_key).await;
    assert_eq!(setup.transit.wrong(), Vec::<String>::new());
}
