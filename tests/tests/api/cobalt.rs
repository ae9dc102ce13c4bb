//! The documented product's own SDK for browsers, unchanged, as a client of Keyferry: the responses to its calls let it
//! connect a key-based app, show it as connected, and disconnect it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, World, tools};
use serde_json::{Value, json};

/// The SDK in a process of its own.
struct Sdk {
    child: Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Sdk {
    fn start(world: &World) -> Option<Self> {
        let mut command = Command::new("node");
        command
            .arg(tools::cobalt_folder().join("drive.mjs"))
            .env("KEYFERRY_COBALT", tools::cobalt()?)
            .env("KEYFERRY_URL", world.server.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("start Node.js");
        let (say, hear) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, say, hear })
    }

    /// The result of a method of the SDK, or the message of the exception.
    async fn call(&mut self, token: &str, method: &str, arguments: Value) -> Result<Value, String> {
        writeln!(self.say, "{}", json!({ "call": method, "arguments": arguments, "token": token })).unwrap();
        let mut line = String::new();
        // The mock providers run in this runtime, and the SDK waits for them.
        tokio::task::block_in_place(|| self.hear.read_line(&mut line)).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("the SDK's process ended; its output is above");
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["value"].clone()),
        }
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_sdk_lists_connects_sees_and_disconnects_a_key_based_app() {
    let world = World::start().await;
    let Some(mut sdk) = Sdk::start(&world) else { return };
    let token = world.session(ACCOUNT).await;

    let account = sdk.call(&token, "getAccountDetails", json!([])).await.unwrap();
    assert_eq!((&account["org_id"], &account["linked_account_id"]), (&json!("acme"), &json!(ACCOUNT)));
    let apps = sdk.call(&token, "getApp", json!([])).await.unwrap();
    let slugs: Vec<_> = apps.as_array().unwrap().iter().map(|app| app["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, ["hubspot", "netsuite", "slack", "stripe"]);
    let stripe = sdk.call(&token, "getApp", json!(["stripe"])).await.unwrap();
    assert_eq!((&stripe["connected"], &stripe["auth_type"]), (&json!(false), &json!("keybased")));
    // The data from which a front end builds its form.
    let field = &stripe["auth_input_map"][0];
    assert_eq!(
        (&field["name"], &field["type"], &field["required"]),
        (&json!("api_key"), &json!("password"), &json!(true))
    );

    let connect = |key: &str| json!(["stripe", { "api_key": key }]);
    let rejected = sdk.call(&token, "connect", connect("sk_test_nobodyKnowsThisOne")).await;
    assert_eq!(rejected, Err("Internal Server Error".to_owned()), "as documented: nothing is stored");
    assert_eq!(sdk.call(&token, "getApp", json!(["stripe"])).await.unwrap()["connected"], false);
    // The SDK takes invalid content for "not connected": the response has no `success`.
    assert_eq!(sdk.call(&token, "connect", json!(["stripe", {}])).await, Ok(Value::Null));
    assert_eq!(sdk.call(&token, "connect", connect(demo::STRIPE_SECRET_KEY)).await, Ok(json!(true)));

    let stripe = sdk.call(&token, "getApp", json!(["stripe"])).await.unwrap();
    assert_eq!((&stripe["connected"], &stripe["reauth_required"]), (&json!(true), &json!(false)));
    assert_eq!(stripe["connected_accounts"][0]["status"], "active");
    // A back end reads the same credential.
    let account = world.send(Request::new("GET", &format!("/api/v2/public/linked-account/{ACCOUNT}"))).await.json();
    assert_eq!(account["integrations"][0]["type"], "stripe");

    assert_eq!(sdk.call(&token, "disconnect", json!(["stripe"])).await, Ok(Value::Null));
    assert_eq!(sdk.call(&token, "getApp", json!(["stripe"])).await.unwrap()["connected"], false);
    assert!(!world.server.logs().contains(&token), "a session token is nowhere logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_sdk_throws_where_there_is_nothing_for_it() {
    let world = World::start().await;
    let Some(mut sdk) = Sdk::start(&world) else { return };
    let token = world.session(ACCOUNT).await;
    let config = json!([{ "slug": "stripe", "labels": [] }]);
    let cases = [
        ("getApp", json!(["no-such-app"]), "Not Found"),
        // Keyferry does not support OAuth connect flows and configurations.
        ("connect", json!(["hubspot"]), "Not Implemented"),
        ("config", config.clone(), "Not Found"),
        ("updateConfig", config, "Not Found"),
        ("getConfig", json!(["stripe"]), "Not Found"),
        ("deleteConfig", json!(["stripe"]), "Not Found"),
    ];
    for (method, arguments, expected) in cases {
        let told = sdk.call(&token, method, arguments.clone()).await;
        assert_eq!(told, Err(expected.to_owned()), "{method} {arguments}");
    }
    let methods = [
        ("getAccountDetails", json!([])),
        ("getApp", json!([])),
        ("connect", json!(["stripe", { "api_key": demo::STRIPE_SECRET_KEY }])),
        ("disconnect", json!(["stripe"])),
    ];
    for wrong in ["", "no-token", &world.api_key, &format!("{token}x")] {
        for (method, arguments) in &methods {
            let told = sdk.call(wrong, method, arguments.clone()).await;
            assert_eq!(told, Err("Unauthorized".to_owned()), "{method} with {} characters", wrong.len());
        }
    }
}
