//! Requests that get a response before their body is read.

use std::time::Duration;

use keyferry_tests::wire::Wire;

use crate::framing::{AFTER, HIDDEN, chunk, post, quick_world};

/// The state of a connection after such a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Usable: the body was read to its end.
    Kept,
    /// Closed, and the response says so.
    Closed,
}
use Then::{Closed, Kept};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_answered_before_its_body_was_read_keeps_its_connection_or_says_that_it_closes() {
    const LIMIT: usize = 64 * 1024;
    let world = quick_world().await;
    let key = format!("x-api-key: {}", world.api_key);
    let (migrate, account) = ("/api/v2/public/migrate-token", "/api/v2/public/linked-account/nobody");
    let wrong = "x-api-key: tk_wrong".to_owned();
    let other_type = format!("{key}~content-type: text/plain");
    let json = format!("{key}~content-type: application/json");
    let no_account = format!("{json}~linked_account_id: a~linked_account_id: b");
    let sized = |length: usize| (format!("content-length: {length}"), " ".repeat(length));
    let chunks = |length: usize| ("transfer-encoding: chunked".to_owned(), chunk(&" ".repeat(length)));
    let many = ("transfer-encoding: chunked".to_owned(), "400\r\n".to_owned() + &" ".repeat(1024) + "\r\n");
    type Case<'a> = (&'static str, &'static str, &'a str, (String, String), u16, Then);
    let cases: Vec<Case<'_>> = vec![
        ("PUT", migrate, &wrong, sized(30), 401, Kept),
        ("PUT", migrate, &wrong, chunks(30), 401, Kept),
        ("PUT", migrate, "a: b", sized(LIMIT), 401, Kept),
        ("PUT", migrate, "a: b", chunks(LIMIT), 401, Kept),
        ("PUT", migrate, "a: b", sized(LIMIT + 1), 401, Closed),
        ("PUT", migrate, "a: b", chunks(LIMIT + 1), 401, Closed),
        ("POST", "/api/v2/public/imports", "a: b", sized(8 * LIMIT), 401, Closed),
        ("POST", "/api/v2/app/stripe/save", "authorization: Bearer x", sized(30), 401, Kept),
        ("PUT", "/nowhere", &key, sized(30), 404, Kept),
        ("DELETE", account, &key, sized(30), 404, Kept),
        ("PATCH", migrate, &key, chunks(30), 405, Kept),
        ("PUT", migrate, &other_type, sized(30), 415, Kept),
        ("PUT", migrate, &json, sized(LIMIT + 1), 413, Closed),
        ("PUT", migrate, &json, sized(30), 400, Kept),
        ("PUT", migrate, &no_account, sized(30), 400, Kept),
        ("GET", "/livez", "a: b", sized(30), 200, Kept),
        ("GET", "/livez", "a: b", chunks(30), 200, Kept),
        ("GET", "/livez", "a: b", sized(LIMIT + 1), 200, Closed),
        ("HEAD", "/livez", "a: b", sized(30), 200, Kept),
        // The rest of the body never comes.
        ("PUT", migrate, "a: b", (sized(30).0, " ".to_owned()), 401, Closed),
        ("PUT", migrate, "a: b", (sized(30).0, String::new()), 401, Closed),
        ("PUT", migrate, "a: b", many.clone(), 401, Closed),
        // The bytes are not a chunk.
        ("PUT", migrate, "a: b", (many.0, "x\r\n".to_owned()), 401, Closed),
    ];
    for (method, path, lines, (framing, body), status, then) in cases {
        let name = format!("{method} {path} {lines} {framing} {} bytes", body.len());
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{}\r\n{framing}\r\n\r\n", lines.replace('~', "\r\n"));
        let mut wire = Wire::connect(world.server.address()).await;
        assert!(wire.send(head).await, "{name}");
        // The body is sent after its head, as most clients do.
        assert!(!wire.has_unread().await || then == Closed, "{name}: the response came before the body was sent");
        wire.send_while_taken(body.as_bytes(), Duration::from_secs(5)).await;
        let answer = wire.answer_to(method == "HEAD").await.unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        let said = answer.header("connection").map_or(Kept, |_| Closed);
        assert_eq!(said, then, "{name}: {answer:?}");
        if then == Closed {
            assert_eq!(answer.header("connection"), Some("close"), "{name}");
            assert!(wire.is_closed().await, "{name}");
        } else {
            wire.send(AFTER).await;
            assert_eq!(wire.answer().await.unwrap().header("x-request-id"), Some("after"), "{name}");
        }
    }
    assert!(!world.server.logs().contains("panicked"), "{}", world.server.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_1_0_client_gets_its_answer_though_its_body_was_not_read() {
    let world = quick_world().await;
    for (lines, length) in [("", 30), ("connection: keep-alive\r\n", 30), ("", 200_000)] {
        let mut wire = Wire::connect(world.server.address()).await;
        let head = format!("PUT /nowhere HTTP/1.0\r\n{lines}content-length: {length}\r\n\r\n");
        wire.send(head).await;
        wire.send_while_taken(" ".repeat(length).as_bytes(), Duration::from_secs(5)).await;
        assert_eq!(wire.answer().await.unwrap().status, 404, "{lines} {length}");
        if lines.is_empty() {
            assert!(wire.is_closed().await);
        } else {
            wire.send("GET /livez HTTP/1.0\r\n\r\n").await;
            assert_eq!(wire.answer().await.unwrap().status, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked_only_where_the_body_is_read() {
    let world = quick_world().await;
    let body = r#"{"account_id":"expecting"}"#;
    let expect = format!("content-length: {}~expect: 100-continue", body.len());
    let mut wire = Wire::connect(world.server.address()).await;
    wire.send(post(&world, &expect, "")).await;
    assert_eq!(wire.answer().await.unwrap().status, 100);
    wire.send(body).await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    wire.send(AFTER).await;
    assert_eq!(wire.answer().await.unwrap().status, 200, "the connection stays open");

    let refused = [
        ("no key", post(&world, &expect, ""), 401),
        ("too long", post(&world, "content-length: 70000~expect: 100-continue", ""), 413),
        ("of the wrong type", post(&world, &format!("{expect}~content-encoding: gzip"), ""), 415),
    ];
    for (name, request, status) in refused {
        let request = String::from_utf8(request).unwrap();
        let request = if status == 401 { request.replace(&world.api_key, "tk_nope") } else { request };
        let mut wire = Wire::connect(world.server.address()).await;
        wire.send(request).await;
        let answer = wire.answer().await.unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        // The server cannot know whether the client sends its body now, so it reads nothing more.
        assert_eq!(answer.header("connection"), Some("close"), "{name}");
        wire.send(HIDDEN).await;
        assert!(wire.answer().await.is_none(), "{name}");
    }
}
