//! A server that is killed during an import: each row is done once.

use std::time::Duration;

use keyferry_tests::http::Request;
use keyferry_tests::trail::rows_stored;
use serde_json::{Value, json};

use super::shop::{IMPORTS, Shop, good, row};

/// The number of kills.
const KILLS: usize = 5;

#[tokio::test]
async fn a_server_that_is_killed_goes_on_and_does_each_row_once() {
    let mut shop = Shop::open(&[]).await;
    let mut rows: Vec<Value> = (0..3000).map(|n| good(&format!("user_{n}"))).collect();
    rows.extend((0..300).map(|n| row(&format!("bad_{n}"), "sk_test_wrong")));
    let id = shop.begin("create_accounts=true", &rows).await;
    let random = fastrand::Rng::new();
    let mut kills = 0;
    while kills < KILLS {
        tokio::time::sleep(Duration::from_millis(50 + random.clone().u64(..250))).await;
        if shop.show(&id).await["state"] != "running" {
            break;
        }
        shop.world.server.kill();
        shop.world.server.restart().await;
        kills += 1;
    }
    assert!(kills > 0, "the import was faster than the first kill");
    let import = shop.ended(&id).await;
    assert_eq!(import["outcomes"], json!({"created": 3000, "rejected": 300}), "{import:#}");
    let ledger = shop.ledger(&id).await;
    let numbers: Vec<u64> = ledger.iter().map(|row| row["row"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=3300).collect::<Vec<u64>>());

    // The trail has each stored credential once, and each is in its first version.
    let (code, trail, said) = shop.world.command(&["audit", "export", "--org", "acme"]).await;
    assert_eq!(code, Some(0), "{said}");
    let stored = rows_stored(&trail);
    assert_eq!(stored.len(), 3000);
    assert!(stored.values().all(|times| *times == 1), "a row was stored twice");
}

#[tokio::test]
async fn a_file_that_has_not_arrived_whole_is_forgotten_by_the_next_start() {
    let mut shop = Shop::open(&[]).await;
    let address = shop.world.server.address();
    let key = shop.world.api_key.clone();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {IMPORTS}?create_accounts=true HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: application/x-ndjson\r\n\
         content-length: 1000000\r\n\r\n{}\n",
        good("user_1")
    );
    let (_read, mut write) = stream.into_split();
    tokio::io::AsyncWriteExt::write_all(&mut write, head.as_bytes()).await.unwrap();
    let listed = async |shop: &Shop| shop.world.send(Request::new("GET", IMPORTS)).await.json()["imports"].clone();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while listed(&shop).await != json!([]) && listed(&shop).await[0]["state"] != "receiving" {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shop.world.server.kill();
    shop.world.server.restart().await;
    while listed(&shop).await != json!([]) {
        assert!(std::time::Instant::now() < deadline, "{}", listed(&shop).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(shop.asked("stripe").is_empty());
}
