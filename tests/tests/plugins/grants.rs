//! The operator's commands for plugins: grant, with an expiry or until revoked; roll back to an earlier version; list.

use std::path::Path;
use std::process::Output;

use keyferry_mock_providers::apps::demo;
use keyferry_tests::plugins::{build, variant};
use keyferry_tests::terminal::at_terminal;
use keyferry_tests::{Grants, ServerChange, World, WorldOptions, binary, run, tools};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MIGRATED: &str = r#"{"success":true,"message":"Token migrated successfully"}"#;

async fn hubspot(world: &World) -> String {
    world.migrate("hubspot", json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}})).await.text()
}

pub(crate) async fn plugin(world: &World, arguments: &[&str]) -> Output {
    let data = world.data().display().to_string();
    let plugins = world.plugins().display().to_string();
    run(["plugin"].iter().chain(arguments).chain(&["--data", &data, "--plugins", &plugins])).await
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "input that cannot be used ends with 2");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One plugin as `list` has it.
pub(crate) async fn listed(world: &World, file: &str) -> Value {
    let list: Value = serde_json::from_str(&stdout(&plugin(world, &["list", "--json"]).await)).unwrap();
    let entries = list.as_array().unwrap();
    entries.iter().find(|entry| entry["file"].as_str().unwrap().ends_with(file)).unwrap().clone()
}

fn replace(path: &Path, bytes: &[u8]) {
    let hidden = path.with_extension("part");
    std::fs::write(&hidden, bytes).unwrap();
    std::fs::rename(hidden, path).unwrap();
}

fn by_hand() -> WorldOptions {
    let change: ServerChange = Box::new(|options| options.grants = Grants::ByHand);
    WorldOptions { server: Some(change), ..WorldOptions::default() }
}

#[tokio::test]
async fn a_revoked_plugin_stops_at_once_and_nothing_but_a_grant_brings_it_back() {
    let mut world = World::start().await;
    assert_eq!(hubspot(&world).await, MIGRATED);
    let revoked = stdout(&plugin(&world, &["revoke", "hubspot"]).await);
    assert!(revoked.contains("revoked hubspot sha256"), "{revoked}");
    let answer = hubspot(&world).await;
    assert!(answer.contains("keyferry plugin grant hubspot"), "{answer}");
    // Neither a restart nor --grant-on-drop, under which this server runs, grants it again.
    world.server.restart().await;
    assert_eq!(listed(&world, "hubspot.wasm").await["state"], "revoked");
    assert!(hubspot(&world).await.contains("revoked"));
    stdout(&plugin(&world, &["grant", "hubspot"]).await);
    assert_eq!(hubspot(&world).await, MIGRATED);
}

#[tokio::test]
async fn a_plugin_goes_back_to_the_version_before_and_forth_to_a_named_one() {
    let world = World::start().await;
    let file = world.plugins().join("hubspot.wasm");
    let first = std::fs::read(&file).unwrap();
    let digest = |entry: &Value| entry["digest"].as_str().unwrap().to_owned();
    let none = stderr(&plugin(&world, &["rollback", "hubspot"]).await);
    assert!(none.contains("no earlier version is kept"), "{none}");
    let mut digests = vec![digest(&listed(&world, "hubspot.wasm").await)];
    for content in ["second", "third"] {
        replace(&file, &variant(&first, content));
        let entry = listed(&world, "hubspot.wasm").await;
        assert_eq!((&entry["state"], &entry["serving"]), (&json!("active"), &entry["digest"]));
        digests.push(digest(&entry));
    }
    for back in [1, 0] {
        let said = stdout(&plugin(&world, &["rollback", "hubspot"]).await);
        assert!(said.contains(&digests[back]) && said.contains(&digests[back + 1]), "{said}");
        assert_eq!(digest(&listed(&world, "hubspot.wasm").await), digests[back]);
        assert_eq!(hubspot(&world).await, MIGRATED);
    }
    assert_eq!(std::fs::read(&file).unwrap(), first);
    stdout(&plugin(&world, &["rollback", "hubspot", "--to", &digests[2][..10]]).await);
    assert_eq!(digest(&listed(&world, "hubspot.wasm").await), digests[2]);
    // A revoked version is not a target of a rollback.
    stdout(&plugin(&world, &["revoke", "hubspot"]).await);
    let refused = stderr(&plugin(&world, &["rollback", "hubspot"]).await);
    assert!(refused.contains("has no grant any more"), "{refused}");
}

#[tokio::test]
async fn what_is_kept_of_a_file_as_another_app_keeps_its_grant_when_the_present_app_is_revoked() {
    let world = World::start_with(by_hand()).await;
    stdout(&plugin(&world, &["grant", "hubspot"]).await);
    let file = world.plugins().join("hubspot.wasm");
    let hubspot_file = std::fs::read(&file).unwrap();
    replace(&file, &std::fs::read(binary::plugins().join("linear.wasm")).unwrap());
    stdout(&plugin(&world, &["grant", "linear"]).await);
    assert_eq!(listed(&world, "hubspot.wasm").await["state"], "active");
    stdout(&plugin(&world, &["revoke", "linear"]).await);
    assert_eq!(listed(&world, "hubspot.wasm").await["state"], "revoked");
    stdout(&plugin(&world, &["rollback", "hubspot.wasm"]).await);
    assert_eq!(std::fs::read(&file).unwrap(), hubspot_file);
    assert_eq!(hubspot(&world).await, MIGRATED);
}

#[tokio::test]
async fn the_last_good_version_serves_after_a_restart_too() {
    let mut world = World::start_with(by_hand()).await;
    stdout(&plugin(&world, &["grant", "hubspot"]).await);
    let file = world.plugins().join("hubspot.wasm");
    let good = std::fs::read(&file).unwrap();
    // A swapped file has no grant, a broken one is refused: neither takes the app down.
    for (bytes, state) in [(variant(&good, "swapped"), "pending"), (b"broken".to_vec(), "refused")] {
        replace(&file, &bytes);
        for restart in [false, true] {
            if restart {
                world.server.restart().await;
            }
            let entry = listed(&world, "hubspot.wasm").await;
            assert_eq!(entry["state"], state);
            assert_ne!(entry["serving"], entry["digest"]);
            assert_eq!(hubspot(&world).await, MIGRATED, "{state}, restarted: {restart}");
        }
    }
    stdout(&plugin(&world, &["rollback", "hubspot.wasm"]).await);
    assert_eq!(std::fs::read(&file).unwrap(), good);
}

#[tokio::test]
async fn a_grant_for_a_time_ends_and_says_where_it_stands() {
    let world = World::start_with(by_hand()).await;
    let said = stdout(&plugin(&world, &["grant", "hubspot", "--days", "30"]).await);
    assert!(said.contains("until 20"), "{said}");
    assert_eq!(hubspot(&world).await, MIGRATED);
    let lock = world.data().join("keyferry.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    let end = text.lines().find(|line| line.starts_with("ends-at")).unwrap();
    std::fs::write(&lock, text.replace(end, "ends-at = \"2020-01-01T00:00:00Z\"")).unwrap();
    let entry = listed(&world, "hubspot.wasm").await;
    let line = text.lines().position(|line| line.starts_with("sha256")).unwrap() + 1;
    let reason = entry["reason"].as_str().unwrap();
    assert_eq!(entry["state"], "pending");
    assert!(
        reason.contains("its grant ended at 2020-01-01T00:00:00Z") && reason.contains(&format!("keyferry.lock:{line}")),
        "{reason}"
    );
    assert!(hubspot(&world).await.contains("keyferry plugin grant hubspot"));
    let checked = stderr(&plugin(&world, &["list", "--check"]).await);
    assert!(checked.contains("hubspot.wasm: pending: its grant ended"), "{checked}");
}

#[tokio::test]
async fn a_lock_file_with_a_slip_is_told_with_its_line_and_changes_nothing() {
    let world = World::start_with(by_hand()).await;
    stdout(&plugin(&world, &["grant", "hubspot"]).await);
    let lock = world.data().join("keyferry.lock");
    let good = std::fs::read_to_string(&lock).unwrap();
    std::fs::write(&lock, good.replace("requests", "reqests")).unwrap();
    let line = good.lines().position(|line| line.starts_with("requests")).unwrap() + 1;
    let said = stderr(&plugin(&world, &["list"]).await);
    assert!(said.contains(&format!("keyferry.lock:{line}")) && said.contains("reqests"), "{said}");
    assert_eq!(hubspot(&world).await, MIGRATED, "the server keeps the grants in memory");
}

#[tokio::test]
async fn every_way_of_not_serving_is_listed_with_its_reason() {
    let world = World::start().await;
    let folder = world.plugins();
    let hubspot = std::fs::read(folder.join("hubspot.wasm")).unwrap();
    std::fs::write(folder.join("twin.wasm"), variant(&hubspot, "twin")).unwrap();
    let other = r#"(component (import "keyferry:plugin/http@2.1.0" (instance)) (instance $i)
        (export "keyferry:plugin/app@2.1.0" (instance $i)))"#;
    std::fs::write(folder.join("later.wasm"), wat::parse_str(other).unwrap()).unwrap();
    let bomb = format!("(component (core module {}))", "(func)".repeat(100_001));
    let app = r#"(instance $i) (export "keyferry:plugin/app@1.0.0" (instance $i)))"#;
    let bomb = format!("{}{app}", bomb.strip_suffix(')').unwrap());
    std::fs::write(folder.join("bomb.wasm"), wat::parse_str(bomb).unwrap()).unwrap();
    std::fs::write(folder.join("cut.wasm"), &hubspot[..hubspot.len() / 2]).unwrap();
    let cases = [
        ("twin.wasm", "duplicate", "hubspot.wasm"),
        (
            "later.wasm",
            "refused",
            "it was built for version 2.1.0 of the plugin contract, and this host speaks version 1",
        ),
        ("bomb.wasm", "refused", "it has 100001 functions, and 30000 are allowed"),
        ("cut.wasm", "refused", "it is not WebAssembly"),
    ];
    for (file, state, reason) in cases {
        let entry = listed(&world, file).await;
        assert_eq!(entry["state"], state, "{entry}");
        assert!(entry["reason"].as_str().unwrap().contains(reason), "{entry}");
    }
    let table = stdout(&plugin(&world, &["list"]).await);
    assert!(table.contains("duplicate") && table.contains("active"), "{table}");
    assert!(!table.contains('\u{1b}'), "no colour where there is no terminal");
    let columns = |line: &str| line.split('\t').count();
    assert!(table.lines().all(|line| columns(line) == 8), "tabs alone in a pipe: {table}");
    let said = stderr(&plugin(&world, &["grant", "hubspt"]).await);
    assert!(said.contains("no plugin in") && said.contains("hubspot"), "{said}");
    assert_eq!(self::hubspot(&world).await, MIGRATED);
}

/// The screen of a terminal of 80 columns, without colours. `None` without `script` of util-linux.
fn on_a_terminal(command: &str) -> Option<String> {
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &format!("stty cols 80; {command}"), "/dev/null"]).stdin(std::process::Stdio::null());
    let Ok(output) = script.env("TERM", "xterm").output() else {
        tools::skip("script (util-linux) is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let mut plain = String::new();
    for (n, part) in text.split('\u{1b}').enumerate() {
        let from = if n == 0 { 0 } else { part.find('m').map_or(0, |end| end + 1) };
        plain.push_str(&part[from..]);
    }
    Some(plain)
}

#[tokio::test]
async fn a_list_fits_a_terminal_of_80_columns_and_says_each_reason_once() {
    let world = World::start_with(by_hand()).await;
    let (data, plugins) = (world.data().display().to_string(), world.plugins().display().to_string());
    let keyferry = binary::keyferry();
    let Some(shown) = on_a_terminal(&format!("{} plugin list --data {data} --plugins {plugins}", keyferry.display()))
    else {
        return;
    };
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let all: Value = serde_json::from_str(&stdout(&plugin(&world, &["list", "--json"]).await)).unwrap();
    for entry in all.as_array().unwrap() {
        let (slug, digest) = (entry["slug"].as_str().unwrap(), &entry["digest"].as_str().unwrap()[..12]);
        let row = shown.lines().find(|line| line.starts_with(&format!("{slug} "))).unwrap_or_default();
        assert!(row.contains(" pending ") && row.contains(&format!(" {digest} ")), "{slug}: {shown}");
    }
    assert_eq!(shown.matches("nothing is granted to this").count(), 1, "{shown}");
    let checked = stderr(&plugin(&world, &["list", "--check"]).await);
    assert_eq!(checked.lines().count(), 1, "{checked}");
    assert!(checked.contains("hubspot.wasm, ") && checked.contains("`keyferry plugin grant APP` shows"), "{checked}");
}

/// One exchange over the operator's socket, as curl sends it.
async fn admin(world: &World, request: &str) -> (String, Value) {
    let mut socket = tokio::net::UnixStream::connect(world.data().join("admin.sock")).await.unwrap();
    let text = format!("{request} HTTP/1.1\r\nhost: keyferry\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn the_plugins_are_seen_and_managed_over_http_on_the_operators_socket() {
    let world = World::start().await;
    let (status, list) = admin(&world, "GET /admin/v1/plugins").await;
    assert_eq!((status.as_str(), list.as_array().unwrap().len()), ("HTTP/1.1 200 OK", 4));
    let (_, one) = admin(&world, "GET /admin/v1/plugins/hubspot").await;
    assert_eq!((&one["state"], &one["contract"]), (&json!("active"), &json!("1.1.0")));
    let (status, _) = admin(&world, "POST /admin/v1/plugins/hubspot/revoke").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(hubspot(&world).await.contains("revoked"));
    let (_, granted) = admin(&world, "POST /admin/v1/plugins/hubspot/grant").await;
    assert_eq!(granted["sha256"], one["digest"]);
    assert_eq!(hubspot(&world).await, MIGRATED);
    for (request, status, code) in [
        ("GET /admin/v1/plugins/nobody", "HTTP/1.1 404 Not Found", "no_such_plugin"),
        ("POST /admin/v1/plugins/hubspot/rollback", "HTTP/1.1 409 Conflict", "no_earlier_version"),
        ("POST /admin/v1/organisations/acme/api-keys", "HTTP/1.1 400 Bad Request", "invalid_request"),
        ("GET /admin/v1/nothing", "HTTP/1.1 404 Not Found", "no_such_route"),
    ] {
        let (line, problem) = admin(&world, request).await;
        assert_eq!((line.as_str(), problem["code"].as_str().unwrap()), (status, code), "{request}: {problem}");
    }
}

#[tokio::test]
async fn a_component_that_imports_wasi_runs_only_when_granted_and_finds_nothing_behind_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let change: ServerChange = Box::new(|options| {
        build("sealed", &options.plugins);
        options.environment.push(("A_VARIABLE".to_owned(), "of the host".to_owned()));
    });
    let world = World::start_with(WorldOptions { server: Some(change), ..WorldOptions::default() }).await;
    let entry = listed(&world, "sealed.wasm").await;
    assert_eq!(entry["state"], "needs-wasi", "though this server grants on drop");
    assert!(entry["reason"].as_str().unwrap().contains("--wasi sealed"), "{entry}");
    let without = stderr(&plugin(&world, &["grant", "sealed.wasm"]).await);
    assert!(without.contains("--wasi sealed"), "{without}");
    // First WASI, without which the plugin cannot be inspected; then the requested grants.
    stdout(&plugin(&world, &["grant", "sealed.wasm", "--wasi", "sealed"]).await);
    stdout(&plugin(&world, &["grant", "sealed"]).await);
    let auth_object = json!({"keybased": {"port": port.to_string(), "api_key": "a-secret-value"}});
    let answer = world.migrate("sealed", auth_object).await.text();
    let nothing = "environment [] arguments [] folder None folders 0";
    assert!(answer.contains(nothing), "{answer}");
    assert!(answer.contains("permanent-resolver-failure"), "no name is looked up: {answer}");
    assert!(answer.contains("access-denied"), "nothing is connected to: {answer}");
    let accepted = tokio::time::timeout(std::time::Duration::from_millis(200), listener.accept()).await;
    assert!(accepted.is_err(), "the plugin connected");
}

#[tokio::test]
async fn a_grant_shows_what_is_new_against_the_version_before_and_is_asked_for_at_a_terminal() {
    let world = World::start_with(by_hand()).await;
    let first = stdout(&plugin(&world, &["grant", "netsuite"]).await);
    let wide = "asks for GET https://*.suitetalk.api.netsuite.com/services/rest/record/v1/metadata-catalog/* \
                [any host below suitetalk.api.netsuite.com]";
    assert!(first.contains(wide) && !first.contains("(new)"), "{first}");
    // As if this version had requested other grants.
    let path = world.data().join("keyferry.lock");
    let mut lock: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    let mut entries = lock["plugin"].as_array_mut().unwrap().iter_mut();
    let entry = entries.find(|entry| entry["slug"].as_str() == Some("netsuite")).unwrap();
    entry["requests"] = toml::Value::Array(vec!["GET https://old.netsuite.com/v1/*".into()]);
    replace(&path, lock.to_string().as_bytes());
    assert_eq!(listed(&world, "netsuite.wasm").await["granted"], json!(["GET https://old.netsuite.com/v1/*"]));
    let file = world.plugins().join("netsuite.wasm");
    let bytes = std::fs::read(&file).unwrap();
    replace(&file, &variant(&bytes, "second"));
    let other = stdout(&plugin(&world, &["grant", "netsuite", "--dry-run"]).await);
    let new = wide.replace(" [any", " (new) [any");
    assert!(other.contains(&new) && other.contains("drops    GET https://old.netsuite.com/v1/*\n"), "{other}");

    let data = world.data().display().to_string();
    let grant = ["plugin", "grant", "netsuite", "--data", &data];
    let Some((code, said)) = at_terminal(&[], &grant, "n\n").await else { return };
    assert!(code == Some(2) && said.contains("Grant this to netsuite? [y/N]"), "{said}");
    assert_eq!(listed(&world, "netsuite.wasm").await["state"], "pending");
    let Some((code, said)) = at_terminal(&[], &grant, "y\n").await else { return };
    assert!(code == Some(0) && said.contains("granted to sha256"), "{said}");
    assert_eq!(listed(&world, "netsuite.wasm").await["state"], "active");
    replace(&file, &variant(&bytes, "third"));
    let same = stdout(&plugin(&world, &["grant", "netsuite", "--dry-run"]).await);
    assert!(same.contains("asks for no request that the version before may not make"), "{same}");
}

#[tokio::test]
async fn a_pipe_in_place_of_the_lock_file_changes_nothing_and_stops_nobody() {
    let mut world = World::start_with(by_hand()).await;
    stdout(&plugin(&world, &["grant", "hubspot"]).await);
    let lock = world.data().join("keyferry.lock");
    std::fs::remove_file(&lock).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
    let said = stderr(&plugin(&world, &["list"]).await);
    assert!(said.contains("keyferry.lock: it is a FIFO (named pipe)"), "{said}");
    assert_eq!(hubspot(&world).await, MIGRATED, "the server keeps the grants in memory");
    let said = stderr(&plugin(&world, &["grant", "slack"]).await);
    assert!(said.contains("it is a FIFO (named pipe)"), "{said}");
    assert!(world.server.terminate().await.success());
}
