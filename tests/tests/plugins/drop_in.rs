//! The plugin folder: a file dropped in, replaced, broken or taken away takes effect while the server runs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::{Grants, World, WorldOptions, binary, run};
use serde_json::json;

fn hubspot() -> serde_json::Value {
    json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}})
}

/// Sends requests until the response satisfies a condition, or the deadline has passed.
async fn until(world: &World, slug: &str, auth_object: serde_json::Value, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = world.migrate(slug, auth_object.clone()).await;
        if answer.text().contains(what) {
            return;
        }
        assert!(Instant::now() < deadline, "still {} instead of {what}", answer.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_plugin_is_dropped_in_replaced_and_removed_while_requests_run() {
    let world = World::start().await;
    let (slack, away) = (world.plugins().join("slack.wasm"), world.folder().join("slack.away"));
    let token = json!({"keybased": {"bot_token": demo::SLACK_BOT_TOKEN}});
    std::fs::rename(&slack, &away).unwrap();
    until(&world, "slack", token.clone(), "no app with the slug").await;
    std::fs::copy(&away, &slack).unwrap();
    until(&world, "slack", token.clone(), "\"success\":true").await;
    // With a bad file, the last good version continues to serve, and so do the other plugins.
    std::fs::write(&slack, b"not a component").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !world.server.logs().contains("plugin refused") {
        assert!(Instant::now() < deadline, "the bad file was not noticed");
        assert_eq!(world.migrate("hubspot", hubspot()).await.status, 200);
    }
    assert_eq!(world.migrate("slack", token).await.status, 200);
}

#[tokio::test]
async fn a_plugin_waits_until_the_operator_grants_what_it_asks_for() {
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| options.grants = Grants::ByHand);
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let waits = world.migrate("hubspot", hubspot()).await;
    assert!(waits.text().contains("keyferry plugin grant hubspot"), "{}", waits.text());
    let data = world.data().display().to_string();
    let granted = run(["plugin", "grant", "hubspot", "--data", &data]).await;
    let shown = String::from_utf8_lossy(&granted.stdout).into_owned();
    assert!(granted.status.success() && shown.contains("https://api.hubapi.com/account-info/v3/details"), "{shown}");
    assert_eq!(
        world.migrate("hubspot", hubspot()).await.text(),
        r#"{"success":true,"message":"Token migrated successfully"}"#
    );
    let _ = binary::keyferry();
}

#[tokio::test]
async fn a_file_whose_name_cannot_be_shown_is_refused_by_name_and_escaped_wherever_it_is_told() {
    let world = World::start().await;
    let component = std::fs::read(world.plugins().join("hubspot.wasm")).unwrap();
    let names: [(&[u8], &str); 6] = [
        (b"a\xff\xfe.wasm", "a\\xff\\xfe.wasm"),
        (b"b\x1b[2J\x1b]0;owned\x07.wasm", "b\\u{1b}[2J\\u{1b}]0;owned\\u{7}.wasm"),
        (b"c\nplugin serves.wasm", "c\\nplugin serves.wasm"),
        ("d\u{202e}tobpsuh.wasm".as_bytes(), "d\\u{202e}tobpsuh.wasm"),
        ("e\u{200b}.wasm".as_bytes(), "e\\u{200b}.wasm"),
        (b"f\\xff.wasm", "f\\\\xff.wasm"),
    ];
    for (name, _) in names {
        std::fs::write(world.plugins().join(OsStr::from_bytes(name)), &component).unwrap();
    }
    let fifo = world.plugins().join("pipe.wasm");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let large = std::fs::File::create(world.plugins().join("large.wasm")).unwrap();
    large.set_len(1 << 40).unwrap();

    let (code, stdout, stderr) = world.command(&["plugin", "list", "--json"]).await;
    assert_eq!(code, Some(0), "{stderr}");
    let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let find = |end: &str| {
        let found = list.as_array().unwrap().iter().find(|entry| entry["file"].as_str().unwrap().ends_with(end));
        found.unwrap_or_else(|| panic!("{end} in {list:#}")).clone()
    };
    for (_, shown) in names {
        let entry = find(&format!("/{shown}"));
        assert_eq!((&entry["state"], &entry["digest"]), (&json!("refused"), &json!(null)), "{entry}");
        assert!(entry["reason"].as_str().unwrap().contains("its name is not plain text"), "{entry}");
    }
    assert!(find("pipe.wasm")["reason"].as_str().unwrap().contains("FIFO"));
    assert!(find("large.wasm")["reason"].as_str().unwrap().contains("larger than"));
    assert_eq!(find("hubspot.wasm")["state"], "active");

    let (_, table, _) = world.command(&["plugin", "list"]).await;
    let (_, _, check) = world.command(&["plugin", "list", "--check"]).await;
    let (_, _, grant) = world.command(&["plugin", "grant", "b\\u{1b}[2J\\u{1b}]0;owned\\u{7}.wasm"]).await;
    assert!(grant.contains("its name is not plain text"), "{grant}");
    for text in [table, check, grant, world.server.logs()] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{200b}']), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("plugin serves")), "{text}");
        assert!(text.contains("b\\u{1b}[2J"), "{text}");
    }
    // The command escapes such a file name in its output as well.
    let named = world.plugins().join(OsStr::from_bytes(b"b\x1b[2J\x1b]0;owned\x07.wasm"));
    std::fs::write(&named, b"broken").unwrap();
    for command in [&["plugin", "check"][..], &["plugin", "inspect"], &["plugin", "test"]] {
        let output = run(command.iter().map(|word| OsStr::new(*word)).chain([named.as_os_str()])).await;
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.contains(&0x1b) && !said.contains(&0x07), "{}", String::from_utf8_lossy(&said));
    }
}
