//! The policies for rows that the sender of an import chooses.

use std::time::Instant;

use keyferry_tests::ACCOUNT;
use serde_json::{Value, json};

use super::shop::{Mood, Shop, good, row};

#[tokio::test]
async fn a_dry_run_verifies_and_stores_nothing() {
    let shop = Shop::open(&[]).await;
    let rows = [good(ACCOUNT), good("user_2"), row("user_3", "sk_test_wrong")];
    let import = shop.import("dry_run=true&create_accounts=true", &rows).await;
    assert_eq!(import["outcomes"], json!({"verified": 2, "rejected": 1}));
    assert_eq!(shop.account(ACCOUNT).await.unwrap()["integrations"], json!([]));
    assert!(shop.account("user_2").await.is_none());
    let id = import["id"].as_str().unwrap();
    assert_eq!(shop.change(id, "undo").await.status, 409, "there is nothing to undo");
}

#[tokio::test]
async fn what_is_there_is_updated_kept_or_updated_by_what_is_newer() {
    let shop = Shop::open(&[]).await;
    let first = shop.import("", &[good(ACCOUNT)]).await;
    assert_eq!(first["outcomes"], json!({"created": 1}));
    let changed = |at: Option<&str>| {
        let mut row = row(ACCOUNT, &format!("sk_test_ok_{ACCOUNT}"));
        if let Some(at) = at {
            row["updated_at"] = json!(at);
        }
        row
    };
    for (query, at, outcome) in [
        ("on_existing=skip", None, json!({"exists": 1})),
        ("on_existing=newer&again=true", Some("2001-01-01T00:00:00Z"), json!({"not_newer": 1})),
        ("on_existing=newer&again=true", Some("2201-01-01T00:00:00Z"), json!({"updated": 1})),
        ("on_existing=newer&again=true", None, json!({"updated_at_missing": 1})),
        ("on_existing=update&again=true", None, json!({"updated": 1})),
    ] {
        let before = shop.asked("stripe").len();
        let import = shop
            .import(&format!("{query}&again=true").replace("&again=true&again=true", "&again=true"), &[changed(at)])
            .await;
        assert_eq!(import["outcomes"], outcome, "{query} {at:?}");
        let asked = shop.asked("stripe").len() - before;
        assert_eq!(asked == 1, outcome.get("updated").is_some(), "a row that is not stored is not verified");
    }
}

#[tokio::test]
async fn accounts_are_made_only_where_that_is_asked_for_and_with_their_names() {
    let shop = Shop::open(&[]).await;
    let mut named = good("new_1");
    named["account_name"] = json!("New One");
    let hub = super::shop::hub("new_1");
    let refused = shop.import("", &[named.clone()]).await;
    assert_eq!(refused["outcomes"], json!({"account_missing": 1}));
    let import = shop.import("create_accounts=true", &[named, hub]).await;
    assert_eq!(import["outcomes"], json!({"created": 2}), "{import:#}");
    let account = shop.account("new_1").await.unwrap();
    assert_eq!(account["integrations"].as_array().unwrap().len(), 2);
    assert!(account.to_string().contains("New One") || account["name"].is_null(), "{account}");
}

#[tokio::test]
async fn another_accounts_credential_is_refused_or_replaces_the_stored_one() {
    let shop = Shop::open(&[]).await;
    shop.import("", &[good(ACCOUNT)]).await;
    let others = [row(ACCOUNT, "sk_test_ok_other")];
    assert_eq!(shop.import("", &others).await["outcomes"], json!({"other_account": 1}));
    assert_eq!(shop.import("account_change=replace&again=true", &others).await["outcomes"], json!({"updated": 1}));
    assert_eq!(shop.stored(ACCOUNT, "stripe", "api_key").await.as_deref(), Some("sk_test_ok_other"));
}

#[tokio::test]
async fn what_cannot_be_verified_is_stored_where_that_is_asked_for() {
    let shop = Shop::open(&[]).await;
    shop.set("stripe", Mood::Down);
    let import = shop.import("on_unverified=store", &[good(ACCOUNT)]).await;
    assert_eq!(import["outcomes"], json!({"created_unverified": 1}));
    let rows = [row(ACCOUNT, "sk_test_ok_another")];
    let refusing = Shop::open(&["--migrate-on-unverified-store", "deny"]).await;
    let answer = refusing.send("on_unverified=store", "application/x-ndjson", super::shop::ndjson(&rows)).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[tokio::test]
async fn an_import_stops_when_too_many_rows_fail_and_goes_on_when_it_is_told_to() {
    let shop = Shop::open(&["--import-rows-per-app", "1"]).await;
    let mut rows: Vec<Value> = (0..20).map(|n| row(ACCOUNT, &format!("sk_test_wrong_{n}"))).collect();
    for (n, row) in rows.iter_mut().enumerate() {
        row["linked_account_id"] = json!(format!("bad_{n}"));
    }
    rows.push(good(ACCOUNT));
    let stopped = shop.import("create_accounts=true&max_failures=5", &rows).await;
    assert_eq!(stopped["state"], "stopped", "{stopped:#}");
    assert!(stopped["reason"].as_str().unwrap().starts_with("5 rows have failed"), "{stopped:#}");
    let failed = stopped["counts"]["failed"].as_u64().unwrap();
    assert!((5..20).contains(&failed), "{stopped:#}");
    let id = stopped["id"].as_str().unwrap();
    let mut last = stopped.clone();
    while last["state"] == "stopped" {
        let before = last["counts"]["failed"].as_u64().unwrap();
        assert_eq!(shop.change(id, "resume").await.status, 200);
        last = shop.ended(id).await;
        assert!(last["state"] == "finished" || last["counts"]["failed"].as_u64().unwrap() > before, "{last:#}");
    }
    assert_eq!(last["outcomes"], json!({"rejected": 20, "created": 1}), "{last:#}");
}

#[tokio::test]
async fn rows_wait_where_providers_have_turned_as_many_credentials_away_as_may_be() {
    for mode in ["", "dry_run=true"] {
        let shop = Shop::open(&["--failed-verifications", "5"]).await;
        let began = Instant::now();
        let rows: Vec<Value> = (0..40).map(|n| row(&format!("bad_{n}"), &format!("sk_test_wrong_{n}"))).collect();
        let id = shop.begin(&format!("create_accounts=true&{mode}"), &rows).await;
        let waiting = shop.until(&id, |import| import["waiting"][0]["detail"].is_string()).await;
        let detail = waiting["waiting"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("turned away 5 credentials of this API key"), "{waiting:#}");
        assert_eq!((&waiting["state"], &waiting["waiting"][0]["reason"]), (&json!("running"), &json!("server")));
        // The import was created with this key, and counts for it.
        let request =
            shop.world.migrate_request(&json!({"slug": "stripe", "auth_object": good(ACCOUNT)["auth_object"]}));
        let refused = shop.world.send(request).await;
        assert_eq!(refused.status, 429, "{}", refused.text());
        let asked = shop.asked("stripe").len();
        let refilled = usize::try_from(began.elapsed().as_secs()).unwrap() * 5 / 60 + 1;
        assert!(asked >= 5 && asked <= 5 + refilled, "{asked} after {:?}", began.elapsed());
        assert_eq!(shop.change(&id, "cancel").await.status, 200);
        let ended = shop.ended(&id).await;
        let (failed, queued) = (&ended["counts"]["failed"], &ended["counts"]["queued"]);
        assert!(failed.as_u64().unwrap() >= 5 && queued.as_u64().unwrap() >= 30, "no row fails for it: {ended:#}");
    }
}

#[tokio::test]
async fn an_option_that_is_given_twice_or_too_late_is_refused() {
    let shop = Shop::open(&[]).await;
    let file = super::shop::ndjson(&[good(ACCOUNT)]);
    for query in [
        "account_change=reject&account_change=replace",
        "dry_run=true&dry%5Frun=false",
        "on_unverified=reject&from=native&on_unverified=store",
        "max_failures=1&max_failures=2",
    ] {
        let answer = shop.send(query, "application/x-ndjson", file.clone()).await;
        assert!(answer.status == 400 && answer.text().contains("is there twice"), "{query}: {}", answer.text());
    }
    let part =
        |name: &str, value: &str| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let sent = part("file", &file);
    let dry = part("dry_run", "true");
    for (query, parts, expected) in [
        ("", format!("{dry}{}{sent}", part("dry_run", "false")), "is there twice"),
        ("dry_run=false", format!("{dry}{sent}"), "is there twice"),
        ("", format!("{sent}{dry}"), "a part after the part `file`"),
        ("", format!("{sent}{sent}"), "a part after the part `file`"),
    ] {
        let answer = shop.send(query, "multipart/form-data; boundary=b", format!("{parts}--b--\r\n")).await;
        assert!(answer.status == 400 && answer.text().contains(expected), "{query}: {}", answer.text());
    }
    assert_eq!(shop.asked("stripe").len(), 0, "nothing was verified");
    let answer =
        shop.send("dry_run=true", "multipart/form-data; boundary=b", format!("{dry}{dry}{sent}--b--\r\n")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let import = shop.ended(answer.json()["id"].as_str().unwrap()).await;
    assert_eq!(import["outcomes"], json!({"verified": 1}));
}
