//! Where a request begins and ends: one reading only, and no second answer to what was a body.

use std::time::Duration;

use keyferry_tests::wire::Wire;
use keyferry_tests::{ServerOptions, World, WorldOptions};

/// How long nothing has to come before the server is told that nothing more will be sent.
const QUIET: Duration = Duration::from_millis(300);
const AFTER: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nx-request-id: after\r\n\r\n";
/// A request that would be answered if a server took a body for one.
const HIDDEN: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nx-request-id: hidden\r\n\r\n";

/// What comes of a request that is followed by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was read in the one way there is: it and the next one are answered.
    Read,
    /// It was read in one way, and because there is another the connection ends with its answer.
    ReadThenClosed,
    /// It is answered with this status, if with any, and the connection ends.
    Refused(u16),
}
use Outcome::{Read, ReadThenClosed, Refused};

async fn quick_world() -> World {
    let server = Box::new(|options: &mut ServerOptions| {
        let file = options.data.join("test.toml");
        std::fs::write(&file, "[http]\nbody-seconds = 2\n").unwrap();
        options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
    });
    World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await
}

/// `POST` of an account with these header lines (`~` for the end of a line) and this body.
fn post(world: &World, lines: &str, body: &str) -> Vec<u8> {
    let lines = lines.replace('~', "\r\n");
    let key = &world.api_key;
    format!(
        "PUT /api/v2/public/linked-account HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nx-request-id: first\r\n\
         content-type: application/json\r\n{lines}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The body as one chunk.
fn chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_is_read_in_one_way_and_what_has_two_ends_its_connection() {
    let world = quick_world().await;
    let body = r#"{"account_id":"framed"}"#;
    let length = body.len();
    let (sized, chunked) = (format!("content-length: {length}"), chunk(body));
    let hidden_in_chunk = format!("{chunked}{HIDDEN}");
    let both = |first: &str, second: &str| format!("{first}~{second}");
    let te = |value: &str| format!("transfer-encoding:{value}");
    let cases: Vec<(&str, String, String, Outcome)> = vec![
        ("a length", sized.clone(), body.into(), Read),
        ("chunks", te(" chunked"), chunked.clone(), Read),
        ("chunks, in capitals", te(" CHUNKED"), chunked.clone(), Read),
        ("chunks, after a tab", te("\tchunked\t"), chunked.clone(), Read),
        ("chunks with an extension", te(" chunked"), format!("{length:x};a=b\r\n{body}\r\n0\r\n\r\n"), Read),
        ("chunks with a trailer", te(" chunked"), format!("{length:x}\r\n{body}\r\n0\r\na: b\r\n\r\n"), Read),
        ("chunk size with zeros before it", te(" chunked"), format!("000{length:x}\r\n{body}\r\n0\r\n\r\n"), Read),
        ("the same length twice", both(&sized, &sized), body.into(), Read),
        ("a length with zeros before it", format!("content-length: 000{length}"), body.into(), Read),
        // Two ways of telling where the body ends.
        ("a length, then chunks", both(&sized, &te(" chunked")), hidden_in_chunk.clone(), ReadThenClosed),
        ("chunks, then a length", both(&te(" chunked"), &sized), hidden_in_chunk.clone(), ReadThenClosed),
        ("no length and chunks", both("content-length: 0", &te(" chunked")), hidden_in_chunk.clone(), ReadThenClosed),
        ("a length and no chunks", both(&sized, &te(" identity")), format!("{body}{HIDDEN}"), Refused(400)),
        ("two lengths", both(&sized, "content-length: 3"), format!("{body}{HIDDEN}"), Refused(400)),
        ("two lengths in one line", format!("content-length: {length}, {length}"), body.into(), Refused(400)),
        // Codings that one side may know and another not.
        ("chunked, identity", te(" chunked, identity"), chunked.clone(), Refused(400)),
        ("identity, chunked", te(" identity, chunked"), chunked.clone(), Refused(501)),
        ("gzip, chunked", te(" gzip, chunked"), chunked.clone(), Refused(501)),
        ("chunked twice", te(" chunked, chunked"), chunked.clone(), Refused(501)),
        ("chunked in two lines", both(&te(" chunked"), &te(" chunked")), chunked.clone(), Refused(501)),
        ("chunked, then identity", both(&te(" chunked"), &te(" identity")), chunked.clone(), Refused(400)),
        ("a comma behind chunked", te(" chunked,"), chunked.clone(), Refused(400)),
        ("a comma before chunked", te(" ,chunked"), chunked.clone(), Refused(501)),
        ("xchunked", te(" xchunked"), chunked.clone(), Refused(400)),
        ("chunked in quotes", te(" \"chunked\""), chunked.clone(), Refused(400)),
        ("a vertical tab before chunked", te(" \u{b}chunked"), chunked.clone(), Refused(400)),
        ("a coding with nothing in it", te(""), chunked.clone(), Refused(400)),
        // Header lines that are read differently by different programs.
        ("a space before the colon", "transfer-encoding : chunked".into(), chunked.clone(), Refused(400)),
        ("a tab before the colon", format!("content-length\t: {length}"), body.into(), Refused(400)),
        ("a folded line", format!("x: y~ content-length: {length}~{sized}"), body.into(), Refused(400)),
        ("a folded coding", "transfer-encoding:~ chunked".into(), chunked.clone(), Refused(400)),
        ("NUL in a value", format!("x: a\0b~{sized}"), body.into(), Refused(400)),
        ("NUL in a name", format!("x\0: a~{sized}"), body.into(), Refused(400)),
        ("CR within a line", format!("x: a\rtransfer-encoding: chunked~{sized}"), body.into(), Refused(400)),
        ("a line without a colon", format!("nothing~{sized}"), body.into(), Refused(400)),
        ("a line without a name", format!(": x~{sized}"), body.into(), Refused(400)),
        // Lengths that are no numbers.
        ("a length with a plus", format!("content-length: +{length}"), body.into(), Refused(400)),
        ("a negative length", "content-length: -1".into(), body.into(), Refused(400)),
        ("a length in hexadecimal", "content-length: 0x17".into(), body.into(), Refused(400)),
        ("a length with a space in it", "content-length: 2 3".into(), body.into(), Refused(400)),
        ("a length past 64 bits", "content-length: 18446744073709551639".into(), body.into(), Refused(400)),
        ("a length of 64 bits", "content-length: 18446744073709551615".into(), body.into(), Refused(431)),
        ("a length of 63 bits", "content-length: 9223372036854775807".into(), body.into(), Refused(413)),
        ("no length's number", "content-length:".into(), body.into(), Refused(400)),
        // Chunks that are none.
        (
            "a chunk size past 64 bits",
            te(" chunked"),
            format!("10000000000000017\r\n{body}\r\n0\r\n\r\n"),
            Refused(400),
        ),
        ("a chunk size of 64 bits", te(" chunked"), format!("ffffffffffffffff\r\n{body}\r\n0\r\n\r\n"), Refused(400)),
        ("a negative chunk size", te(" chunked"), format!("-17\r\n{body}\r\n0\r\n\r\n"), Refused(400)),
        ("a chunk size with 0x", te(" chunked"), format!("0x17\r\n{body}\r\n0\r\n\r\n"), Refused(400)),
        ("a chunk that is longer than it says", te(" chunked"), format!("5\r\n{body}\r\n0\r\n\r\n"), Refused(400)),
        (
            "a line end of LF alone behind a size",
            te(" chunked"),
            format!("{length:x}\n{body}\r\n0\r\n\r\n"),
            Refused(400),
        ),
        (
            "a line end of LF alone behind a chunk",
            te(" chunked"),
            format!("{length:x}\r\n{body}\n0\r\n\r\n"),
            Refused(400),
        ),
        ("a LF in an extension", te(" chunked"), format!("{length:x};\n{body}\r\n0\r\n\r\n"), Refused(400)),
        (
            "a flood of extensions",
            te(" chunked"),
            format!("{length:x};{}\r\n{body}\r\n0\r\n\r\n", "a".repeat(40_000)),
            Refused(400),
        ),
        (
            "a flood of extensions in many chunks",
            te(" chunked"),
            format!("{}0\r\n\r\n", format!("1;{}\r\n \r\n", "a".repeat(1000)).repeat(40)),
            Refused(400),
        ),
        (
            "a flood of trailers",
            te(" chunked"),
            format!("{length:x}\r\n{body}\r\n0\r\n{}\r\n", "a: b\r\n".repeat(20_000)),
            Refused(400),
        ),
        (
            "a trailer that is a length",
            te(" chunked"),
            format!("{length:x}\r\n{body}\r\n0\r\ncontent-length: 0\r\n\r\n"),
            Read,
        ),
        // Hosts.
        ("another host", format!("host: y~{sized}"), body.into(), Refused(400)),
    ];
    for (name, lines, body, expected) in cases {
        let mut wire = Wire::connect(world.server.address()).await;
        // The server may close before it has taken everything.
        wire.send([post(&world, &lines, &body).as_slice(), AFTER.as_bytes()].concat()).await;
        let answers = wire.answers_until("after", QUIET).await;
        let seen: Vec<_> = answers.iter().map(|a| (a.status, a.header("x-request-id").unwrap_or("-"))).collect();
        match expected {
            Read => assert_eq!(seen, [(200, "first"), (200, "after")], "{name}: {answers:?}"),
            ReadThenClosed => {
                assert_eq!(seen, [(200, "first")], "{name}: {answers:?}");
                assert_eq!(answers[0].header("connection"), Some("close"), "{name}");
                assert!(wire.is_closed().await, "{name}");
            }
            Refused(status) => {
                // What fails before there is a request is refused by the HTTP library, without an id.
                assert!(seen == [(status, "first")] || seen == [(status, "-")], "{name}: {answers:?}");
                assert!(wire.is_closed().await, "{name}");
            }
        }
    }
    assert!(!world.server.logs().contains("panicked"), "{}", world.server.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_lines_of_all_kinds_are_answered_or_refused() {
    let world = quick_world().await;
    let cases: [(&str, &str, &[u16]); 22] = [
        ("as usual", "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n", &[200]),
        ("lines that end with LF alone", "GET /livez HTTP/1.1\nhost: x\n\n", &[200]),
        ("an empty line first", "\r\n\r\nGET /livez HTTP/1.1\r\nhost: x\r\n\r\n", &[200]),
        ("no host", "GET /livez HTTP/1.1\r\n\r\n", &[400]),
        ("two hosts", "GET /livez HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", &[400]),
        ("HTTP/1.0", "GET /livez HTTP/1.0\r\n\r\n", &[200]),
        ("HTTP/1.0 with chunks", "GET /livez HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
        ("HTTP/0.9", "GET /livez\r\n\r\n", &[400]),
        ("HTTP/1.2", "GET /livez HTTP/1.2\r\nhost: x\r\n\r\n", &[400]),
        ("HTTP/2.0", "GET /livez HTTP/2.0\r\nhost: x\r\n\r\n", &[400]),
        ("the beginning of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &[]),
        (
            "an upgrade to HTTP/2",
            "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
            &[200],
        ),
        (
            "an upgrade to a web socket",
            "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            &[200],
        ),
        ("an absolute target", "GET http://elsewhere.example/livez HTTP/1.1\r\nhost: x\r\n\r\n", &[200]),
        ("an absolute target of another scheme", "GET ftp://x/livez HTTP/1.1\r\nhost: x\r\n\r\n", &[200]),
        ("a target that goes up", "GET /api/../livez HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
        ("a target with two spaces", "GET  /livez HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("a target with a fragment", "GET /livez#x HTTP/1.1\r\nhost: x\r\n\r\n", &[200, 400]),
        ("a target that is not ASCII", "GET /livez/\u{e9} HTTP/1.1\r\nhost: x\r\n\r\n", &[400, 404]),
        ("no target", "GET HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
        ("TLS", "\x16\x03\x01\0\u{5}\x01\0\0\x01\x03", &[400]),
        ("noise", "\0\0\0\0\r\n\r\n", &[400]),
    ];
    for (name, bytes, expected) in cases {
        let mut wire = Wire::connect(world.server.address()).await;
        wire.send(bytes).await;
        wire.finish().await;
        let mut seen = Vec::new();
        while let Some(answer) = wire.answer().await {
            seen.push(answer.status);
        }
        assert!(seen.len() <= 1 && seen.iter().all(|status| expected.contains(status)), "{name}: {seen:?}");
        // A client that hangs up may get none; one that waits must.
        if !expected.is_empty() {
            let mut wire = Wire::connect(world.server.address()).await;
            wire.send(bytes).await;
            let answer = wire.answers_until("-", QUIET).await;
            assert!(answer.len() == 1 && expected.contains(&answer[0].status), "{name}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_method_is_answered_where_it_is_known_and_refused_where_it_is_not() {
    let world = quick_world().await;
    let to = world.server.address();
    let cases = [
        ("HEAD", "/livez", 200),
        ("OPTIONS", "/livez", 204),
        ("OPTIONS", "*", 404),
        ("TRACE", "/livez", 405),
        ("CONNECT", "provider.example:443", 404),
        ("CONNECT", "/livez", 405),
        ("DELETE", "/livez", 405),
        ("PATCH", "/api/v2/public/migrate-token", 405),
        ("GET", "/api/v2/public/migrate-token", 405),
        ("get", "/livez", 405),
        ("BREW", "/livez", 405),
    ];
    for (method, target, status) in cases {
        let mut wire = Wire::connect(to).await;
        let request = format!("{method} {target} HTTP/1.1\r\nhost: x\r\ncookie: c-o-o-k-i-e\r\n\r\n");
        wire.send(request.clone() + AFTER).await;
        let answer = wire.answer_to(method == "HEAD").await.unwrap();
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        assert!(!answer.text().contains("c-o-o-k-i-e"), "TRACE gives nothing back");
        if method == "HEAD" {
            assert_eq!(answer.header("content-length"), Some("15"));
        }
        let after = wire.answers_until("after", QUIET).await;
        assert!(after.len() <= 1, "{method} {target}: {after:?}");
        assert!(after.len() == 1 || method == "CONNECT", "{method} {target}: the connection is still good");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_order_and_a_connection_serves_many() {
    const REQUESTS: usize = 2000;
    let world = quick_world().await;
    let mut wire = Wire::connect(world.server.address()).await;
    // Slow ones and quick ones, refused ones and good ones, with bodies and without.
    let kinds = ["GET /livez", "GET /nowhere", "GET /api/v2/public/auth-structure/hubspot", "DELETE /livez"];
    let mut expected = Vec::new();
    let mut bytes = String::new();
    for index in 0..REQUESTS {
        let kind = kinds[index % kinds.len()];
        let status = [200, 404, 200, 405][index % kinds.len()];
        let body = if index % 3 == 0 { "body" } else { "" };
        bytes += &format!(
            "{kind} HTTP/1.1\r\nhost: x\r\nx-request-id: {index}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        expected.push((index.to_string(), status));
    }
    // Sent all at once in the background, so that nobody waits for the other.
    let answers = {
        let (sent, answers) = wire.pipeline(bytes.into_bytes(), REQUESTS).await;
        assert!(sent, "all of it was taken");
        answers
    };
    let seen: Vec<_> =
        answers.iter().map(|a| (a.header("x-request-id").unwrap_or_default().to_owned(), a.status)).collect();
    assert_eq!(seen, expected);
}

/// How a request that is answered before its body was read leaves its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// As good as it was: the body was read to its end.
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
        // What comes is no chunk.
        ("PUT", migrate, "a: b", (many.0, "x\r\n".to_owned()), 401, Closed),
    ];
    for (method, path, lines, (framing, body), status, then) in cases {
        let name = format!("{method} {path} {lines} {framing} {} bytes", body.len());
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{}\r\n{framing}\r\n\r\n", lines.replace('~', "\r\n"));
        let mut wire = Wire::connect(world.server.address()).await;
        assert!(wire.send(head).await, "{name}");
        // The body comes apart from its head, as most clients send it.
        assert!(!wire.has_unread().await || then == Closed, "{name}: it is answered before its body was sent");
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
    assert_eq!(wire.answer().await.unwrap().status, 200, "the connection goes on");

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
        // Whether the client sends its body now nobody can know, so nothing more is read.
        assert_eq!(answer.header("connection"), Some("close"), "{name}");
        wire.send(HIDDEN).await;
        assert!(wire.answer().await.is_none(), "{name}");
    }
}
