//! Connections, as commands show them: `keyferry whoami`, `account list`, `account show`, `credentials show`.

use std::process::Stdio;

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, ORG, World, binary};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// A successful command: its output.
async fn printed(world: &World, key: &str, arguments: &[&str]) -> String {
    let (code, out, err) = world.client(key, arguments).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{arguments:?}: {out}");
    out
}

async fn printed_json(world: &World, key: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(world, key, &[arguments, &["--json"]].concat()).await).unwrap()
}

async fn key(world: &World, more: &[&str]) -> String {
    let command = ["api-key", "create", "--org", ORG, "--environment", "test"];
    let (code, out, err) = world.command(&[&command, more].concat()).await;
    assert_eq!(code, Some(0), "{err}");
    out.trim().to_owned()
}

/// Blanks the values of these members, which differ in each run.
fn masked(mut value: Value) -> Value {
    for name in ["_id", "id", "shown", "createdAt", "updatedAt", "created_at", "expires_at", "verified_at", "revision"]
    {
        if let Some(Value::String(text)) = value.get_mut(name) {
            "(text)".clone_into(text);
        }
    }
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, masked(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        other => other,
    }
}

#[tokio::test]
async fn whoami_says_what_a_key_stands_for_whatever_its_scopes() {
    let world = World::start().await;
    let nightly = key(&world, &["--scope", "migrate", "--label", "nightly job", "--days", "30"]).await;
    let expected = json!({
        "server": world.server.url(), "version": env!("CARGO_PKG_VERSION"), "org": "acme", "environment": "test",
        "key": {"id": "(text)", "shown": "(text)", "label": "nightly job"},
        "scopes": ["migrate"], "created_at": "(text)", "expires_at": "(text)",
    });
    let found = printed_json(&world, &nightly, &["whoami"]).await;
    assert_eq!(found["key"]["shown"], nightly[..7]);
    let ends = found["expires_at"].as_str().unwrap()[..16].to_owned();
    assert_eq!(masked(found), expected);
    let text = printed(&world, &nightly, &["whoami"]).await;
    let lines: Vec<_> = text.lines().map(|line| line.split_once('\t').unwrap()).collect();
    let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["server", "key", "label", "organisation", "environment", "scopes", "made", "ends"]);
    assert!(text.contains("label\tnightly job\n") && text.contains(&format!("ends\t{ends}")), "{text}");
    let text = printed(&world, &world.api_key, &["whoami"]).await;
    assert!(text.contains("scopes\tmigrate, read, admin\n") && text.contains("ends\tnever"), "{text}");
    assert!(!text.contains(&world.api_key) && !text.contains("label"), "{text}");
    // The same over HTTP, with an API key and nothing else.
    let asked = Request::new("GET", "/api/v2/public/whoami");
    let answer = world.send(asked.clone()).await.json();
    let mut of_command = printed_json(&world, &world.api_key, &["whoami"]).await;
    of_command.as_object_mut().unwrap().remove("server");
    assert_eq!(answer, of_command);
    let token = world.session(ACCOUNT).await;
    for refused in [asked.clone(), asked.header("authorization", &format!("Bearer {token}"))] {
        assert_eq!(world.send_as_it_is(refused).await.status, 401);
    }
    let (_, listed, _) = world.command(&["api-key", "list", "--org", ORG, "--json"]).await;
    let id = printed_json(&world, &nightly, &["whoami"]).await["key"]["id"].clone();
    assert!(listed.contains(id.as_str().unwrap()), "the operator finds it by its id: {listed}");
}

/// Each command that calls the server prints the same error for the same cause.
#[tokio::test]
async fn a_key_that_will_not_do_and_a_server_that_does_not_run_are_told_with_what_to_do() {
    let mut world = World::start().await;
    let commands: [&[&str]; 5] = [
        &["whoami"],
        &["account", "list"],
        &["account", "show", ACCOUNT],
        &["credentials", "show", ACCOUNT, "stripe"],
        &["verify", "--all"],
    ];
    let unknown = key(&world, &[]).await;
    let (code, _, err) = world.command(&["api-key", "revoke", &unknown, "--org", ORG]).await;
    assert_eq!(code, Some(0), "{err}");
    let migrate = key(&world, &["--scope", "migrate"]).await;
    for command in commands {
        let (code, out, err) = world.client(&unknown, command).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{command:?}: {err}");
        assert!(
            err.contains("does not know this API key") && err.contains("`keyferry api-key list"),
            "{command:?}: {err}"
        );
        assert!(!err.contains(&unknown), "{err}");
        if command != ["whoami"] {
            let (code, out, err) = world.client(&migrate, command).await;
            assert_eq!((code, out.as_str()), (Some(1), ""), "{command:?}: {err}");
            let advice = format!(
                "the key {}... has migrate. The operator makes one with `keyferry api-key create --org acme --environment test --scope read",
                &migrate[..7]
            );
            assert!(err.contains("does not have the scope `read`") && err.contains(&advice), "{command:?}: {err}");
        }
    }
    assert!(world.server.terminate().await.success());
    for command in commands {
        let (code, out, err) = world.client(&migrate, command).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{command:?}: {err}");
        assert!(
            err.contains("cannot connect to") && err.contains("is `keyferry serve` running there?"),
            "{command:?}: {err}"
        );
    }
}

#[tokio::test]
async fn accounts_are_listed_to_the_last_one_and_searched() {
    let world = World::start().await;
    let hubspot = json!({"oauth2": {
        "access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN,
    }});
    assert_eq!(world.migrate("hubspot", hubspot).await.status, 200);
    // More than fit on a page.
    for number in 0..203 {
        let body = json!({"account_id": format!("c/{number:03}"), "name": format!("Customer {number}")});
        assert_eq!(world.send(Request::new("POST", ACCOUNTS).json(&body)).await.status, 200);
    }
    let text = printed(&world, &world.api_key, &["account", "list"]).await;
    assert!(text.starts_with("account\tname\tapps\tmade\n"), "{text}");
    assert_eq!(text.matches("account\tname").count(), 1, "one header");
    assert!(text.contains("\nc/202\tCustomer 202\t\t2"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("user_1\t\thubspot\t2"), "the oldest: {text}");
    // Accounts of one millisecond have an arbitrary order.
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let expected: Vec<_> = (0..203).map(|number| format!("c/{number:03}")).chain([ACCOUNT.to_owned()]).collect();
    let ids = text.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned());
    assert_eq!(sorted(ids.collect()), expected);
    let listed = printed_json(&world, &world.api_key, &["account", "list"]).await;
    let ids = listed.as_array().unwrap().iter().map(|account| account["account_id"].as_str().unwrap().to_owned());
    assert_eq!(sorted(ids.collect()), expected);
    let found = printed(&world, &world.api_key, &["account", "list", "--search", "CUSTOMER 19"]).await;
    assert_eq!(found.lines().count(), 1 + 11, "19 and 190 to 199: {found}");
    let (code, out, err) = world.client(&world.api_key, &["account", "list", "--search", "nobody"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "account\tname\tapps\tmade\n"));
    assert!(err.contains("no linked account has `nobody` in its id or name"), "{err}");
    let none = printed_json(&world, &world.api_key, &["account", "list", "--search", "nobody"]).await;
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn an_account_is_shown_with_its_apps_and_one_that_is_not_there_with_similar_ones() {
    let world = World::start().await;
    let text = printed(&world, &world.api_key, &["account", "show", ACCOUNT]).await;
    assert!(text.contains("apps\tnone is connected\n"), "{text}");
    let body = json!({"account_id": ACCOUNT, "name": "Jane", "udf": {"plan": "gold"}});
    assert_eq!(world.send(Request::new("PUT", ACCOUNTS).json(&body)).await.status, 200);
    world.migrate("stripe", json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}})).await;
    let text = printed(&world, &world.api_key, &["account", "show", ACCOUNT]).await;
    for part in [
        "account\tuser_1\n",
        "name\tJane\n",
        "environment\ttest\n",
        "fields\tplan=gold\n",
        "\nstripe\tkeybased\tverified\t",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = printed_json(&world, &world.api_key, &["account", "show", ACCOUNT]).await;
    let answer = world.send(Request::new("GET", &format!("{ACCOUNTS}/{ACCOUNT}"))).await;
    assert_eq!(shown, answer.json(), "as the API shows it");

    world.create_account("team/of@x.com").await;
    let shown = printed_json(&world, &world.api_key, &["account", "show", "team/of@x.com"]).await;
    assert_eq!(shown["account_id"], "team/of@x.com");
    for (account, expected) in [
        ("user_11", "similar ones: user_1"),
        ("User_1", "similar ones: user_1"),
        ("usr_1", "similar ones: user_1"),
        ("of@x", "similar ones: team/of@x.com"),
        ("somebody", "`keyferry account list` lists those that exist"),
        ("..", "`keyferry account list` lists those that exist"),
    ] {
        for command in
            [&["account", "show", account][..], &["credentials", "show", account, "stripe"], &["verify", account]]
        {
            let (code, out, err) = world.client(&world.api_key, command).await;
            assert_eq!((code, out.as_str()), (Some(1), ""), "{command:?}: {err}");
            assert!(err.contains(&format!("account id {account} ")) && err.contains(expected), "{command:?}: {err}");
        }
    }
}

/// Reads of values in the audit trail.
async fn reads(world: &World) -> usize {
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    trail.lines().filter(|line| line.contains("\"credential_read\"")).count()
}

#[tokio::test]
async fn values_are_printed_only_if_they_are_asked_for_by_a_key_that_may_see_them() {
    let world = World::start().await;
    let secret = demo::STRIPE_SECRET_KEY;
    world.migrate("stripe", json!({"keybased": {"api_key": secret}})).await;
    let show = ["credentials", "show", ACCOUNT, "stripe"];
    let reader = key(&world, &["--scope", "read_credentials"]).await;
    let body = |value: &str, masked: bool| {
        json!({
            "slug": "stripe", "auth_object": {"keybased": {"api_key": value}}, "masked": masked, "outcome": "verified",
            "verified_at": "(text)", "reauth_required": false, "last_check": null, "expires_at": null,
            "scopes": [], "identifier": demo::STRIPE_ACCOUNT, "config": {"mode": "test"},
        })
    };
    // Without --reveal nothing is decrypted, even for a key with the right to read it.
    for key in [&world.api_key, &reader] {
        let text = printed(&world, key, &show).await;
        assert!(text.contains("auth type\tkeybased\n") && text.contains("state\tverified\n"), "{text}");
        assert!(text.ends_with("\n\napi_key: ***\n"), "{text}");
        assert_eq!(masked(printed_json(&world, key, &show).await), body("***", true));
    }
    assert_eq!(reads(&world).await, 0);

    let reveal = [&show[..], &["--reveal"]].concat();
    let (code, out, err) = world.client(&world.api_key, &reveal).await;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("`read_credentials`") && err.contains("--scope read,read_credentials`"), "{err}");
    let text = printed(&world, &reader, &reveal).await;
    assert!(text.ends_with(&format!("\n\napi_key: {secret}\n")), "{text}");
    assert_eq!(masked(printed_json(&world, &reader, &reveal).await), body(secret, false));
    assert_eq!(reads(&world).await, 2);
    let other = [&reveal[..], &["--auth-type", "oauth2"]].concat();
    let (code, out, err) = world.client(&reader, &other).await;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("of user_1 for stripe is of auth type keybased, not oauth2"), "{err}");
    assert_eq!(reads(&world).await, 2, "of the wrong auth type nothing is opened");
    printed(&world, &reader, &[&reveal[..], &["--auth-type", "keybased"]].concat()).await;

    let (code, _, err) = world.client(&world.api_key, &["credentials", "show", ACCOUNT, "hubspot"]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("no integration of `hubspot`") && err.contains("user_1 has stripe"), "{err}");
    assert!(!world.server.logs().contains(secret));
}

#[tokio::test]
async fn a_result_that_is_not_written_completely_is_an_error() {
    let world = World::start().await;
    let data = world.data().display().to_string();
    for arguments in [
        &["whoami"][..],
        &["account", "list"],
        &["account", "list", "--json"],
        &["config", "example"],
        &["audit", "verify", "--org", ORG, "--data", &data],
        &["audit", "export", "--org", ORG, "--data", &data],
        &["api-key", "create", "--org", ORG, "--environment", "test", "--data", &data],
    ] {
        let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
        command.args(arguments).env("KEYFERRY_API_KEY", &world.api_key).env("KEYFERRY_SERVER", world.server.url());
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("not written to standard output completely: No space left on device"), "{said}");
    }
}
