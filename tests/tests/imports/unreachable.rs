//! Providers that are not reachable: the command reports the cause, and a server that shuts down does not wait for
//! them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::command::{file, run};
use super::shop::{Away, Mood, Shop, good, hub, ndjson};

/// The timeout of a shutdown.
const SOON: Duration = Duration::from_secs(5);

fn hubs(count: usize) -> Vec<Value> {
    (0..count).map(|n| hub(&format!("user_{n}"))).collect()
}

#[tokio::test]
async fn everybody_is_told_the_cause_and_the_next_try_whether_or_not_it_is_a_dry_run() {
    for away in Away::ALL {
        let shop = Shop::open_without(Some(away), &[]).await;
        for query in ["create_accounts=true", "create_accounts=true&dry_run=true"] {
            let id = shop.begin(query, &hubs(12)).await;
            let waiting = shop.until(&id, |import| import["waiting"][0]["rows"] == 12).await;
            let waiting = &waiting["waiting"][0];
            let detail = waiting["detail"].as_str().unwrap();
            assert!(detail.starts_with(away.words()), "{away:?}: {waiting}");
            assert_eq!((&waiting["reason"], &waiting["rows"]), (&json!("provider"), &json!(12)), "{waiting}");
            assert!(waiting["since"].is_string() && waiting["until"].is_string(), "{waiting}");
            let shown = run(&shop, &["imports", "show", &id]).await;
            for part in [away.words(), "12 rows wait since", "next try at", "is running"] {
                assert!(shown.out.contains(part), "{away:?}, {part}:\n{}", shown.out);
            }
            assert_eq!(shop.change(&id, "cancel").await.status, 200);
        }
    }
}

#[tokio::test]
async fn the_lines_of_an_import_say_the_cause_and_a_dry_run_ends_with_it() {
    let shop = Shop::open_without(Some(Away::Refuses), &["--import-patience-seconds", "8"]).await;
    let path = file(&shop, "rows.ndjson", &ndjson(&hubs(12)));
    let ran = run(&shop, &["import", "--dry-run", "--create-accounts", "--progress", "lines", &path]).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.out, ran.err);
    let told = ran.err.lines().find(|line| line.contains("connect ECONNREFUSED") && line.contains("next try in"));
    assert!(told.is_some(), "{}", ran.err);
    assert!(ran.out.contains("hubspot has been down") && ran.out.contains("connect ECONNREFUSED"), "{}", ran.out);
    let id = ran.err.split("import ").nth(1).unwrap().trim().lines().next().unwrap().to_owned();
    let left = run(&shop, &["imports", "results", &id, "--state", "queued"]).await;
    assert_eq!(left.out.lines().count(), 12, "the remaining rows are listed: {}", left.out);
}

#[tokio::test]
async fn a_single_request_is_told_what_opened_the_circuit_breaker() {
    let shop = Shop::open_without(Some(Away::Refuses), &[]).await;
    let credential = json!({"oauth2": {"access_token": "hub-ok-1"}});
    for number in 0..12 {
        let answer = shop.world.migrate("hubspot", credential.clone()).await;
        assert!(answer.text().contains("connect ECONNREFUSED"), "request {number}: {}", answer.text());
    }
    let answer = shop.world.migrate("hubspot", credential).await;
    assert!(answer.text().contains("circuit breaker open"), "{}", answer.text());
}

#[tokio::test]
async fn a_server_ends_soon_though_rows_wait_or_are_under_way_and_goes_on_with_them() {
    for away in Away::ALL {
        let mut shop = Shop::open_without(Some(away), &[]).await;
        shop.set("stripe", Mood::Slow(Duration::from_secs(60)));
        let mut rows = hubs(12);
        rows.extend((0..4).map(|n| good(&format!("user_{n}"))));
        let id = shop.begin("create_accounts=true", &rows).await;
        // A client watches the import.
        let events = keyferry_tests::http::Request::new("GET", &format!("/api/v2/public/imports/{id}/events"));
        let watched = tokio::spawn(events.header("x-api-key", &shop.world.api_key).send(shop.world.server.address()));
        let deadline = Instant::now() + Duration::from_secs(60);
        while shop.asked("stripe").len() < 4 {
            assert!(Instant::now() < deadline, "rows are not begun");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let began = Instant::now();
        let status = shop.world.server.terminate().await;
        let took = began.elapsed();
        assert!(status.success(), "{status}: {}", shop.world.server.logs());
        assert!(took < SOON, "{away:?}: it took {took:?}");
        watched.await.unwrap();
        shop.set("stripe", Mood::Works);
        shop.world.server.restart().await;
        let import = shop.until(&id, |import| import["outcomes"]["created"] == 4).await;
        assert_eq!((&import["state"], &import["counts"]["queued"]), (&json!("running"), &json!(12)), "{import:#}");
        assert_eq!(shop.change(&id, "cancel").await.status, 200);
    }
}

#[tokio::test]
async fn a_server_that_is_to_end_does_not_wait_for_the_rest_of_a_file() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut shop = Shop::open(&[]).await;
    let mut stream = tokio::net::TcpStream::connect(shop.world.server.address()).await.unwrap();
    let head = format!(
        "POST /api/v2/public/imports?create_accounts=true HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\
         accept: application/problem+json\r\ncontent-type: application/x-ndjson\r\ncontent-length: 1000000\r\n\r\n{}\n",
        shop.world.api_key,
        good("user_1")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let listed = async || {
        let answer = shop.world.send(keyferry_tests::http::Request::new("GET", "/api/v2/public/imports")).await;
        answer.json()["imports"][0]["state"] == "receiving"
    };
    while !listed().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = Instant::now();
    let (status, answer) = tokio::join!(shop.world.server.terminate(), async {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    });
    assert!(status.success() && began.elapsed() < SOON, "{status}, after {:?}", began.elapsed());
    let answer = answer.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("server_stopping"), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nretry-after: "), "{answer}");
}
