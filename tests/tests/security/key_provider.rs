//! A key-encryption key on this machine: without the right one the server does not start, and another can replace
//! it during requests.
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use keyferry_tests::terminal::at_terminal;
use keyferry_tests::{ORG, Server, ServerOptions, World, create_api_key, create_api_key_in, run_in};
use serde_json::{Value, json};

/// A defect of a key file, how to produce it, and the expected message.
type Damage<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str]);
/// Arguments and variables that contradict each other, the exit code, and the expected message.
type Contradiction<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

/// A key that wraps nothing yet.
const OTHER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn put(path: &Path, content: &str, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The message of a server that does not start.
async fn refused(data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut options = ServerOptions::new(data, data.join("plugins"));
    options.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    options.environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match Server::try_start(options).await {
        Ok(_) => panic!("it started with {arguments:?} {environment:?}"),
        Err(failure) => {
            assert_eq!(failure.status.and_then(|status| status.code()), Some(1), "{failure}");
            failure.logs
        }
    }
}

#[tokio::test]
async fn without_the_right_key_file_there_is_no_start_and_the_message_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    create_api_key(&data, ORG, "test").await;
    let path = data.join("keyferry.key");
    let right = fs::read_to_string(&path).unwrap();
    let shown = path.display().to_string();
    let cases: [Damage<'_>; 8] = [
        ("missing", &|| fs::remove_file(&path).unwrap(), &["there is no key file at", "restore it from your backup"]),
        ("another", &|| put(&path, OTHER, 0o600), &["root 1 of organisation acme needs the key", "is configured"]),
        ("readable by all", &|| put(&path, &right, 0o644), &["has mode 0644", "chmod 600"]),
        ("readable by the group", &|| put(&path, &right, 0o640), &["has mode 0640", "chmod 600"]),
        ("cut", &|| put(&path, &right[..20], 0o600), &["does not hold a key"]),
        ("empty", &|| put(&path, "", 0o600), &["does not hold a key: it is empty"]),
        ("no text", &|| put(&path, "\u{1}\u{2}", 0o600), &["does not hold a key"]),
        (
            "a folder",
            &|| {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
            },
            &["cannot read the key file"],
        ),
    ];
    for (name, change, expected) in cases {
        change();
        let said = refused(&data, &[], &[]).await;
        for part in expected {
            assert!(said.contains(part), "{name}: {said}");
        }
        assert!(said.contains(&shown) || name == "another", "{name}: {said}");
        assert!(!said.contains(right.trim()) && !said.contains(&right[..20]), "{name}: the key shows");
        if path.is_dir() {
            fs::remove_dir(&path).unwrap();
        }
        put(&path, &right, 0o600);
    }
    // With the right key it starts.
    Server::start(ServerOptions::new(&data, data.join("plugins"))).await;
}

#[tokio::test]
async fn without_the_right_key_variable_there_is_no_start_and_the_message_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let keys: Vec<_> = [("KEYFERRY_KEY_ENV", "THE_KEY"), ("THE_KEY", OTHER)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    create_api_key_in(&keys, &data, ORG, "test").await;
    assert!(!data.join("keyferry.key").exists(), "a key file was made beside");
    let another = OTHER.replace("AAEC", "AAED");
    let cases = [
        ("missing", None, "the environment variable THE_KEY is not set"),
        ("another", Some(another.as_str()), "root 1 of organisation acme needs the key"),
        ("cut", Some(&OTHER[..30]), "the environment variable THE_KEY does not hold a key"),
        ("empty", Some(""), "the environment variable THE_KEY does not hold a key: it is empty"),
        ("no key", Some("changeme"), "the environment variable THE_KEY does not hold a key"),
    ];
    for (name, value, expected) in cases {
        let environment: Vec<_> = value.map(|value| ("THE_KEY", value)).into_iter().collect();
        let said = refused(&data, &["--key-env", "THE_KEY"], &environment).await;
        assert!(said.contains(expected), "{name}: {said}");
        assert!(value.is_none_or(|value| value.is_empty() || !said.contains(value)), "{name}: the key shows");
    }
    let mut right = ServerOptions::new(&data, data.join("plugins"));
    right.environment = keys;
    Server::start(right).await;
}

#[tokio::test]
async fn settings_that_contradict_each_other_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let transit = "https://vault.example.com/v1/transit/keys/k";
    let cases: [Contradiction<'_>; 7] = [
        (&["--key-file", "k", "--key-env", "K"], &[], 1, "key-file and key-env are set"),
        (&["--key-kms", "alias/k"], &[("KEYFERRY_KEY_FILE", "k")], 1, "key-file and key-kms are set"),
        (&["--key-kms", "alias/k", "--key-transit", transit], &[], 1, "key-kms and key-transit are set"),
        (
            &["--key-transit", transit, "--key-token-file", "t"],
            &[("VAULT_TOKEN", "hvs.secret")],
            1,
            "VAULT_TOKEN and key-token-file are both set",
        ),
        (&["--key-ca", "ca.pem"], &[], 1, "no key service uses it"),
        (&["--key-kms", "k"], &[], 2, "a key of AWS KMS is given by its ARN"),
        (&["--key-transit", "http://vault.example.com/v1/transit/keys/k"], &[], 2, "spoken to over https"),
    ];
    for (arguments, environment, code, expected) in cases {
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let shown = data.display().to_string();
        let output = run_in(&environment, ["serve", "--data", &shown].iter().chain(arguments)).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected) && !said.contains("hvs.secret"), "{arguments:?}: {said}");
    }
}

async fn migrates(world: &World, key: &str) {
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let account = Request::new("PUT", "/api/v2/public/linked-account").json(&json!({ "account_id": "user_1" }));
    let migration = Request::new("PUT", "/api/v2/public/migrate-token").header("linked_account_id", "user_1");
    for request in [account, migration.json(&body)] {
        let answer = request.header("x-api-key", key).send(world.server.address()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Which keys wrap each root of an organisation.
async fn wrapped_by(world: &World, org: &str) -> Vec<Vec<String>> {
    let (code, listed, said) = world.command(&["key", "list", "--json", "--org", org]).await;
    assert_eq!(code, Some(0), "{said}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |key: &Value| {
        let also = key["also_wrapped_by"].as_array().into_iter().flatten();
        std::iter::once(&key["wrapped_by"]).chain(also).map(text).collect()
    };
    serde_json::from_str::<Vec<Value>>(&listed).unwrap().iter().map(one).collect()
}

#[tokio::test]
async fn another_key_takes_the_place_of_the_present_one_step_by_step_while_a_server_runs() {
    let mut world = World::start().await;
    migrates(&world, &world.api_key).await;
    let other = create_api_key(&world.data(), "umbrella", "test").await;
    assert_eq!(world.command(&["key", "rotate", "--org", ORG]).await.0, Some(0));
    let old = wrapped_by(&world, ORG).await[0][0].clone();

    let new_file = world.folder().join("new.key");
    let shown = new_file.display().to_string();
    let (code, _, said) = world.command(&["key", "rewrap", "--all"]).await;
    assert!(code == Some(1) && said.contains("say which key is to take the present one's place"), "{said}");
    let present = world.data().join("keyferry.key").display().to_string();
    let (code, _, said) = world.command(&["key", "rewrap", "--all", "--to-key-file", &present]).await;
    assert!(code == Some(1) && said.contains("is the present key"), "{said}");

    // One organisation, then the rest: completed work is not repeated.
    let (code, printed, said) = world.command(&["key", "rewrap", "--org", ORG, "--to-key-file", &shown]).await;
    assert!(code == Some(0) && printed.starts_with("2 root keys were wrapped by"), "{printed}{said}");
    assert!(said.contains("1 root keys of other organisations are not: keep the present key"), "{said}");
    assert_eq!(fs::metadata(&new_file).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, printed, said) = world.command(&["key", "rewrap", "--all", "--to-key-file", &shown]).await;
    assert!(code == Some(0) && printed.starts_with("1 root keys were wrapped by"), "{printed}{said}");
    assert!(said.contains(&format!("Now start the server with --key-file {shown}")), "{said}");
    let new = wrapped_by(&world, ORG).await[0][1].clone();
    for org in [ORG, "umbrella"] {
        assert!(wrapped_by(&world, org).await.iter().all(|by| *by == [old.clone(), new.clone()]), "{org}");
    }
    let (code, printed, _) = world.command(&["key", "rewrap", "--all", "--to-key-file", &shown]).await;
    assert!(code == Some(0) && printed.starts_with("0 root keys were wrapped by"), "{printed}");

    // Either key works: the current one in the running server, the old one after a restart, the new one after another.
    for key in [&world.api_key, &other] {
        migrates(&world, key).await;
    }
    world.server.restart().await;
    migrates(&world, &world.api_key).await;
    // This server wraps the roots of new organisations with the old key alone.
    let finish = ["key", "rewrap", "--all", "--finish", "--key-file", &shown];
    let (code, _, said) = world.command(&finish).await;
    assert!(code == Some(1) && said.contains(&format!("with {old}, the key that the running server has")), "{said}");
    assert!(said.contains("Restart the server with the new key"), "{said}");
    assert_eq!(wrapped_by(&world, ORG).await[0], [old.clone(), new.clone()]);
    let arguments = world.server.options_mut().arguments.clone();
    world.server.options_mut().arguments.extend(["--key-file".to_owned(), shown.clone()]);
    world.server.restart().await;
    for key in [&world.api_key, &other] {
        migrates(&world, key).await;
    }

    // A root that only the new key wraps: forgetting the new key would lose it, so that is refused.
    assert_eq!(world.command(&["key", "rotate", "--org", ORG]).await.0, Some(0));
    let (code, _, said) = world.command(&["key", "rewrap", "--all", "--finish"]).await;
    assert!(code == Some(1) && said.contains("root 3 of organisation acme is not wrapped by"), "{said}");
    assert!(said.contains("nothing was forgotten"), "{said}");
    let data = world.data().display().to_string();
    if let Some((code, said)) = at_terminal(&[], &[&finish[..], &["--data", &data]].concat(), "n\n").await {
        assert!(code == Some(1) && said.contains("Forget every wrapped form of 3 root keys but the one by"), "{said}");
        assert!(said.contains("nothing was forgotten") && wrapped_by(&world, ORG).await[0].len() == 2, "{said}");
    }
    let (code, printed, said) = world.command(&finish).await;
    assert!(code == Some(0) && printed.starts_with("3 root keys are wrapped by"), "{printed}{said}");
    for org in [ORG, "umbrella"] {
        assert!(wrapped_by(&world, org).await.iter().all(|by| *by == [new.clone()]), "{org}");
    }
    migrates(&world, &other).await;
    assert!(world.server.terminate().await.success());

    // Without a server, the trail has the change, and the old key is not accepted any more.
    let trail = world.command(&["audit", "export", "--org", ORG, "--key-file", &shown]).await.1;
    assert_eq!(trail.matches("\"operation\":\"key_rewrapped\"").count(), 4, "{trail}");
    let said = refused(&world.data(), &[], &[]).await;
    assert!(said.contains(&format!("needs the key {new}, and {old} is configured")), "{said}");
    world.server.options_mut().arguments = arguments;
    world.server.options_mut().arguments.extend(["--key-file".to_owned(), shown]);
    world.server.restart().await;
    migrates(&world, &world.api_key).await;
}
