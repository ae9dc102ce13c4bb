//! `keyferry import` and `keyferry imports`, as a person or a program uses them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keyferry_tests::ACCOUNT;
use keyferry_tests::terminal::at_terminal;
use serde_json::{Value, json};

use super::shop::{Mood, Shop, good, ndjson, row};

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) async fn run(shop: &Shop, arguments: &[&str]) -> Ran {
    run_as(shop, &shop.world.api_key, arguments).await
}

async fn run_as(shop: &Shop, key: &str, arguments: &[&str]) -> Ran {
    let (code, out, err) = shop.world.client(key, arguments).await;
    Ran { code, out, err }
}

pub(crate) fn file(shop: &Shop, name: &str, content: &str) -> String {
    let path = shop.world.folder().join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_person_imports_a_file_corrects_what_failed_and_imports_that() {
    let shop = Shop::open(&[]).await;
    let csv = "linked_account_id,slug,auth_type,api_key\nuser_1,stripe,keybased,sk_test_ok_user_1\n\
               user_2,stripe,keybased,sk_test_wrong\nuser_3,strip,keybased,sk_test_ok_user_3\n";
    let path = file(&shop, "rows.csv", csv);
    let ran = run(&shop, &["import", "--create-accounts", &path]).await;
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    for part in ["stripe", "created", "rejected", "unknown_app", "is finished; 3 rows"] {
        assert!(ran.out.contains(part), "{part}:\n{}", ran.out);
    }
    let failures = format!("{path}.failures.csv");
    assert!(ran.err.contains(&failures), "{}", ran.err);
    assert_eq!(fs::metadata(&failures).unwrap().permissions().mode() & 0o777, 0o600);
    let written = fs::read_to_string(&failures).unwrap();
    assert!(written.contains("sk_test_wrong") && written.contains("unknown_app"), "{written}");
    assert!(!written.contains("sk_test_ok_user_1"), "only what failed");
    let corrected = written.replace("sk_test_wrong", "sk_test_ok_user_2").replace(",strip,", ",stripe,");
    let again = file(&shop, "corrected.csv", &corrected);
    let ran = run(&shop, &["import", "--create-accounts", &again]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert_eq!(shop.stored("user_3", "stripe", "api_key").await.as_deref(), Some("sk_test_ok_user_3"));
    let listed = run(&shop, &["imports", "list"]).await;
    assert!(listed.out.contains("rows.csv") && listed.out.contains("corrected.csv"), "{}", listed.out);
    assert!(listed.out.starts_with("import\tfile\trows\tstate\tbegun\tundo\n"), "{}", listed.out);
    assert!(listed.out.lines().all(|line| line.split('\t').count() == 6), "{}", listed.out);
    assert!(listed.out.contains("\trows.csv\t3: 1 stored, 2 failed\tfinished\t"), "{}", listed.out);
    let dry_run = ["import", "--dry-run", "--again", "--on-unverified", "store", &again];
    assert_eq!(run(&shop, &dry_run).await.code, Some(0));
    let listed = run(&shop, &["imports", "list"]).await;
    let newest = listed.out.lines().nth(1).unwrap();
    assert!(newest.contains("\t2: 2 verified\tfinished, dry run, unverified stored\t"), "{newest}");
    let listed: Value = serde_json::from_str(&run(&shop, &["imports", "list", "--json"]).await.out).unwrap();
    let counts = json!({"queued": 0, "waiting": 0, "done": 2, "skipped": 0, "failed": 0, "undone": 0, "kept": 0});
    assert_eq!((&listed[0]["counts"], &listed[0]["policy"]["mode"]), (&counts, &json!("dry-run")));
}

#[tokio::test]
async fn a_program_reads_events_and_an_exit_code() {
    let shop = Shop::open(&[]).await;
    let rows: Vec<Value> = (0..20).map(|n| good(&format!("user_{n}"))).collect();
    let path = file(&shop, "rows.ndjson", &ndjson(&rows));
    let ran = run(&shop, &["import", "--json", "--create-accounts", &path]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let events: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "accepted");
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["import"]["counts"]["done"]), (&json!("end"), &json!(20)));
    assert_eq!(ran.err, "", "nothing for people among it");
    let id = end["import"]["id"].as_str().unwrap();
    let results = run(&shop, &["imports", "results", id, "--after", "18"]).await;
    assert_eq!(results.out.lines().count(), 2);
    let undo = run(&shop, &["imports", "undo", id, "--json"]).await;
    assert_eq!(undo.code, Some(0), "{}", undo.err);
    let watched = run(&shop, &["imports", "watch", id, "--json"]).await;
    assert_eq!(watched.code, Some(0), "{}", watched.err);
    assert!(shop.account("user_3").await.is_none());
}

#[tokio::test]
async fn an_import_that_stops_ends_with_four_and_says_how_to_go_on() {
    let shop = Shop::open(&["--import-patience-seconds", "1"]).await;
    shop.set("stripe", Mood::Down);
    let rows: Vec<Value> = (0..10).map(|n| good(&format!("user_{n}"))).collect();
    let path = file(&shop, "rows.ndjson", &ndjson(&rows));
    let ran = run(&shop, &["import", "--create-accounts", "--progress", "lines", &path]).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("is paused: stripe has been down") && ran.out.contains("not done"), "{}", ran.out);
}

#[tokio::test]
async fn what_one_installation_exports_another_imports_and_nobody_reads_on_the_way() {
    let (from, to) = (Shop::open(&[]).await, Shop::open(&[]).await);
    let mut named = good("user_2");
    named["account_name"] = json!("Second");
    assert_eq!(from.import("create_accounts=true", &[good(ACCOUNT), named]).await["counts"]["done"], 2);
    let make = ["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read_credentials"];
    let (_, reader, _) = from.world.command(&make).await;
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let moving = from.world.folder().join("moving.age").display().to_string();
    let export = ["export", "--recipient", &recipient, "--output", &moving];

    let refused = run(&from, &export).await;
    assert!(refused.code == Some(1) && refused.err.contains("read_credentials"), "{}", refused.err);
    assert!(!Path::new(&moving).exists(), "a refused export leaves no file");
    let ran = run_as(&from, reader.trim(), &export).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.starts_with("2 credentials are in "), "{}", ran.out);
    let written = fs::read(&moving).unwrap();
    assert!(written.starts_with(b"age-encryption.org/v1"));
    assert!(!written.windows(8).any(|part| part == b"sk_test_"), "no credential in plain");
    assert_eq!(fs::metadata(&moving).unwrap().permissions().mode() & 0o777, 0o600);
    let again = run_as(&from, reader.trim(), &export).await;
    assert!(
        again.code == Some(1) && fs::read(&moving).unwrap() == written,
        "a file that is there stays: {}",
        again.err
    );
    let (_, trail, _) = from.world.command(&["audit", "export", "--org", "acme"]).await;
    assert_eq!(trail.lines().filter(|line| line.contains("credential_read")).count(), 2);

    let locked = run(&to, &["import", "--create-accounts", &moving]).await;
    assert!(locked.code == Some(1) && locked.err.contains("--identity"), "{}", locked.err);
    let wrong = file(&to, "wrong.key", &secret(&age::x25519::Identity::generate()));
    let locked = run(&to, &["import", "--create-accounts", "--identity", &wrong, &moving]).await;
    assert!(locked.code == Some(1) && locked.err.contains("cannot be decrypted"), "{}", locked.err);
    let right = file(&to, "right.key", &secret(&identity));
    let ran = run(&to, &["import", "--create-accounts", "--identity", &right, &moving]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    for account in [ACCOUNT, "user_2"] {
        let key = format!("sk_test_ok_{account}");
        assert_eq!(to.stored(account, "stripe", "api_key").await, Some(key));
    }
}

/// A key of age as `age-keygen` writes it.
pub(crate) fn secret(identity: &age::x25519::Identity) -> String {
    use age::secrecy::ExposeSecret as _;
    identity.to_string().expose_secret().to_owned()
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_asked_for_at_a_terminal() {
    let shop = Shop::open(&[]).await;
    let path = file(&shop, "rows.ndjson", &ndjson(&[good("user_9")]));
    assert_eq!(run(&shop, &["import", "--create-accounts", &path]).await.code, Some(0));
    let listed: Value = serde_json::from_str(&run(&shop, &["imports", "list", "--json"]).await.out).unwrap();
    let id = listed[0]["id"].as_str().unwrap();
    let environment = [
        ("KEYFERRY_API_KEY".to_owned(), shop.world.api_key.clone()),
        ("KEYFERRY_SERVER".to_owned(), format!("http://{}", shop.world.server.address())),
    ];
    for (command, typed, code, expected) in [
        ("undo", "n\n", 1, "Undo import"),
        ("confirm", "\n", 1, "it cannot be undone any more"),
        ("delete", "nonsense\n", 1, "(rows.ndjson, 1 rows, finished)? Its ledger"),
        ("undo", "y\n", 0, "[y/N]"),
    ] {
        assert!(shop.account("user_9").await.is_some(), "{command} {typed:?}");
        let Some((ended, said)) = at_terminal(&environment, &["imports", command, id], typed).await else { return };
        assert!(ended == Some(code) && said.contains(expected), "{command} {typed:?}: {ended:?} {said}");
        assert_eq!(said.contains("is as it was"), code == 1, "{said}");
    }
    assert_eq!(run(&shop, &["imports", "watch", id]).await.code, Some(0));
    assert!(shop.account("user_9").await.is_none());
    let Some((ended, said)) = at_terminal(&environment, &["imports", "delete", id, "--yes"], "").await else { return };
    assert!(ended == Some(0) && !said.contains("[y/N]"), "{said}");
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_sent() {
    let shop = Shop::open(&[]).await;
    let path = file(&shop, "rows.ndjson", &ndjson(&[good(ACCOUNT), row("user_2", "x")]));
    let folder = shop.world.folder().display().to_string();
    for (arguments, part) in [
        (&["import", "/nowhere/rows.csv"][..], "/nowhere/rows.csv"),
        (&["import", &folder], "is a folder"),
        (&["import", "--from", "zapier", &path], "zapier"),
        (&["import", "--map", "nonsense", &path], "no rule such as"),
        (&["import", "--max-failures", "0", &path], "1% to 100%"),
        (&["imports", "show", "nonsense"], "24 hex digits"),
        (&["imports", "show", "0123456789abcdef01234567"], "no such import"),
        (&["import", "--server", "ftp://x", &path], "it begins with http:// or https://"),
    ] {
        let ran = run(&shop, arguments).await;
        assert!(ran.code != Some(0) && ran.err.contains(part), "{arguments:?}: {}", ran.err);
    }
    assert!(Path::new(&path).exists());
    assert!(shop.asked("stripe").is_empty());
}

#[tokio::test]
async fn a_header_that_cannot_be_used_is_told_with_arguments_to_paste() {
    let shop = Shop::open(&[]).await;
    let csv = "\u{feff}sep=;\r\nCustomer No.;App;Auth Kind;API Key;;\r\nuser_1;Stripe;KeyBased;sk_test_ok_user_1;;\r\n;;;;;\r\n\
               user_2;Strype;KeyBased;sk_test_ok_user_2;;\r\n";
    let path = file(&shop, "rows.csv", csv);
    let ran = run(&shop, &["import", "--create-accounts", &path]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let said = "the file has `Customer No.`, `App`, `Auth Kind`, `API Key`; say which is which: ";
    let pasted = "--map 'Customer No.=linked_account_id' --map App=slug --map 'Auth Kind=auth_type'";
    assert!(ran.err.contains(&format!("{said}{pasted}")), "{}", ran.err);
    let words = ["--map", "Customer No.=linked_account_id", "--map", "App=slug", "--map", "Auth Kind=auth_type"];
    let ran = run(&shop, &[&["import", "--create-accounts"][..], &words, &[&path]].concat()).await;
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    assert_eq!(shop.stored("user_1", "stripe", "api_key").await.as_deref(), Some("sk_test_ok_user_1"));
    let written = fs::read_to_string(format!("{path}.failures.csv")).unwrap();
    assert!(written.contains("`stripe` may be meant: --map slug:Strype=stripe"), "{written}");
    let help = run(&shop, &["import", "--help"]).await.out;
    for rule in ["customer=linked_account_id", "hubspot/key=access_token", "slug:=hubspot", "comment="] {
        assert!(help.contains(rule), "{rule}: {help}");
    }
}

#[tokio::test]
async fn tokens_that_end_soon_and_cannot_be_renewed_are_counted_with_what_to_change() {
    let shop = Shop::open(&[]).await;
    let connection = |account: &str, refresh: Option<&str>| {
        json!({
            "connection_id": account, "provider": "hubspot", "provider_config_key": "hubspot",
            "credentials": {
                "type": "OAUTH2", "access_token": format!("hub-ok-{account}"), "refresh_token": refresh,
                "expires_at": "2024-05-06T07:08:09.000Z",
            },
        })
    };
    let export = json!({"connections": [connection("user_1", None), connection("user_2", Some("r"))]});
    let path = file(&shop, "nango.json", &export.to_string());
    let ran = run(&shop, &["import", "--from", "nango", "--create-accounts", &path]).await;
    assert!(ran.out.contains("1 of 2 rows have an OAuth access token that had ended"), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("?refresh_token=true"), "{}", ran.out);
    let ran = run(&shop, &["import", "--from", "nango", "--json", "--again", &path]).await;
    let end: Value = serde_json::from_str(ran.out.lines().rfind(|line| line.contains("\"end\"")).unwrap()).unwrap();
    assert_eq!((&end["import"]["ending_soon"], &end["import"]["from"]), (&json!(1), &json!("nango")), "{end}");
    assert!(end["import"]["ending_soon_advice"].as_str().unwrap().contains("read_credentials"), "{end}");
}
