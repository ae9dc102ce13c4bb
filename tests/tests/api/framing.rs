//! Where a request begins and ends: exactly one reading, and no second response for bytes of a body.

use std::time::{Duration, Instant};

use keyferry_tests::wire::Wire;
use keyferry_tests::{ServerOptions, World, WorldOptions, http};

/// The silence after which the client half-closes the connection.
const QUIET: Duration = Duration::from_millis(300);
pub(crate) const AFTER: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nx-request-id: after\r\n\r\n";
/// A request that gets a response if a server takes a body for one.
pub(crate) const HIDDEN: &str = "GET /livez HTTP/1.1\r\nhost: x\r\nx-request-id: hidden\r\n\r\n";

/// The outcome of a request with another one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// There is one reading: the server responds to it and to the next one.
    Read,
    /// There is one reading, but because others exist the connection ends after its response.
    ReadThenClosed,
    /// It gets this status or no response, and the connection ends.
    Refused(u16),
}
use Outcome::{Read, ReadThenClosed, Refused};

pub(crate) async fn quick_world() -> World {
    let server = Box::new(|options: &mut ServerOptions| {
        let file = options.data.join("test.toml");
        std::fs::write(&file, "[http]\nbody-seconds = 2\n").unwrap();
        options.arguments.extend(["--config".to_owned(), file.display().to_string()]);
    });
    World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await
}

/// `POST` of an account with these header lines (`~` for the end of a line) and this body.
pub(crate) fn post(world: &World, lines: &str, body: &str) -> Vec<u8> {
    let lines = lines.replace('~', "\r\n");
    let key = &world.api_key;
    format!(
        "PUT /api/v2/public/linked-account HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nx-request-id: first\r\n\
         content-type: application/json\r\n{lines}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The body as one chunk.
pub(crate) fn chunk(body: &str) -> String {
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
        // Two indications of the body's end.
        ("a length, then chunks", both(&sized, &te(" chunked")), hidden_in_chunk.clone(), ReadThenClosed),
        ("chunks, then a length", both(&te(" chunked"), &sized), hidden_in_chunk.clone(), ReadThenClosed),
        ("no length and chunks", both("content-length: 0", &te(" chunked")), hidden_in_chunk.clone(), ReadThenClosed),
        ("a length and no chunks", both(&sized, &te(" identity")), format!("{body}{HIDDEN}"), Refused(400)),
        ("two lengths", both(&sized, "content-length: 3"), format!("{body}{HIDDEN}"), Refused(400)),
        ("two lengths in one line", format!("content-length: {length}, {length}"), body.into(), Refused(400)),
        // Codings that only one side may know.
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
        // Header lines that programs read differently.
        ("a space before the colon", "transfer-encoding : chunked".into(), chunked.clone(), Refused(400)),
        ("a tab before the colon", format!("content-length\t: {length}"), body.into(), Refused(400)),
        ("a folded line", format!("x: y~ content-length: {length}~{sized}"), body.into(), Refused(400)),
        ("a folded coding", "transfer-encoding:~ chunked".into(), chunked.clone(), Refused(400)),
        ("NUL in a value", format!("x: a\0b~{sized}"), body.into(), Refused(400)),
        ("NUL in a name", format!("x\0: a~{sized}"), body.into(), Refused(400)),
        ("CR within a line", format!("x: a\rtransfer-encoding: chunked~{sized}"), body.into(), Refused(400)),
        ("a line without a colon", format!("nothing~{sized}"), body.into(), Refused(400)),
        ("a line without a name", format!(": x~{sized}"), body.into(), Refused(400)),
        // Lengths that are not numbers.
        ("a length with a plus", format!("content-length: +{length}"), body.into(), Refused(400)),
        ("a negative length", "content-length: -1".into(), body.into(), Refused(400)),
        ("a length in hexadecimal", "content-length: 0x17".into(), body.into(), Refused(400)),
        ("a length with a space in it", "content-length: 2 3".into(), body.into(), Refused(400)),
        ("a length past 64 bits", "content-length: 18446744073709551639".into(), body.into(), Refused(400)),
        ("a length of 64 bits", "content-length: 18446744073709551615".into(), body.into(), Refused(431)),
        ("a length of 63 bits", "content-length: 9223372036854775807".into(), body.into(), Refused(413)),
        ("no length's number", "content-length:".into(), body.into(), Refused(400)),
        // Invalid chunks.
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
        // The server may close before it has read everything.
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
                // The HTTP library refuses bytes that are not yet a request, without an id.
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
        // A client that hangs up may get no response; one that waits must.
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
    // Slow and fast ones, refused and valid ones, with bodies and without.
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
    // Sends all bytes in the background, so that neither side blocks the other.
    let answers = {
        let (sent, answers) = wire.pipeline(bytes.into_bytes(), REQUESTS).await;
        assert!(sent, "all of it was taken");
        answers
    };
    let seen: Vec<_> =
        answers.iter().map(|a| (a.header("x-request-id").unwrap_or_default().to_owned(), a.status)).collect();
    assert_eq!(seen, expected);
}

/// With the deadline that is the default.
#[tokio::test]
async fn a_client_that_sends_half_a_request_is_cut_off_and_others_are_served() {
    let world = World::start().await;
    let address = world.server.address();
    let half = b"PUT /api/v2/public/migrate-token HTTP/1.1\r\nhost: x\r\n";
    let began = Instant::now();
    let (answer, other) =
        tokio::join!(http::raw(address, half, Duration::from_secs(30)), http::get(address, "/livez"),);
    assert_eq!(other.status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(29),
        "the server did not close the connection: {} bytes",
        answer.len()
    );
}
