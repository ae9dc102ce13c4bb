//! The supported files, and the outcome of invalid rows.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use keyferry_tests::http::Request;
use keyferry_tests::{ACCOUNT, ORG};
use serde_json::{Value, json};

use super::shop::{IMPORTS, Mood, Shop, good, lines, ndjson, row};

#[tokio::test]
async fn each_row_of_a_file_is_stored_and_accounted_for() {
    let shop = Shop::open(&[]).await;
    let rows = [good(ACCOUNT), row("user_2", "sk_test_ok_user_2"), row("user_3", "sk_test_wrong_key_3")];
    let import = shop.import("create_accounts=true&file=first.ndjson", &rows).await;
    assert_eq!(import["state"], "finished");
    assert_eq!(import["rows"], 3);
    assert_eq!(import["file"], "first.ndjson");
    let counts = json!({"queued": 0, "waiting": 0, "done": 2, "skipped": 0, "failed": 1, "undone": 0, "kept": 0});
    assert_eq!(import["counts"], counts);
    assert_eq!(import["outcomes"], json!({"created": 2, "rejected": 1}));
    assert_eq!(import["apps"][0]["slug"], "stripe");
    assert!(import["digest"].as_str().unwrap().starts_with("sha256:"));
    let ledger = shop.ledger(import["id"].as_str().unwrap()).await;
    assert_eq!(ledger.len(), 3);
    for (number, (account, state, outcome)) in
        [(ACCOUNT, "done", "created"), ("user_2", "done", "created"), ("user_3", "failed", "rejected")]
            .iter()
            .enumerate()
    {
        let row = &ledger[number];
        assert_eq!((&row["row"], &row["line"]), (&json!(number + 1), &json!(number + 1)));
        assert_eq!((&row["linked_account_id"], &row["slug"]), (&json!(account), &json!("stripe")));
        assert_eq!((&row["state"], &row["outcome"]), (&json!(state), &json!(outcome)), "{row}");
        assert_eq!(row["attempts"], 1);
    }
    assert_eq!(ledger[2]["fields"], json!(["api_key"]));
    assert_eq!(shop.stored("user_2", "stripe", "api_key").await.as_deref(), Some("sk_test_ok_user_2"));
    assert!(shop.account("user_3").await.is_none(), "no account is made for a credential that does not work");
}

#[tokio::test]
async fn the_same_rows_are_read_in_every_form_that_a_file_can_have() {
    let shop = Shop::open(&[]).await;
    let rows: Vec<Value> = (1..=3).map(|n| good(&format!("user_{n}"))).collect();
    let csv: String = std::iter::once("linked_account_id,slug,auth_type,api_key\n".to_owned())
        .chain((1..=3).map(|n| format!("user_{n},stripe,keybased,sk_test_ok_user_{n}\n")))
        .collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(csv.as_bytes()).unwrap();
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"create_accounts\"\r\n\r\ntrue\r\n--b\r\nContent-Disposition: form-data; \
         name=\"file\"; filename=\"rows.csv\"\r\nContent-Type: text/csv\r\n\r\n{csv}\r\n--b--\r\n"
    );
    let renamed = csv.replace("linked_account_id", "customer").replace("api_key", "secret");
    let nango = json!({"connections": (1..=3).map(|n| json!({
        "connection_id": format!("user_{n}"), "provider": "stripe", "provider_config_key": "stripe",
        "credentials": {"type": "API_KEY", "apiKey": format!("sk_test_ok_user_{n}")},
    })).collect::<Vec<_>>()});
    let create = "create_accounts=true";
    for (form, query, content_type, file) in [
        ("ndjson", create.to_owned(), "application/x-ndjson", ndjson(&rows).into_bytes()),
        ("array", create.to_owned(), "application/json", json!(rows).to_string().into_bytes()),
        ("csv", create.to_owned(), "text/csv", csv.clone().into_bytes()),
        ("gzip", create.to_owned(), "application/octet-stream", gzip.finish().unwrap()),
        ("multipart", "again=true".to_owned(), "multipart/form-data; boundary=b", multipart.into_bytes()),
        (
            "mapped",
            format!("{create}&map=customer%3Dlinked_account_id%0Asecret%3Dapi_key"),
            "text/csv",
            renamed.into_bytes(),
        ),
        ("nango", format!("{create}&from=nango"), "application/json", nango.to_string().into_bytes()),
    ] {
        let answer = shop.send(&query, content_type, file).await;
        assert_eq!(answer.status, 202, "{form}: {}", answer.text());
        let location = answer.header("location").unwrap().to_owned();
        let import = shop.ended(location.trim_start_matches(IMPORTS).trim_start_matches('/')).await;
        assert_eq!(
            (&import["state"], &import["counts"]["done"]),
            (&json!("finished"), &json!(3)),
            "{form}: {import:#}"
        );
    }
    assert_eq!(shop.account("user_3").await.unwrap()["integrations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn rows_that_are_no_good_are_told_with_their_place_and_the_rest_goes_on() {
    let shop = Shop::open(&[]).await;
    let large = row("user_9", &"x".repeat(1_100_000));
    let mut file = Vec::new();
    for line in [
        good(ACCOUNT).to_string().into_bytes(),
        b"{\"linked_account_id\": \"user_1\", \"slug\": }".to_vec(),
        b"{\"linked_account_id\": \"user_\xff\", \"slug\": \"stripe\"}".to_vec(),
        json!({"linked_account_id": "user_4", "auth_object": {}}).to_string().into_bytes(),
        large.to_string().into_bytes(),
        json!({"linked_account_id": "user_6", "slug": "stripf", "auth_object": {"keybased": {}}})
            .to_string()
            .into_bytes(),
        good(ACCOUNT).to_string().into_bytes(),
        json!({"linked_account_id": ACCOUNT, "slug": "hubspot", "auth_object": {"oauth2": {}}})
            .to_string()
            .into_bytes(),
        row("nobody", "sk_test_ok_nobody").to_string().into_bytes(),
        json!({"linked_account_id": "user_10", "slug": "sk_live_s3cr3t", "auth_object": {}}).to_string().into_bytes(),
    ] {
        file.extend_from_slice(&line);
        file.push(b'\n');
    }
    let answer = shop.send("", "application/x-ndjson", file).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let import = shop.ended(&id).await;
    assert_eq!((&import["rows"], &import["counts"]["done"]), (&json!(10), &json!(1)), "{import:#}");
    let ledger = shop.ledger(&id).await;
    let outcomes: Vec<&str> = ledger.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(
        outcomes,
        [
            "created",
            "invalid_json",
            "invalid_encoding",
            "missing_column",
            "row_too_large",
            "unknown_app",
            "duplicate_row",
            "invalid_content",
            "account_missing",
            "unknown_app",
        ]
    );
    assert!(ledger[1]["column"].as_u64().is_some_and(|column| column > 30), "{}", ledger[1]);
    assert!(ledger[2]["column"].as_u64().is_some(), "{}", ledger[2]);
    assert_eq!(ledger[3]["fields"], json!(["slug"]));
    assert!(ledger[6]["detail"].as_str().unwrap().starts_with("row 1 "), "{}", ledger[6]);
    assert!(ledger[7]["fields"].to_string().contains("access_token"), "{}", ledger[7]);
    let whole = json!(ledger).to_string();
    assert!(!whole.contains("s3cr3t") && !whole.contains("xxx"), "nothing that could be a secret is repeated");
}

#[tokio::test]
async fn a_file_that_cannot_be_taken_leaves_nothing() {
    let shop = Shop::open(&[]).await;
    let two = ndjson(&[good(ACCOUNT), good("user_2")]);
    let mut broken = GzEncoder::new(Vec::new(), Compression::default());
    broken.write_all(two.repeat(100).as_bytes()).unwrap();
    let mut broken = broken.finish().unwrap();
    broken.truncate(broken.len() - 20);
    for (query, content_type, file, status, code) in [
        ("", "application/x-ndjson", Vec::new(), 400, "invalid_file"),
        ("", "text/csv", b"a,b\n1,2\n".to_vec(), 400, "invalid_file"),
        ("", "application/octet-stream", broken, 400, "invalid_file"),
        ("from=zapier", "text/csv", Vec::new(), 400, "invalid_query"),
        ("dry_runs=true", "text/csv", Vec::new(), 400, "invalid_query"),
        ("", "multipart/form-data; boundary=b", b"--b--\r\n".to_vec(), 400, "invalid_file"),
    ] {
        let request = Request::new("POST", &format!("{IMPORTS}?{query}")).body(content_type, file);
        let answer = shop.world.send(request.header("accept", "application/problem+json")).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{query} {}", answer.text());
    }
    let listed = shop.world.send(Request::new("GET", IMPORTS)).await.json();
    assert_eq!(listed, json!({"imports": []}));
    assert!(shop.asked("stripe").is_empty());
}

#[tokio::test]
async fn the_same_file_is_refused_until_it_is_said_that_it_is_meant() {
    let shop = Shop::open(&[]).await;
    let file = ndjson(&[good(ACCOUNT)]);
    let tried = shop.send("dry_run=true", "application/x-ndjson", file.clone()).await;
    assert_eq!(tried.status, 202);
    let first = shop.send("", "application/x-ndjson", file.clone()).await;
    assert_eq!(first.status, 202, "trying a file out is not importing it");
    let id = first.json()["id"].as_str().unwrap().to_owned();
    shop.ended(&id).await;
    let refused = shop.send("", "application/x-ndjson", file.clone()).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains(&id), "{}", refused.text());
    let again = shop.send("again=true", "application/x-ndjson", file.clone()).await;
    assert_eq!(again.status, 202);
    let again = again.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(shop.ended(&again).await["outcomes"], json!({"updated": 1}));
    let listed = shop.world.send(Request::new("GET", IMPORTS)).await.json();
    assert_eq!(listed["imports"].as_array().unwrap().len(), 3);
    // Deleting an import also deletes the record that its file was imported.
    for id in [&again, &id] {
        assert_eq!(shop.world.send(Request::new("DELETE", &format!("{IMPORTS}/{id}"))).await.status, 200);
        assert_eq!(shop.world.send(Request::new("GET", &format!("{IMPORTS}/{id}"))).await.status, 404);
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while shop.send("", "application/x-ndjson", file.clone()).await.status != 202 {
        assert!(std::time::Instant::now() < deadline, "the file is still known");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_ledger_is_read_in_parts_and_only_by_those_whose_it_is() {
    let shop = Shop::open(&[]).await;
    let rows: Vec<Value> = (1..=1200)
        .map(|n| row(ACCOUNT, &format!("sk_test_{n}")))
        .enumerate()
        .map(|(n, mut row)| {
            row["linked_account_id"] = json!(format!("nobody_{n}"));
            row
        })
        .collect();
    let import = shop.import("", &rows).await;
    assert_eq!(import["outcomes"], json!({"account_missing": 1200}));
    let id = import["id"].as_str().unwrap();
    let read = async |query: &str, range: Option<&str>| {
        let mut request = Request::new("GET", &format!("{IMPORTS}/{id}/results?{query}"));
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let answer = shop.world.send(request).await;
        let numbers: Vec<u64> = lines(&answer).iter().map(|row| row["row"].as_u64().unwrap()).collect();
        (answer.status, answer.header("content-range").map(str::to_owned), numbers)
    };
    assert_eq!(read("", None).await, (200, None, (1..=1200).collect()));
    assert_eq!(read("after=1198", None).await, (200, None, vec![1199, 1200]));
    assert_eq!(read("after=10&limit=3&state=failed", None).await, (200, None, vec![11, 12, 13]));
    assert_eq!(read("state=done", None).await, (200, None, vec![]));
    let range = Some("rows 600-1200/1200".to_owned());
    assert_eq!(read("", Some("rows=600-")).await, (206, range, (600..=1200).collect()));
    assert_eq!(read("", Some("rows=2-3")).await, (206, Some("rows 2-3/1200".to_owned()), vec![2, 3]));
    assert_eq!(read("", Some("bytes=0-5")).await.0, 200);

    let (_, other, _) = shop.world.command(&["api-key", "create", "--org", "umbrella", "--environment", "test"]).await;
    let (_, production, _) =
        shop.world.command(&["api-key", "create", "--org", "acme", "--environment", "production"]).await;
    for key in [other, production] {
        for path in ["", "/results", "/events"] {
            let request = Request::new("GET", &format!("{IMPORTS}/{id}{path}")).header("x-api-key", key.trim());
            assert_eq!(shop.world.send_as_it_is(request).await.status, 404, "{path}");
        }
        let request = Request::new("POST", &format!("{IMPORTS}/{id}/undo")).header("x-api-key", key.trim());
        assert_eq!(shop.world.send_as_it_is(request).await.status, 404);
    }
    let (_, reader, _) =
        shop.world.command(&["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read"]).await;
    let request = Request::new("POST", IMPORTS).header("x-api-key", reader.trim()).body("text/csv", "a\n");
    assert_eq!(shop.world.send_as_it_is(request).await.status, 403);
}

#[tokio::test]
async fn events_end_when_their_api_key_is_revoked() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let shop = Shop::open(&[]).await;
    shop.set("stripe", Mood::Slow(Duration::from_secs(600)));
    let id = shop.begin("", &[good(ACCOUNT)]).await;
    let create = ["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read", "--label", "watcher"];
    let (_, key, _) = shop.world.command(&create).await;
    let key = key.trim();
    let (_, listed, _) = shop.world.command(&["api-key", "list", "--org", ORG, "--json"]).await;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let key_id = listed.iter().find(|key| key["label"] == "watcher").unwrap()["id"].as_str().unwrap();
    let mut stream = tokio::net::TcpStream::connect(shop.world.server.address()).await.unwrap();
    let head =
        format!("GET {IMPORTS}/{id}/events HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("event: progress") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "{}", String::from_utf8_lossy(&read));
    }
    assert_eq!(shop.world.command(&["api-key", "revoke", key_id, "--org", ORG]).await.0, Some(0));
    let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut read)).await;
    end.expect("the stream ends").unwrap();
    assert!(!String::from_utf8_lossy(&read).contains("event: end"), "the import is not at its end");
}

#[tokio::test]
async fn events_tell_of_progress_and_of_the_end() {
    let shop = Shop::open(&[]).await;
    let rows: Vec<Value> = (1..=50).map(|n| good(&format!("user_{n}"))).collect();
    let id = shop.begin("create_accounts=true", &rows).await;
    let answer = shop.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/events"))).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let text = answer.text();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let (name, data) = last.split_once('\n').unwrap();
    assert_eq!(name, "event: end");
    let end: Value = serde_json::from_str(data.trim_start_matches("data: ")).unwrap();
    assert_eq!((&end["state"], &end["counts"]["done"]), (&json!("finished"), &json!(50)), "{text}");
}

/// The longest refresh token with which a credential of HubSpot still fits when sealed; and the size with this token.
fn refresh_token(access_token: &str, character: &str, more: usize) -> String {
    // An envelope has 74 bytes, and for each field its name, its value and 21 bytes.
    let around = 74 + "access_token".len() + 21 + access_token.len() + "refresh_token".len() + 21;
    // Quotes at both ends would be removed.
    format!("a{}b", character.repeat(48 * 1024 - around + more - 2))
}

fn hub_with(account: &str, character: &str, more: usize) -> Value {
    let access_token = format!("hub-ok-{account}");
    let refresh_token = refresh_token(&access_token, character, more);
    json!({
        "linked_account_id": account, "slug": "hubspot",
        "auth_object": {"oauth2": {"access_token": access_token, "refresh_token": refresh_token}},
    })
}

#[tokio::test]
async fn the_greatest_credential_goes_through_each_door_and_a_greater_one_through_none() {
    let shop = Shop::open(&[]).await;
    let migrate = async |row: &Value| {
        let body = json!({"slug": "hubspot", "auth_object": row["auth_object"]}).to_string();
        let request = Request::new("PUT", "/api/v2/public/migrate-token")
            .header("accept", "application/problem+json, application/json")
            .header("linked_account_id", ACCOUNT)
            .body("application/json", body);
        shop.world.send(request).await
    };
    assert_eq!(migrate(&hub_with(ACCOUNT, "x", 0)).await.status, 200);
    let asked = shop.asked("hubspot").len();
    let refused = migrate(&hub_with(ACCOUNT, "x", 1)).await;
    assert_eq!((refused.status, &refused.json()["code"]), (413, &json!("credential_too_large")), "{}", refused.text());
    assert!(refused.text().contains("49152 bytes"), "{}", refused.text());
    assert!(!refused.text().contains("49153"), "how long it was is not told: {}", refused.text());

    // Characters that JSON writes with two or six bytes take no more room than others.
    for (dry_run, outcome) in [("true", "verified"), ("false", "created")] {
        let rows = [
            hub_with("user_2", "x", 0),
            hub_with("user_3", "\"", 0),
            hub_with("user_4", "\\", 0),
            hub_with("user_5", "x", 1),
            hub_with("user_6", "x", 20_000),
            hub_with("user_7", "\"", 400_000),
            good("user_8"),
        ];
        let import = shop.import(&format!("create_accounts=true&dry_run={dry_run}"), &rows).await;
        assert_eq!(import["state"], "finished", "{import:#}");
        assert_eq!(import["outcomes"], json!({outcome: 4, "too_large": 3}), "{import:#}");
        for row in &shop.ledger(import["id"].as_str().unwrap()).await[4..6] {
            assert_eq!(row["outcome"], "too_large");
            assert!(row["detail"].as_str().unwrap().contains("49152 bytes"), "{row}");
        }
    }
    assert_eq!(shop.asked("hubspot").len(), asked + 6, "only what can be stored is verified");
    let stored = shop.stored("user_3", "hubspot", "refresh_token").await.unwrap();
    assert_eq!(stored, refresh_token("hub-ok-user_3", "\"", 0));
    let again = shop.import("again=true", &[hub_with(ACCOUNT, "x", 0)]).await;
    assert_eq!(again["outcomes"], json!({"updated": 1}), "{again:#}");
}

#[tokio::test]
async fn an_account_id_with_a_character_that_nobody_sees_makes_no_account_and_is_told() {
    let shop = Shop::open(&[]).await;
    let unseen = |account: &str| row(account, "sk_test_ok_user_9");
    let rows = [unseen("user_9\u{200b}"), unseen("user\u{a0}9"), unseen("\u{feff}user_9"), good("user_9")];
    for (query, outcomes) in [
        ("dry_run=true&create_accounts=true", json!({"verified": 1, "invalid_account_id": 3})),
        ("create_accounts=true", json!({"created": 1, "invalid_account_id": 3})),
        ("", json!({"updated": 1, "account_missing": 3})),
    ] {
        let import = shop.import(&format!("again=true&{query}"), &rows).await;
        assert_eq!(import["outcomes"], outcomes, "{query}: {import:#}");
        let ledger = shop.ledger(import["id"].as_str().unwrap()).await;
        for (row, told) in
            ledger.iter().zip(["U+200B (zero width space)", "U+00A0 (no-break space)", "U+FEFF (byte order mark)"])
        {
            assert!(row["detail"].as_str().unwrap().contains(told), "{query}: {row}");
        }
    }
    let path = "/api/v2/public/linked-account/user_9%E2%80%8B";
    let missing = shop.world.send(Request::new("GET", path)).await;
    assert!(missing.status == 404 && missing.text().contains("U+200B (zero width space)"), "{}", missing.text());
}
