//! `--json`: one document on stdout and nothing else, with stable names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use keyferry_mock_providers::apps::demo;
use keyferry_tests::{ACCOUNT, ORG, World, binary};
use serde_json::{Value, json};

/// The names of the members in the output of each command.
type Names = BTreeMap<String, BTreeSet<String>>;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/json_output.txt")
}

async fn run(world: &World, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
    command.args(arguments).current_dir(world.folder()).env("KEYFERRY_DATA", world.data());
    command.env("KEYFERRY_API_KEY", &world.api_key).env("KEYFERRY_SERVER", world.server.url());
    command.output().await.unwrap()
}

/// `a.b`, `[].c` for each member that is not an object or list, or an empty one.
fn names(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                names(value, format!("{path}.{name}").trim_start_matches('.'), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().for_each(|item| names(item, &format!("{path}[]"), found));
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// Runs a command with `--json`. Its output is one document, or with `lines` one per line.
async fn printed(world: &World, all: &mut Names, name: &str, rest: &[&str], lines: bool) -> Value {
    let words: Vec<&str> = name.split(' ').chain(rest.iter().copied()).chain(["--json"]).collect();
    let output = run(world, &words).await;
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{words:?}: {err}");
    let documents: Vec<Value> = match lines {
        true => out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        false => vec![serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}:\n{out}"))],
    };
    // All events but the last one depend on time.
    let last = documents.into_iter().next_back().unwrap();
    names(&last, "", all.entry(name.to_owned()).or_default());
    last
}

/// With `KEYFERRY_WRITE_EXAMPLES` set, the file of names is rewritten. A removed name breaks scripts.
#[tokio::test]
async fn each_command_prints_json_and_its_names_stay() {
    let world = World::start().await;
    let mut all = Names::new();
    let org = ["--org", ORG];
    printed(&world, &mut all, "api-key create", &["--org", ORG, "--environment", "test"], false).await;
    let keys = printed(&world, &mut all, "api-key list", &org, false).await;
    let mut shown =
        keys.as_array().unwrap().iter().map(|key| (key["id"].as_str().unwrap(), key["shown"].as_str().unwrap()));
    let (id, _) = shown.find(|(_, shown)| !world.api_key.starts_with(shown)).unwrap();
    printed(&world, &mut all, "api-key revoke", &[id, "--org", ORG], false).await;
    printed(&world, &mut all, "org list", &[], false).await;
    printed(&world, &mut all, "key rotate", &org, false).await;
    printed(&world, &mut all, "key reseal", &org, false).await;
    printed(&world, &mut all, "key list", &org, false).await;
    printed(&world, &mut all, "key disable", &["1", "--org", ORG], false).await;
    printed(&world, &mut all, "key destroy", &["1", "--org", ORG, "--yes"], false).await;
    let new_key = world.folder().join("new.key").display().to_string();
    printed(&world, &mut all, "key rewrap", &["--all", "--to-key-file", &new_key], false).await;

    let row = json!({"linked_account_id": ACCOUNT, "slug": "stripe",
        "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    fs::write(world.folder().join("rows.ndjson"), row.to_string()).unwrap();
    let end = printed(&world, &mut all, "import", &["rows.ndjson"], true).await;
    let id = end["import"]["id"].as_str().unwrap().to_owned();
    printed(&world, &mut all, "imports list", &[], false).await;
    printed(&world, &mut all, "imports show", &[&id], false).await;
    printed(&world, &mut all, "imports watch", &[&id], true).await;
    printed(&world, &mut all, "imports results", &[&id], true).await;
    printed(&world, &mut all, "imports confirm", &[&id], false).await;
    printed(&world, &mut all, "imports delete", &[&id], false).await;
    printed(&world, &mut all, "webhook list", &[], false).await;
    let client = ["hubspot", "--client-id", "3f0c9a52-6d1e-4b7a"];
    printed(&world, &mut all, "oauth-client put", &client, false).await;
    printed(&world, &mut all, "oauth-client list", &[], false).await;
    printed(&world, &mut all, "oauth-client show", &["hubspot"], false).await;
    printed(&world, &mut all, "oauth-client delete", &["hubspot"], false).await;
    printed(&world, &mut all, "whoami", &[], false).await;
    printed(&world, &mut all, "account list", &[], false).await;
    printed(&world, &mut all, "account show", &[ACCOUNT], false).await;
    printed(&world, &mut all, "credentials show", &[ACCOUNT, "stripe"], false).await;
    printed(&world, &mut all, "verify", &[ACCOUNT], false).await;
    let identity = age::x25519::Identity::generate().to_public().to_string();
    let reader = ["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read_credentials"];
    let reader = run(&world, &reader).await;
    let key = world.folder().join("reader.key");
    fs::write(&key, reader.stdout).unwrap();
    let key = key.display().to_string();
    let export = ["--recipient", &identity, "-o", "all.age", "--api-key-file", &key];
    printed(&world, &mut all, "export", &export, false).await;
    printed(&world, &mut all, "backup", &["all.kfb"], false).await;
    let (target, key) = (world.folder().join("restored").display().to_string(), world.data().join("keyferry.key"));
    let key = key.display().to_string();
    printed(&world, &mut all, "restore", &["all.kfb", "--data", &target, "--key-file", &key], false).await;
    let (from, to) = (format!("sled:{target}"), format!("sled:{target}-copy"));
    printed(&world, &mut all, "store copy", &["--from", &from, "--to", &to], false).await;
    printed(&world, &mut all, "audit verify", &org, false).await;
    printed(&world, &mut all, "audit export", &org, true).await;

    printed(&world, &mut all, "config check", &[], false).await;
    printed(&world, &mut all, "plugin list", &[], false).await;
    printed(&world, &mut all, "plugin grant", &["stripe"], false).await;
    printed(&world, &mut all, "plugin revoke", &["stripe"], false).await;
    printed(&world, &mut all, "plugin new", &["acme-crm"], false).await;
    let stripe = binary::plugins().join("stripe.wasm").display().to_string();
    printed(&world, &mut all, "plugin inspect", &[&stripe], false).await;
    printed(&world, &mut all, "plugin check", &[&stripe], false).await;

    let mut text = String::new();
    for (command, names) in &all {
        writeln!(text, "{command}").unwrap();
        names.iter().for_each(|name| writeln!(text, "  {name}").unwrap());
    }
    if std::env::var_os("KEYFERRY_WRITE_EXAMPLES").is_some() {
        fs::write(golden(), &text).unwrap();
    }
    assert_eq!(fs::read_to_string(golden()).unwrap(), text, "KEYFERRY_WRITE_EXAMPLES=1 writes it anew");
}
