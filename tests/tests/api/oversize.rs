//! Oversized input, and JSON that is made to exhaust a parser: refused with a status that names the cause, without a
//! leak.

use std::time::Duration;

use keyferry_tests::World;
use keyferry_tests::http::{self, Request};
use keyferry_tests::process::Usage;
use keyferry_tests::wire::Wire;

const MIGRATE: (&str, &str) = ("PUT", "/api/v2/public/migrate-token");
const CREATE: (&str, &str) = ("POST", "/api/v2/public/linked-account");
/// The largest body, in bytes.
const LIMIT: usize = 64 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_large_is_refused() {
    let world = World::start().await;
    let long = |length: usize| "a".repeat(length);
    let head = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    let many = |count: usize| (0..count).map(|index| format!("x-{index}: y\r\n")).collect::<String>();
    let cases = [
        ("90 headers", head("/livez", &many(90)), 200),
        ("200 headers", head("/livez", &many(200)), 431),
        ("5,000 headers", head("/livez", &many(5000)), 431),
        ("a header of 20 KiB", head("/livez", &format!("x: {}\r\n", long(20 << 10))), 200),
        ("a header of 40 KiB", head("/livez", &format!("x: {}\r\n", long(40 << 10))), 431),
        ("a header of 1 MiB", head("/livez", &format!("x: {}\r\n", long(1 << 20))), 431),
        ("a header's name of 40 KiB", head("/livez", &format!("{}: x\r\n", long(40 << 10))), 431),
        ("a target of 20 KiB", head(&format!("/{}", long(20 << 10)), ""), 404),
        ("a query of 20 KiB", head(&format!("/livez?{}", long(20 << 10)), ""), 200),
        ("a target of 40 KiB", head(&format!("/{}", long(40 << 10)), ""), 431),
        ("a target of 1 MiB", head(&format!("/{}", long(1 << 20)), ""), 431),
        ("a method of 40 KiB", head("/livez", "").replacen("GET", &long(40 << 10), 1), 431),
        ("empty lines only", "\r\n".repeat(40 << 10), 431),
        ("a slug of 20 KiB", head(&format!("/api/v2/public/auth-structure/{}", long(20 << 10)), ""), 500),
        ("10,000 segments", head(&"/a".repeat(10_000), ""), 404),
        ("10,000 escapes", head(&"/%2f%00".repeat(4000), ""), 404),
    ];
    for (name, bytes, status) in cases {
        let mut wire = Wire::connect(world.server.address()).await;
        wire.send(bytes).await;
        let answer = wire.answer().await.unwrap_or_else(|| panic!("{name}: closed without a response"));
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert!(
            answer.body.len() < 1000,
            "{name}: the response repeats the refused input: {} bytes",
            answer.body.len()
        );
    }
    assert_eq!(http::get(world.server.address(), "/livez").await.status, 200);
}

/// A request by hand with the key, these header lines and this body.
fn by_hand(world: &World, (method, path): (&str, &str), lines: &str, body: &[u8]) -> Vec<u8> {
    let key = &world.api_key;
    // Where the body names the account, a header with another account is refused.
    let account = if (method, path) == MIGRATE { "linked_account_id: user_1\r\n" } else { "" };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{account}content-type: application/json\r\n{lines}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_refused_with_an_answer_that_arrives() {
    let world = World::start().await;
    let to = world.server.address();
    let before = Usage::of(world.server.pid());
    // White space is JSON that any parser would continue to read.
    let filled = |length: usize| [b"{".as_slice(), &vec![b' '; length - 2], b"}"].concat();
    for endpoint in [MIGRATE, CREATE] {
        for (name, length, refused) in
            [("the limit", LIMIT, false), ("a byte more", LIMIT + 1, true), ("20 MB", 20 << 20, true)]
        {
            let sized = format!("content-length: {length}");
            let body = filled(length);
            let chunk_size = if length > 100_000 { 16 << 10 } else { length };
            let chunks: Vec<u8> = body
                .chunks(chunk_size)
                .flat_map(|part| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat())
                .chain(*b"0\r\n\r\n")
                .collect();
            let ways = [(sized, body), ("transfer-encoding: chunked".to_owned(), chunks)];
            for (lines, body) in ways {
                let mut wire = Wire::connect(to).await;
                let bytes = by_hand(&world, endpoint, &lines, &body);
                // Until the server stops reading.
                wire.send_while_taken(&bytes, Duration::from_secs(10)).await;
                let answer = wire.answer().await.unwrap_or_else(|| panic!("{name}, {lines}: no response arrived"));
                assert_eq!(answer.status == 413, refused, "{name}, {lines}: {} {}", answer.status, answer.text());
                if length > 100_000 {
                    assert!(wire.is_closed().await, "{name}, {lines}: the rest is not read");
                }
            }
        }
        // The declared length counts before any byte of the body.
        let mut wire = Wire::connect(to).await;
        wire.send(by_hand(&world, endpoint, "content-length: 9999999999", b"")).await;
        assert_eq!(wire.answer().await.unwrap().status, 413);
    }
    let after = Usage::returns_to(world.server.pid(), before, 16 << 20).await;
    assert!(after.is_ok(), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_is_made_to_hurt_is_refused() {
    let world = World::start().await;
    let before = Usage::of(world.server.pid());
    let nest = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let inside =
        |value: &str| format!(r#"{{"slug":"hubspot","account_id":"json","auth_object":{value},"other":{value}}}"#);
    let members = |count: usize| (0..count).map(|index| format!(r#""{index}":0"#)).collect::<Vec<_>>().join(",");
    // For migrate-token and for linked-account.
    let cases: Vec<(&str, Vec<u8>, u16, u16)> = vec![
        ("30,000 arrays", nest("[", "]", 30_000).into(), 400, 400),
        ("10,000 objects", nest("{\"a\":", "}", 10_000).into(), 400, 400),
        ("60,000 that are only begun", "[".repeat(60_000).into(), 400, 400),
        ("arrays in a member", inside(&nest("[", "]", 15_000)).into(), 400, 400),
        ("objects in a member", inside(&nest("{\"a\":", "}", 4_000)).into(), 400, 400),
        ("payloads in payloads", nest("{\"payload\":", "}", 5_000).into(), 400, 400),
        ("8,000 members", format!("{{{}}}", members(6_000)).into(), 200, 400),
        ("100,000 members", format!("{{{}}}", members(100_000)).into(), 413, 413),
        ("a member twice", br#"{"account_id":"a","account_id":"b"}"#.into(), 400, 400),
        ("a member twice, spelled differently", br#"{"account_id":"a","account\u005fid":"b"}"#.into(), 400, 400),
        ("a member twice, further in", br#"{"account_id":"json","udf":{"a":"1","a":"2"}}"#.into(), 400, 400),
        ("a number beyond the range of a double", inside("1e400").into(), 400, 400),
        ("a number of 20,000 digits", inside(&"9".repeat(20_000)).into(), 400, 400),
        ("a number of 20,000 digits behind the point", inside(&format!("0.{}", "1".repeat(20_000))).into(), 200, 200),
        ("an exponent of 20,000 digits", inside(&format!("1e{}", "9".repeat(20_000))).into(), 400, 400),
        ("minus zero", inside("-0.0").into(), 200, 200),
        ("NaN", inside("NaN").into(), 400, 400),
        ("a number with a plus", inside("+1").into(), 400, 400),
        ("a number in hexadecimal", inside("0x10").into(), 400, 400),
        ("a lone surrogate", br#"{"account_id":"\ud800"}"#.into(), 400, 400),
        ("a lone surrogate in an unknown member", inside(r#""\ud800""#).into(), 400, 400),
        ("surrogates the wrong way round", br#"{"account_id":"\udc00\ud800"}"#.into(), 400, 400),
        ("NUL, escaped", inside(r#""\u0000""#).into(), 200, 200),
        ("a control character as it is", inside("\"\u{1}\"").into(), 400, 400),
        ("a byte order mark", [b"\xEF\xBB\xBF".as_slice(), inside("0").as_bytes()].concat(), 200, 200),
        ("two byte order marks", [b"\xEF\xBB\xBF\xEF\xBB\xBF".as_slice(), inside("0").as_bytes()].concat(), 400, 400),
        ("UTF-16", [0xFF, 0xFE, b'{', 0, b'}', 0].into(), 400, 400),
        ("invalid UTF-8", [br#"{"account_id":""#.as_slice(), b"\xC3\x28", br#""}"#].concat(), 400, 400),
        (
            "UTF-8 that is longer than it need be",
            [br#"{"account_id":""#.as_slice(), b"\xC0\xAF", br#""}"#].concat(),
            400,
            400,
        ),
        ("something behind the end", br#"{"account_id":"a"}{"account_id":"b"}"#.into(), 400, 400),
        ("a comment", br#"{"account_id":"a"/*,"b":1*/}"#.into(), 400, 400),
        ("nothing", Vec::new(), 400, 400),
        ("no object", b"\"text\"".into(), 400, 400),
        ("no JSON", b"account_id=a".into(), 400, 400),
    ];
    for (name, body, migrate, create) in cases {
        for ((method, path), status) in [(MIGRATE, migrate), (("PUT", CREATE.1), create)] {
            let mut request = Request::new(method, path);
            if path == MIGRATE.1 {
                request = request.header("linked_account_id", "user_1");
            }
            let answer = world.send(request.body("application/json", body.clone())).await;
            assert_eq!(answer.status, status, "{name}, {path}: {}", answer.text());
            assert!(answer.body.len() < 1000, "{name}, {path}: {} bytes of response", answer.body.len());
        }
    }
    let after = Usage::returns_to(world.server.pid(), before, 32 << 20).await;
    assert!(after.is_ok(), "{before:?} {after:?}");
    assert!(!world.server.logs().contains("panicked"), "{}", world.server.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_taken_as_json_and_not_packed() {
    let world = World::start().await;
    let body = r#"{"account_id":"typed"}"#;
    let sized = |more: &str| format!("content-length: {}\r\n{more}", body.len());
    let cases = [
        ("content-encoding: gzip", 415),
        ("content-encoding: br", 415),
        ("content-encoding: identity, gzip", 415),
        ("content-encoding: identity\r\ncontent-encoding: gzip", 415),
        ("content-encoding: identity", 200),
        ("x-nothing: x", 200),
    ];
    for (lines, status) in cases {
        let mut wire = Wire::connect(world.server.address()).await;
        wire.send(by_hand(&world, ("PUT", CREATE.1), &sized(lines), body.as_bytes())).await;
        let answer = wire.answer().await.unwrap();
        assert_eq!(answer.status, status, "{lines}: {}", answer.text());
    }
    for (content_type, status) in [
        ("application/json; charset=utf-8", 200),
        ("application/vnd.api+json", 200),
        ("APPLICATION/JSON", 200),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ] {
        let answer = world.send(Request::new("PUT", CREATE.1).body(content_type, body)).await;
        assert_eq!(answer.status, status, "{content_type}: {}", answer.text());
    }
}

/// Of two values of a header, programs could use different ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_decides_about_a_credential_is_not_taken_twice() {
    let world = World::start().await;
    world.create_account("user_2").await;
    let body = serde_json::json!({"slug": "custom", "auth_object": {}});
    let twice = world.send(world.migrate_request(&body).header("linked_account_id", "user_2")).await;
    assert_eq!(twice.status, 400, "{}", twice.text());
    assert!(twice.text().contains("it is there twice"), "{}", twice.text());
    let same = world.send(world.migrate_request(&body).header("linked_account_id", keyferry_tests::ACCOUNT)).await;
    assert_eq!(same.status, 200, "{}", same.text());
    let keys = world.send(world.migrate_request(&body).header("x-api-key", "tk_other")).await;
    assert_eq!(keys.status, 401, "{}", keys.text());
}
