//! Rows with a defect of their own that looks like an outage of their provider: no other row is delayed by them.

use futures_util::future::join_all;
use keyferry_tests::form::Form;
use serde_json::{Value, json};

use super::shop::{Mood, Shop, good, row, site, tenant};

/// A row whose credential makes Stripe fail.
fn bad(number: usize) -> Value {
    row(&format!("user_{number}"), &format!("sk_test_bad_{number}"))
}

/// Rows in an order: `x` is a bad one, any other character a good one.
fn stripes(order: &str) -> Vec<Value> {
    order.chars().enumerate().map(|(n, c)| if c == 'x' { bad(n) } else { good(&format!("user_{n}")) }).collect()
}

fn count(order: &str, kind: char) -> usize {
    order.chars().filter(|c| *c == kind).count()
}

#[tokio::test]
async fn tenants_that_are_not_there_fail_each_by_itself_and_the_others_are_done() {
    let shop = Shop::open(&[]).await;
    let dead = |n: usize| match n % 4 {
        0 => tenant(&format!("user_{n}"), "closed"),
        1 => tenant(&format!("user_{n}"), "another"),
        _ => tenant(&format!("user_{n}"), &format!("tstdead{n}")),
    };
    let calm = |n: usize| tenant(&format!("user_{n}"), "calm");
    let head: Vec<Value> = (0..45).map(dead).chain((45..55).map(calm)).collect();
    let mixed: Vec<Value> = (0..60).map(|n| if n % 6 == 5 { calm(n) } else { dead(n) }).collect();
    let many: Vec<Value> =
        (0..120).map(|n| tenant(&format!("user_{n}"), &format!("gone{n}"))).chain((120..130).map(calm)).collect();
    for (rows, verified, unreachable) in [(head, 10, 45), (mixed, 10, 50), (many, 10, 120)] {
        let import = shop.import("create_accounts=true&dry_run=true", &rows).await;
        assert_eq!(import["state"], "finished", "{import:#}");
        assert_eq!(import["outcomes"], json!({"verified": verified, "unreachable": unreachable}), "{import:#}");
        for failed in shop.ledger(import["id"].as_str().unwrap()).await {
            if failed["state"] == "failed" {
                let detail = failed["detail"].as_str().unwrap();
                assert!(!detail.starts_with("circuit breaker"), "{failed}");
                assert!(failed["attempts"].as_u64().unwrap() <= 5, "{failed}");
            }
        }
    }
}

/// In any order and number, for an app with one host for all rows. Each order has its own server, because most of the
/// time is spent waiting for the provider: a second for each failed row, once its host counts as down.
#[tokio::test]
async fn credentials_that_a_provider_fails_are_settled_and_the_others_are_done() {
    let (some, many) = Form::current().of((8, 25), (20, 120));
    let orders = [
        "x".repeat(5) + &"o".repeat(10),
        "xo".repeat(some),
        "x".repeat(some) + &"o".repeat(5) + &"x".repeat(some),
        "o".repeat(5) + &"x".repeat(some + 10),
        "x".repeat(many) + "ooo",
    ];
    join_all(orders.iter().map(|order| async move {
        let shop = Shop::open(&[]).await;
        shop.set("stripe", Mood::DownForSome);
        let import = shop.import("create_accounts=true&dry_run=true", &stripes(order)).await;
        assert_eq!(import["state"], "finished", "{order}: {import:#}");
        let (verified, failed) = (count(order, 'o'), count(order, 'x'));
        assert_eq!(import["outcomes"], json!({"verified": verified, "provider_error": failed}), "{order}: {import:#}");
    }))
    .await;
}

#[tokio::test]
async fn credentials_that_a_provider_never_answers_keep_no_other_from_being_done() {
    let shop = Shop::open(&["--sandbox-wall-seconds", "2"]).await;
    shop.set("stripe", Mood::SilentForSome);
    let import = shop.import("create_accounts=true", &stripes("xxxxxxxxxxxxooooo")).await;
    assert_eq!(import["outcomes"], json!({"created": 5, "unreachable": 12}), "{import:#}");
    assert_eq!(import["state"], "finished", "{import:#}");
}

/// An app with several fixed hosts: only the rows of a host that is down wait.
#[tokio::test]
async fn a_host_that_is_not_there_keeps_no_rows_of_the_apps_other_hosts_waiting() {
    let shop = Shop::open(&["--import-patience-seconds", "20"]).await;
    let row = |n: usize| site(&format!("user_{n}"), if n < 200 { "ddog-gov.com" } else { "datadoghq.eu" });
    let rows: Vec<Value> = (0..230).map(row).collect();
    let id = shop.begin("create_accounts=true", &rows).await;
    let import = shop.until(&id, |import| import["outcomes"]["created"] == 30 || import["state"] != "running").await;
    assert_eq!((&import["state"], &import["outcomes"]), (&json!("running"), &json!({"created": 30})), "{import:#}");
    let paused = shop.ended(&id).await;
    assert_eq!((&paused["state"], &paused["counts"]["queued"]), (&json!("paused"), &json!(200)), "{paused:#}");
    assert!(paused["reason"].as_str().unwrap().contains("api.ddog-gov.com"), "{paused:#}");
}

#[tokio::test]
async fn a_tenant_that_refuses_many_rows_keeps_no_other_tenants_rows_waiting() {
    let shop = Shop::open(&[]).await;
    shop.set("busy", Mood::TooFast(600));
    let row = |n: usize| tenant(&format!("user_{n}"), if n < 600 { "busy" } else { "calm" });
    let rows: Vec<Value> = (0..605).map(row).collect();
    let id = shop.begin("create_accounts=true", &rows).await;
    let waiting = shop
        .until(&id, |import| import["outcomes"] == json!({"created": 5}) && import["counts"]["waiting"] == 600)
        .await;
    assert_eq!(waiting["waiting"][0]["reason"], "rate_limit", "{waiting:#}");
    assert_eq!(shop.change(&id, "cancel").await.status, 200);
}

/// Most limits are per credential: rows of other credentials are tried after a while, though `Retry-After` is long.
#[tokio::test]
async fn a_credential_whose_own_limit_is_used_up_keeps_no_other_from_being_done() {
    let shop = Shop::open(&[]).await;
    shop.set("stripe", Mood::TooFastForSome(3600));
    let id = shop.begin("create_accounts=true", &stripes("xoooxooooo")).await;
    let waiting = shop.until(&id, |import| import["outcomes"] == json!({"created": 8})).await;
    assert_eq!(waiting["state"], "running");
    let waiting = shop.until(&id, |import| import["counts"]["waiting"] == 2).await;
    assert_eq!(waiting["waiting"][0]["reason"], "rate_limit", "{waiting:#}");
    assert_eq!(shop.change(&id, "cancel").await.status, 200);
}

#[tokio::test]
async fn a_row_that_waits_says_why_since_when_and_when_it_is_tried_next() {
    let shop = Shop::open(&[]).await;
    shop.set("stripe", Mood::Down);
    shop.set("busy", Mood::TooFast(600));
    let mut rows: Vec<Value> = (0..12).map(|n| good(&format!("user_{n}"))).collect();
    rows.push(tenant("user_12", "busy"));
    let id = shop.begin("create_accounts=true", &rows).await;
    let import = shop.until(&id, |import| import["counts"]["waiting"] == 13).await;
    for waiting in import["waiting"].as_array().unwrap() {
        assert!(waiting["detail"].as_str().unwrap().len() > 3 && waiting["since"].is_string(), "{waiting}");
        assert!(waiting["until"].as_str() > waiting["since"].as_str(), "{waiting}");
    }
    let ledger = shop.ledger(&id).await;
    for row in &ledger {
        assert!(row["state"] == "waiting" && row["waiting_since"].is_string(), "{row}");
        let words = if row["slug"] == "stripe" { "503" } else { "429" };
        assert!(row["detail"].as_str().unwrap().contains(words), "{row}");
    }
    let busy = &ledger[12];
    assert!(busy["next_try_at"].is_string() && busy["attempts"] == 1, "{busy}");
    assert_eq!(shop.change(&id, "cancel").await.status, 200);
    assert!(shop.ledger(&id).await.iter().all(|row| row["waiting_since"].is_null()), "nothing waits any more");
}

#[tokio::test]
async fn an_import_that_gave_up_makes_progress_when_it_is_resumed() {
    let shop = Shop::open(&["--import-patience-seconds", "2"]).await;
    shop.set("stripe", Mood::Down);
    let id = shop.begin("create_accounts=true", &stripes("xxxxxxxoooxxx")).await;
    let paused = shop.ended(&id).await;
    assert_eq!((&paused["state"], &paused["counts"]["queued"]), (&json!("paused"), &json!(13)), "{paused:#}");
    let reason = paused["reason"].as_str().unwrap();
    assert!(reason.contains("503") && reason.contains("resume"), "{reason}");
    shop.set("stripe", Mood::DownForSome);
    assert_eq!(shop.change(&id, "resume").await.status, 200);
    let import = shop.ended(&id).await;
    assert_eq!(import["outcomes"], json!({"created": 3, "provider_error": 10}), "{import:#}");
    shop.set("stripe", Mood::Works);
    assert_eq!(shop.change(&id, "retry-failed").await.status, 200);
    let import = shop.ended(&id).await;
    assert_eq!(import["outcomes"], json!({"created": 3, "rejected": 10}), "{import:#}");
}
