//! Providers that are slow, refuse, or are down; and imports that are stopped.

use std::time::{Duration, Instant};

use keyferry_tests::ACCOUNT;
use keyferry_tests::metrics::Page;
use serde_json::{Value, json};

use super::shop::{Mood, Shop, good, hub, row, tenant};

#[tokio::test]
async fn a_provider_that_refuses_is_left_alone_for_as_long_as_it_says_and_no_row_fails() {
    let shop = Shop::open(&[]).await;
    shop.set("stripe", Mood::TooFast(5));
    let rows: Vec<Value> = (0..40).map(|n| good(&format!("user_{n}"))).collect();
    let id = shop.begin("create_accounts=true", &rows).await;
    let waiting = shop.until(&id, |import| import["counts"]["waiting"] == 40).await;
    assert_eq!(
        (&waiting["waiting"][0]["slug"], &waiting["waiting"][0]["reason"]),
        (&json!("stripe"), &json!("rate_limit"))
    );
    // Rows that had begun before the first refusal are still sent.
    let mut refused = shop.asked("stripe");
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let asked = shop.asked("stripe");
        if asked.len() == refused.len() {
            break;
        }
        refused = asked;
    }
    assert!(refused.len() <= 8, "of {} rows, a few found out", refused.len());
    let until = refused.last().unwrap().1 + Duration::from_millis(4900);
    shop.set("stripe", Mood::Works);
    let import = shop.ended(&id).await;
    assert_eq!(import["outcomes"], json!({"created": 40}));
    let early = shop.asked("stripe").into_iter().skip(refused.len()).filter(|(_, at)| *at < until).count();
    assert_eq!(early, 0, "requests before the time that the provider named");
}

/// Each tenant of Zendesk has a host of its own, which the credential names.
#[tokio::test]
async fn a_tenant_that_refuses_keeps_only_its_own_rows_waiting() {
    let shop = Shop::open(&[]).await;
    shop.set("busy", Mood::TooFast(600));
    let rows: Vec<Value> =
        (0..60).map(|n| tenant(&format!("user_{n}"), if n < 20 { "busy" } else { "calm" })).collect();
    let id = shop.begin("create_accounts=true", &rows).await;
    let waiting = shop
        .until(&id, |import| import["outcomes"] == json!({"created": 40}) && import["counts"]["waiting"] == 20)
        .await;
    assert_eq!(waiting["waiting"][0]["reason"], "rate_limit", "{waiting:#}");
    assert_eq!(shop.asked("busy").len(), 20, "each of them has found out for itself, once");
    assert_eq!(shop.change(&id, "cancel").await.status, 200);
}

#[tokio::test]
async fn a_provider_that_is_down_keeps_only_its_own_apps_rows_waiting() {
    let shop = Shop::open(&[]).await;
    shop.set("stripe", Mood::Down);
    let mut rows: Vec<Value> = (0..60).map(|n| good(&format!("user_{n}"))).collect();
    rows.extend((0..60).map(|n| hub(&format!("user_{n}"))));
    let id = shop.begin("create_accounts=true", &rows).await;
    let parked = shop
        .until(&id, |import| import["outcomes"] == json!({"created": 60}) && import["counts"]["waiting"] == 60)
        .await;
    assert_eq!(parked["state"], "running");
    assert_eq!(parked["waiting"][0]["reason"], "provider", "{parked:#}");
    assert!(shop.asked("stripe").len() < 30, "a provider that is down is not asked for each row");
    let ledger = shop.ledger(&id).await;
    assert_eq!(ledger.iter().filter(|row| row["state"] == "waiting").count(), 60);
    shop.set("stripe", Mood::Works);
    let import = shop.ended(&id).await;
    assert_eq!(import["outcomes"], json!({"created": 120}), "{import:#}");
}

#[tokio::test]
async fn an_import_pauses_when_a_provider_is_down_for_too_long() {
    let shop = Shop::open(&["--import-patience-seconds", "2"]).await;
    shop.set("stripe", Mood::Down);
    let mut rows: Vec<Value> = (0..20).map(|n| good(&format!("user_{n}"))).collect();
    rows.push(hub(ACCOUNT));
    let id = shop.begin("create_accounts=true", &rows).await;
    let paused = shop.ended(&id).await;
    assert_eq!((&paused["state"], &paused["counts"]["queued"]), (&json!("paused"), &json!(20)), "{paused:#}");
    assert!(paused["reason"].as_str().unwrap().contains("stripe has been down"), "{paused:#}");
    shop.set("stripe", Mood::Works);
    assert_eq!(shop.change(&id, "resume").await.status, 200);
    assert_eq!(shop.ended(&id).await["outcomes"], json!({"created": 21}));
}

#[tokio::test]
async fn only_rows_that_failed_for_a_reason_that_can_pass_are_tried_again() {
    let shop = Shop::open(&[]).await;
    shop.set("stripe", Mood::Down);
    // Fewer rows than it takes for a provider to count as down.
    let rows = [
        good(ACCOUNT),
        hub(ACCOUNT),
        json!({
            "linked_account_id": "user_2", "slug": "hubspot", "auth_object": {"oauth2": {"access_token": "hub-wrong"}},
        }),
    ];
    let import = shop.import("create_accounts=true", &rows).await;
    assert_eq!(import["outcomes"], json!({"created": 1, "provider_error": 1, "rejected": 1}), "{import:#}");
    let id = import["id"].as_str().unwrap();
    let failed = shop.ledger(id).await[0].clone();
    assert!(failed["attempts"].as_u64().unwrap() > 1 && failed["took_ms"].as_u64().unwrap() >= 500, "{failed}");
    shop.set("stripe", Mood::Works);
    let asked = shop.asked("hubspot").len();
    assert_eq!(shop.change(id, "retry-failed").await.status, 200);
    let import = shop.ended(id).await;
    assert_eq!(import["outcomes"], json!({"created": 2, "rejected": 1}), "{import:#}");
    assert_eq!(shop.asked("hubspot").len(), asked, "a rejected row is not tried again");
    assert_eq!(shop.change(id, "resume").await.status, 409);
}

#[tokio::test]
async fn an_import_is_paused_resumed_and_cancelled() {
    let shop = Shop::open(&["--import-rows-per-app", "1"]).await;
    let rows: Vec<Value> = (0..400).map(|n| good(&format!("user_{n}"))).collect();
    let id = shop.begin("create_accounts=true", &rows).await;
    let paused = shop.change(&id, "pause").await;
    assert_eq!(paused.status, 200, "{}", paused.text());
    let paused = shop.show(&id).await;
    let queued = paused["counts"]["queued"].as_u64().unwrap();
    assert!(paused["state"] == "paused" && queued > 0, "{paused:#}");
    let asked = shop.asked("stripe").len();
    assert_eq!(asked as u64, 400 - queued, "nothing is under way once it is paused");
    assert_eq!(shop.change(&id, "pause").await.status, 409);
    assert_eq!(shop.change(&id, "undo").await.status, 409, "it has not ended");
    assert_eq!(shop.change(&id, "resume").await.status, 200);
    shop.until(&id, |import| import["counts"]["queued"].as_u64().unwrap() < queued).await;
    assert_eq!(shop.change(&id, "cancel").await.status, 200);
    let cancelled = shop.show(&id).await;
    assert_eq!(cancelled["state"], "cancelled");
    let (done, queued) = (&cancelled["counts"]["done"], &cancelled["counts"]["queued"]);
    assert_eq!(done.as_u64().unwrap() + queued.as_u64().unwrap(), 400, "{cancelled:#}");
    assert_eq!(shop.change(&id, "resume").await.status, 409);
    let other = shop.import("create_accounts=true", &[row("user_1", "sk_test_ok_user_1")]).await;
    assert_eq!(other["state"], "finished", "others are not touched");
}

/// A request that arrives during a transaction waits for all of it.
#[tokio::test]
async fn a_file_that_arrives_while_somebody_waits_is_stored_in_small_parts() {
    let shop = Shop::open(&["--metrics-listen=127.0.0.1:0"]).await;
    // Nothing is verified: each row has failed when it is stored.
    let rows: Vec<Value> = (0..512)
        .map(|n| json!({"linked_account_id": format!("user_{n}"), "slug": "nowhere", "auth_object": {}}))
        .collect();
    let commits = async |query: &str| {
        let before = Page::of(&shop.world.server).await.sum("keyferry_store_batch_writes_count", &[]);
        let import = shop.import(query, &rows).await;
        assert_eq!(import["outcomes"], json!({"unknown_app": 512}), "{import:#}");
        Page::of(&shop.world.server).await.sum("keyferry_store_batch_writes_count", &[]) - before
    };
    // On a busy machine the count may include other transactions, or one transaction several parts: then it is measured
    // again.
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        // The requests that created this world are recent, and count, too.
        let alone = loop {
            let alone = commits("create_accounts=true&again=true").await;
            if alone < 16.0 {
                break alone;
            }
            assert!(Instant::now() < deadline, "{alone} transactions without a waiting request");
        };
        shop.set("stripe", Mood::Slow(Duration::from_secs(15)));
        let asked = shop.asked("stripe").len();
        let waiting = shop.world.migrate("stripe", json!({"keybased": {"api_key": "sk_test_ok_1"}}));
        let beside = tokio::select! {
            // On a busy machine the import may take longer than the provider.
            _ = waiting => continue,
            beside = async {
                while shop.asked("stripe").len() == asked {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                commits("create_accounts=true&again=true").await
            } => beside,
        };
        if beside >= alone + 10.0 {
            return;
        }
        assert!(Instant::now() < deadline, "{beside} transactions, and {alone} without a waiting request");
    }
}

#[tokio::test]
async fn while_somebody_waits_rows_begin_though_those_before_them_wait_for_their_provider() {
    let shop = Shop::open(&[]).await;
    let slow = Duration::from_secs(2);
    shop.set("hubspot", Mood::Slow(slow));
    shop.set("stripe", Mood::Slow(Duration::from_secs(60)));
    let waiting = shop.world.migrate("stripe", json!({"keybased": {"api_key": "sk_test_ok_1"}}));
    let import = async {
        while shop.asked("stripe").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The initial concurrency for an app whose provider's capacity is not known yet.
        let rows: Vec<Value> = (0..4).map(|n| hub(&format!("user_{n}"))).collect();
        shop.import("create_accounts=true", &rows).await
    };
    let import = tokio::select! {
        answer = waiting => panic!("it does not wait: {}", answer.text()),
        import = import => import,
    };
    assert_eq!(import["outcomes"], json!({"created": 4}), "{import:#}");
    let asked = shop.asked("hubspot");
    let (first, last) = (asked[0].1, asked[3].1);
    assert!(last - first < slow, "the last one began {:?} after the first one", last - first);
}
