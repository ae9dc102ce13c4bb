//! The fields that a plugin reads: shown before it is granted, and named by the grant where a field looks secret.

use keyferry_tests::plugins::build;
use keyferry_tests::{ServerChange, World, WorldOptions};
use serde_json::json;

use crate::grants::{listed, plugin, stderr, stdout};

#[tokio::test]
async fn what_looks_secret_is_read_as_text_only_where_a_grant_names_it_and_all_that_is_read_is_shown() {
    let change: ServerChange = Box::new(|options| build("nosy", &options.plugins));
    let world = World::start_with(WorldOptions { server: Some(change), ..WorldOptions::default() }).await;
    let lock = || std::fs::read_to_string(world.data().join("keyferry.lock")).unwrap_or_default();
    let entry = listed(&world, "nosy.wasm").await;
    assert_eq!(entry["state"], "pending", "though this server grants on drop");
    let reason = entry["reason"].as_str().unwrap();
    assert!(reason.contains("keyferry plugin grant nosy --reads-text keybased.api_key"), "{reason}");
    let read = |field: &str| entry["reads"].as_array().unwrap().iter().find(|read| read["field"] == field).cloned();
    assert_eq!(read("subdomain").unwrap(), json!({"auth_type": "keybased", "field": "subdomain", "reads": "text"}));
    assert_eq!(read("api_key").unwrap()["looks_secret"], "its name has the word `key`");
    let token = json!({"auth_type": "keybased", "field": "token", "reads": "beginning", "hint": "^sk_(live|test)_"});
    assert_eq!(read("token").unwrap(), token);
    assert_eq!(entry["concerns"][0]["request"], "GET https://*.github.io/v1/me/*");

    let shown = stdout(&plugin(&world, &["grant", "nosy", "--dry-run"]).await);
    for line in [
        "reads as text: subdomain, api_key (looks secret: its name has the word `key`)",
        "sees the beginning of token (at most 12 characters, ^sk_(live|test)_)",
        "sees the beginning of password (at most 12 characters, (?s)^.{16})",
        "sees the end of site_key (at most 12 characters, -[a-z]{2}[0-9]$)",
        "asks for GET https://*.github.io/v1/me/* [many owners share this suffix: anyone can get a name below it]",
        "asks for GET https://api.nosy.example/v1/me/*\n",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    for (arguments, said) in [
        (&["grant", "nosy"][..], "--reads-text keybased.api_key"),
        (&["grant", "nosy", "--reads-text", "subdomain"], "--reads-text keybased.api_key"),
        (&["grant", "nosy", "--reads-text", "password"], "it reads no field \"password\" as text"),
        (&["grant", "nosy", "--reads-text", "oauth2.api_key"], "it reads no field"),
    ] {
        let refused = stderr(&plugin(&world, arguments).await);
        assert!(refused.contains(said), "{refused}");
        assert!(!lock().contains("nosy"), "{arguments:?} recorded a grant");
    }
    stdout(&plugin(&world, &["grant", "nosy", "--reads-text", "api_key"]).await);
    assert!(lock().contains("reads-text = [\"keybased.api_key\"]"), "{}", lock());
    assert_eq!(listed(&world, "nosy.wasm").await["state"], "active");
    let table = stdout(&plugin(&world, &["list"]).await);
    assert!(table.contains("\t5 fields, 1 that looks secret\t"), "{table}");
    // The temporary grant keeps the fields of the former grant.
    stdout(&plugin(&world, &["grant", "nosy", "--days", "30"]).await);

    let credential = json!({"keybased": {
        "password": "correct horse battery staple, correct horse battery staple",
        "token": "sk_live_0123456789abcdefghij", "site_key": "0123456789abcdef-us1",
    }});
    let answer = world.migrate("nosy", credential).await.text();
    assert!(answer.contains("it was shown nothing and sk/live/ and -us1"), "{answer}");
    let short = json!({"keybased": {"password": "hunter2", "token": "sk_live_01234567", "site_key": "0123-us1"}});
    let answer = world.migrate("nosy", short).await.text();
    assert!(answer.contains("it was shown nothing and nothing and nothing"), "{answer}");

    // An entry of an earlier version names no fields, so it allows none.
    let older: String =
        lock().lines().filter(|line| !line.starts_with("reads-text")).map(|line| format!("{line}\n")).collect();
    std::fs::write(world.data().join("keyferry.lock"), older).unwrap();
    assert_eq!(listed(&world, "nosy.wasm").await["state"], "pending");
}

#[tokio::test]
async fn a_hint_that_is_not_anchored_is_refused() {
    let change: ServerChange = Box::new(|options| build("careless", &options.plugins));
    let world = World::start_with(WorldOptions { server: Some(change), ..WorldOptions::default() }).await;
    let entry = listed(&world, "careless.wasm").await;
    assert_eq!(entry["state"], "refused");
    let reason = entry["reason"].as_str().unwrap();
    assert!(reason.starts_with("field `words.api_key`: its hint can match in the middle of the value"), "{reason}");
}
