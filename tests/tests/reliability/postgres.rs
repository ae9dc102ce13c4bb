//! A server whose store is a PostgreSQL database: the same to its callers, also when server or database end in the middle.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_test_postgres::{Cluster, Database, PASSWORD, USER_WITH_PASSWORD};
use keyferry_tests::binary::copy_plugins;
use keyferry_tests::documents::Document;
use keyferry_tests::http::{Request, get};
use keyferry_tests::trail::rows_stored;
use keyferry_tests::{Grants, ORG, PluginsIn, Server, ServerOptions, World, WorldOptions, run_in};
use serde_json::{Value, json};

const ACCOUNTS: &str = "/api/v2/public/linked-account";
const IMPORTS: &str = "/api/v2/public/imports";
/// Rows of an import.
const ROWS: usize = 400;

fn stripe() -> Value {
    json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}})
}

/// A cluster that nothing else uses; it ends with the process.
fn cluster() -> Option<&'static Cluster> {
    Cluster::start().map(|cluster| &*Box::leak(Box::new(cluster)))
}

async fn world(database: Database<'static>) -> World {
    World::start_on(database, WorldOptions::default()).await
}

async fn until_ready_is(server: &Server, status: u16) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let response = get(server.address(), "/readyz").await;
        if response.status == status {
            return response.text();
        }
        assert!(Instant::now() < deadline, "readiness is not {status}: {}", response.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Begins an import for as many accounts.
async fn begin(world: &World) -> String {
    let lines: String = (0..ROWS)
        .map(|number| {
            format!(
                "{}\n",
                json!({"linked_account_id": format!("bulk_{number}"), "slug": "stripe", "auth_object": stripe()})
            )
        })
        .collect();
    let request = Request::new("POST", &format!("{IMPORTS}?create_accounts=true"));
    let answer = world.send(request.body("application/x-ndjson", lines)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Waits for the end of an import, through times in which the database is away.
async fn ended(world: &World, id: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let answer = world.send(Request::new("GET", &format!("{IMPORTS}/{id}"))).await;
        let import = answer.json();
        if answer.status == 200 && import["state"] != "running" {
            return import;
        }
        assert!(Instant::now() < deadline, "{import:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_whole(world: &World, import: &Value) {
    assert_eq!(import["state"], "finished", "{import:#}");
    assert_eq!(import["outcomes"], json!({"created": ROWS}), "{import:#}");
    let (code, trail, said) = world.command(&["audit", "export", "--org", ORG]).await;
    assert_eq!(code, Some(0), "{said}");
    let stored = rows_stored(&trail);
    assert_eq!(stored.len(), ROWS);
    assert!(stored.values().all(|times| *times == 1), "a row was stored twice");
    let (code, _, said) = world.command(&["audit", "verify", "--org", ORG]).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_migration_and_an_import_are_all_there_after_kills_of_the_server_in_between() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut world = world(cluster.database()).await;
    let request = |world: &World| {
        let body = json!({"slug": "stripe", "auth_object": stripe()});
        world.migrate_request(&body).header("idempotency-key", "once")
    };
    let first = world.send(request(&world)).await;
    assert_eq!(first.status, 200, "{}", first.text());
    world.server.kill();
    world.server.restart().await;
    let again = world.send(request(&world)).await;
    assert_eq!((again.status, again.text()), (200, first.text()));
    let account = world.send(Request::new("GET", &format!("{ACCOUNTS}/user_1"))).await;
    assert_eq!(account.json()["integrations"][0]["type"], "stripe", "{}", account.text());

    let id = begin(&world).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.server.kill();
        world.server.restart().await;
    }
    is_whole(&world, &ended(&world, &id).await).await;
    assert!(!world.data().join("store").exists(), "something is in the data folder");
}

#[tokio::test]
async fn an_import_outlives_crashes_of_the_database_and_callers_get_503_meanwhile() {
    let Some(cluster) = cluster() else { return };
    let world = world(cluster.database()).await;
    let id = begin(&world).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.stop();
    let said = until_ready_is(&world.server, 503).await;
    assert!(said.contains("the database takes no writes at the moment"), "{said}");
    let body = json!({"slug": "stripe", "auth_object": stripe()});
    let refused = world.migrate_request(&body).header("accept", "application/problem+json");
    let refused = world.send(refused).await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("store_unavailable")), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    cluster.start_again();
    until_ready_is(&world.server, 200).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    cluster.stop();
    cluster.start_again();
    is_whole(&world, &ended(&world, &id).await).await;
    assert_eq!(world.migrate("stripe", stripe()).await.status, 200);
}

#[tokio::test]
async fn a_command_that_needs_the_database_for_itself_says_which_server_has_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut world = world(cluster.database()).await;
    let (environment, folder) = (world.server.options_mut().environment.clone(), world.folder().join("elsewhere"));
    fs::create_dir(&folder).unwrap();
    let (folder, key) = (folder.display().to_string(), world.data().join("keyferry.key").display().to_string());
    let refused = run_in(&environment, ["org", "list", "--data", &folder, "--key-file", &key]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains(&format!("in use by process {} on ", world.server.pid())), "{said}");
}

#[tokio::test]
async fn what_is_wrong_with_the_address_of_a_database_is_said_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, expected) in [
        ("postgres://kf:s3cr3t@db.example.com/keyferry".to_owned(), "it has a password in it"),
        ("postgres://kf@db.example.com/keyferry?password=s3cr3t".to_owned(), "it has a password in it"),
        ("postgres://kf@db.example.com/keyferry?sslmode=require".to_owned(), "verify-full"),
        ("postgres://db.example.com/keyferry".to_owned(), "no user"),
        ("mysql://kf:s3cr3t@db.example.com/keyferry".to_owned(), "the store can be in PostgreSQL only"),
        ("postgres://kf@db.example.com/keyferry?host=/run/postgresql".to_owned(), "names hosts before the database"),
        (format!("postgres://kf@{closed}/keyferry"), "Connection refused"),
    ] {
        let environment = [("KEYFERRY_STORE_URL".to_owned(), url.clone())];
        for arguments in [
            vec!["api-key", "create", "--org", ORG, "--environment", "test", "--data", &data],
            vec!["serve", "--listen", "127.0.0.1:0", "--data", &data],
            vec!["store", "migrate", "--data", &data],
        ] {
            let output = run_in(&environment, arguments.clone()).await;
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
            assert!(!output.status.success() && said.contains(expected), "{url} {arguments:?}: {said}");
            assert!(!said.contains("s3cr3t"), "{url} {arguments:?}: {said}");
        }
        let output = run_in(&environment, ["config", "check", "--data", &data]).await;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!said.contains("s3cr3t"), "config check: {said}");
        assert!(!fs::exists(&data).unwrap(), "{url}: a data folder is left behind");
    }
}

#[tokio::test]
async fn the_tables_are_made_by_a_command_as_well() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyferry.toml");
    fs::write(&file, format!("[store]\nurl = \"{}\"\n", database.url())).unwrap();
    let file = file.display().to_string();
    for (from, json) in [(0, true), (2, true), (2, false)] {
        let arguments = ["store", "migrate", "--config", &file].into_iter().chain(json.then_some("--json"));
        let output = run_in(&[], arguments).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        match json {
            true => assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), json!({"from": from, "to": 2})),
            false => assert!(said.contains("version 2 already"), "{said}"),
        }
    }
}

#[tokio::test]
async fn every_command_of_the_page_works() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let folder = tempfile::tempdir().unwrap();
    let (data, plugins) = (folder.path().join("data"), folder.path().join("plugins"));
    let secret = folder.path().join("password");
    fs::write(&secret, PASSWORD).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let (url, secret) = (database.url_of(USER_WITH_PASSWORD), secret.display().to_string());
    copy_plugins(&plugins);
    let component = plugins.join("stripe.wasm").display().to_string();
    let mut servers = Vec::new();
    for line in Document::read("docs/operations/postgres.md").commands() {
        let line =
            line.replace("postgres://keyferry@db.example.com/keyferry", &url).replace("/run/secrets/db", &secret);
        let words = shlex::split(&line).unwrap();
        let words: Vec<String> = words.into_iter().skip(1).collect();
        if words[0] == "serve" {
            let mut options = ServerOptions::new(&data, &plugins);
            options.arguments = words[1..].to_vec();
            options.plugins_in = PluginsIn::Database;
            options.grants = Grants::ByHand;
            servers.push(Server::start(options).await);
        } else {
            // The page's data folder is the default one.
            let data = ["--data".to_owned(), data.display().to_string()];
            let words = words.into_iter().map(|word| match word.as_str() {
                "acme.wasm" => component.clone(),
                "acme" => "stripe".to_owned(),
                _ => word,
            });
            let output = run_in(&[], words.chain(data)).await;
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert_eq!(servers.len(), 1);
}
