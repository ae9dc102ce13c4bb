//! Ten thousand requests that were good once: bytes changed, cut, doubled, words swapped, lines moved. The server answers
//! or closes, and is as it was afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use keyferry::providers::apps::demo;
use keyferry_tests::http::Response;
use keyferry_tests::process::Usage;
use keyferry_tests::wire::Wire;
use keyferry_tests::{ServerOptions, World, WorldOptions};
use serde_json::json;

const REQUESTS: usize = 10_000;
/// Connections at once.
const CLIENTS: usize = 16;
/// Requests after which memory has settled.
const SETTLED: usize = 2_000;
/// `KEYFERRY_TEST_SEED` stands in for it.
const SEED: u64 = 7;
/// How long nothing has to come before a client says that it is done: most changed lengths leave the server waiting.
const QUIET: Duration = Duration::from_millis(150);

/// Words that mean something to some parser.
const WORDS: [&str; 40] = [
    "GET",
    "PUT",
    "POST",
    "DELETE",
    "PATCH",
    "CONNECT",
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/9.9",
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    "%00",
    "%2f..%2f",
    "%ff",
    "?",
    "&",
    "//",
    "\u{e9}",
    "\u{202e}",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "1e999",
    "-1",
    "18446744073709551616",
    "chunked",
    "verify=only",
    "*",
    "hubspot",
];

/// Good requests to all endpoints.
fn originals(key: &str) -> Vec<Vec<u8>> {
    let migrate = |body: serde_json::Value, more: &str| {
        let body = body.to_string();
        format!(
            "PUT /api/v2/public/migrate-token HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nLinked_Account_Id: user_1\r\n\
             Content-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let account = |method: &str| {
        let body = json!({"account_id": "user_9", "name": "Nine", "udf": {"plan": "gold"}}).to_string();
        format!(
            "{method} /api/v2/public/linked-account HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\
             Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let plain = |method: &str, target: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nAccept: */*\r\n\r\n")
    };
    let hubspot = json!({"slug": "hubspot", "auth_object": {"oauth2": {
        "access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN,
    }}});
    let stripe = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_EXPIRED_KEY}}});
    let chunked = {
        let body = json!({"slug": "slack", "auth_object": {"bot_token": demo::SLACK_BOT_TOKEN}}).to_string();
        let (one, two) = body.split_at(20);
        format!(
            "PUT /api/v2/public/migrate-token?linked_account_id=user_1 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n",
            one.len(),
            two.len()
        )
    };
    [
        migrate(hubspot.clone(), ""),
        migrate(hubspot.clone(), "Prefer: verify=only\r\nAccept: application/problem+json\r\n"),
        migrate(hubspot, "Idempotency-Key: \"k-1\"\r\nPrefer: on-unverified=store, account-change=replace\r\n"),
        migrate(stripe, "If-Match: *\r\nX-Request-Id: abc\r\n"),
        chunked,
        account("POST"),
        account("PUT"),
        plain("GET", "/api/v2/public/linked-account?page=1&limit=5&search=user"),
        plain("GET", "/api/v2/public/linked-account/user_1"),
        plain("GET", "/api/v2/public/linked-account/user_1/integration/hubspot/credentials"),
        plain("DELETE", "/api/v2/public/linked-account/user_9"),
        plain("DELETE", "/api/v2/public/linked-account/integration/slack?linked_account_id=user_1&auth_type=keybased"),
        plain("GET", "/api/v2/public/application?tags=crm&linked_account_id=user_1"),
        plain("GET", "/api/v2/public/application/hubspot"),
        plain("GET", "/api/v2/public/auth-structure/netsuite"),
        plain("GET", "/livez"),
        plain("GET", "/readyz"),
    ]
    .map(String::into_bytes)
    .into()
}

/// Changes a request once.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let place = rng.usize(..bytes.len());
    let span = |rng: &mut Rng, bytes: &[u8]| place..(place + rng.usize(1..=16)).min(bytes.len());
    match rng.u8(..9) {
        0 => bytes[place] ^= 1 << rng.u8(..8),
        1 => bytes[place] = rng.u8(..),
        2 => bytes.truncate(place),
        3 => _ = bytes.drain(span(rng, bytes)),
        4 => {
            let again = bytes[span(rng, bytes)].to_vec();
            bytes.splice(place..place, again.repeat(rng.usize(1..=40)));
        }
        5 => _ = bytes.splice(place..place, rng.choice(WORDS).unwrap().bytes()),
        6 => {
            let word = rng.choice(WORDS).unwrap().bytes();
            bytes.splice(span(rng, bytes), word);
        }
        // Lines: one taken away, or one more of it.
        choice => {
            let lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let (at, line) = (rng.usize(..lines.len()), rng.usize(..lines.len()));
            let mut changed = lines.clone();
            if choice == 7 {
                _ = changed.remove(at)
            } else {
                changed.insert(at, lines[line].clone())
            }
            *bytes = changed.concat();
        }
    }
}

/// Makes the length that a head tells that of the body again, so that what was changed in the body is looked at.
fn fit(bytes: &mut Vec<u8>) {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    let Some(end) = find(bytes, b"\r\n\r\n") else { return };
    let Some(length) = find(&bytes[..end], b"Content-Length: ").map(|at| at + 16) else { return };
    let digits = bytes[length..end].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let body = (bytes.len() - end - 4).to_string();
    bytes.splice(length..length + digits, body.bytes());
}

/// Whether a status of the server's own making is one that is documented.
fn is_documented(answer: &Response) -> bool {
    let text = answer.text();
    match answer.status {
        500 => {
            text.contains("Failed to verify credentials: ") || text.contains("Schema not found for integration type: ")
        }
        501 => text.contains("Transfer-Encoding"),
        // Of a credential that could not be verified, where the caller asked for problems.
        502 | 504 => answer.header("keyferry-failure").is_some() || text.contains("urn:keyferry:problem:"),
        503 => answer.header("retry-after").is_some() || text.contains("urn:keyferry:problem:app_not_in_service"),
        status => status < 500,
    }
}

/// Sends mutants on one connection after the other, and counts the statuses.
async fn client(to: SocketAddr, originals: Arc<Vec<Vec<u8>>>, seed: u64, count: usize) -> BTreeMap<u16, usize> {
    let mut rng = Rng::with_seed(seed);
    let mut statuses = BTreeMap::new();
    let mut wire = Wire::connect(to).await;
    for index in 0..count {
        let mut bytes = rng.choice(originals.iter()).unwrap().clone();
        // Half of them in the body alone, where there is one: in the head, most changes are the end of it.
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let mut body = bytes.split_off(end);
        for _ in 0..rng.usize(1..=2) {
            if rng.bool() && !body.is_empty() { mutate(&mut rng, &mut body) } else { mutate(&mut rng, &mut bytes) }
        }
        bytes.append(&mut body);
        if rng.u8(..4) > 0 {
            fit(&mut bytes);
        }
        let last = format!("end-{seed}-{index}");
        let sentinel = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {last}\r\n\r\n");
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        wire.send([bytes.as_slice(), sentinel.as_bytes()].concat()).await;
        let answers = wire.answers_until(&last, QUIET).await;
        for answer in &answers {
            assert!(
                is_documented(answer),
                "seed {seed}, request {index}: {} {}\n{shown}",
                answer.status,
                answer.text()
            );
            *statuses.entry(answer.status).or_default() += 1;
        }
        if answers.last().is_none_or(|answer| answer.header("x-request-id") != Some(&last)) {
            *statuses.entry(0).or_default() += 1;
            wire = Wire::connect(to).await;
        }
    }
    statuses
}

async fn send(world: &World, seed: u64, count: usize) -> BTreeMap<u16, usize> {
    let originals = Arc::new(originals(&world.api_key));
    let clients: Vec<_> = (0..CLIENTS as u64)
        .map(|index| {
            tokio::spawn(client(world.server.address(), Arc::clone(&originals), seed + index, count / CLIENTS))
        })
        .collect();
    let mut all = BTreeMap::new();
    for client in clients {
        for (status, count) in client.await.unwrap() {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mutated_requests_are_answered_or_refused_and_leave_nothing_behind() {
    let seed = std::env::var("KEYFERRY_TEST_SEED").map_or(SEED, |text| text.parse().unwrap());
    println!("KEYFERRY_TEST_SEED={seed}");
    let server = Box::new(|options: &mut ServerOptions| {
        options.environment.push(("KEYFERRY_LOG".to_owned(), "warn".to_owned()));
        // A key with so many credentials that providers turn away would soon not be listened to.
        options.arguments.extend(["--failed-verifications", "1000000"].map(str::to_owned));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let good = || world.migrate("hubspot", json!({"oauth2": {"access_token": demo::HUBSPOT_ACCESS_TOKEN}}));
    send(&world, seed + 1_000_000, SETTLED).await;
    world
        .send(
            keyferry_tests::http::Request::new("POST", "/api/v2/public/linked-account")
                .json(&json!({"account_id": "user_1"})),
        )
        .await;
    assert_eq!(good().await.status, 200);
    let before = Usage::of(world.server.pid());
    let began = Instant::now();
    let statuses = send(&world, seed, REQUESTS).await;
    println!("{REQUESTS} requests in {:.1?}; answers by status (0: closed instead): {statuses:?}", began.elapsed());
    // An account may have been deleted by a mutant.
    world
        .send(
            keyferry_tests::http::Request::new("POST", "/api/v2/public/linked-account")
                .json(&json!({"account_id": "user_1"})),
        )
        .await;
    let answer = good().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let after = Usage::returns_to(world.server.pid(), before, 32 << 20).await;
    println!("before {before:?}, after {after:?}");
    assert!(after.is_ok(), "{before:?} {after:?}");
    let logs = world.server.logs();
    assert!(!logs.contains("panicked") && !logs.contains("a request failed inside"), "{logs}");
    // The mutants reached all of it: what is good, what is refused by whom, and what is not even HTTP.
    for status in [0, 200, 400, 401, 404, 405, 415, 500] {
        assert!(statuses.contains_key(&status), "no mutant was answered with {status}: {statuses:?}");
    }
}
