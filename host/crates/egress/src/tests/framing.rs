//! Group 16: no part of a request leaves its place, and no response runs into the next.

use super::site::*;
use crate::*;

/// Bytes that would end a line, a header or a request.
const BREAKS: &[&str] = &[
    "x\r\nX-Evil: 1",
    "x\nX-Evil: 1",
    "x\rX-Evil: 1",
    "x\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "x HTTP/1.1\r\nX-Evil: 1\r\n",
    "x\0X-Evil: 1",
    "x\u{85}X-Evil: 1",
    "x\u{0b}X-Evil: 1",
    "%0d%0aX-Evil: 1",
    "x\u{2028}X-Evil: 1",
    "嘊嘍X-Evil: 1",
];

#[tokio::test]
async fn nothing_breaks_out_of_its_place() {
    let body = |content: Body| Request { method: Method::Post, body: content, ..get() };
    for (at, value) in BREAKS.iter().enumerate() {
        let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
        for secrecy in ["told", "secret"] {
            let part = || vec![if secrecy == "told" { text(value) } else { hidden(value) }];
            let requests = [
                ("path", Request { path: vec![part()], ..get() }),
                ("query", Request { query: vec![pair("q", part())], ..get() }),
                ("query name", Request { query: vec![pair(value, vec![text("x")])], ..get() }),
                ("header", Request { headers: vec![pair("X-Value", part())], ..get() }),
                ("header name", Request { headers: vec![pair(value, vec![text("x")])], ..get() }),
                ("bearer", Request { auth: Some(Auth::Bearer(part())), ..get() }),
                ("basic", Request { auth: Some(Auth::Basic { user: part(), password: part() }), ..get() }),
                ("form", body(Body::Form(vec![pair("f", part())]))),
                ("form name", body(Body::Form(vec![pair(value, vec![text("x")])]))),
                (
                    "json",
                    body(Body::Json(vec![JsonMember { pointer: "/j".to_owned(), value: JsonValue::Parts(part()) }])),
                ),
                (
                    "content type",
                    body(Body::Text {
                        content_type: (*value).to_owned(),
                        content: "GET /evil HTTP/1.1\r\n\r\n".to_owned(),
                    }),
                ),
                ("origin", get_from(&format!("https://api.example.com{value}"))),
            ];
            for (place, request) in requests {
                bench.call = call();
                let before = bench.site.seen().len();
                let result = bench.send(request).await;
                let seen = &bench.site.seen()[before..];
                let shown = format!("{place}, break {at}, {secrecy}: {result:?}");
                match result {
                    Ok(_) => {
                        assert_eq!(seen.len(), 1, "{shown}");
                        let evil = |line: &str| line.trim_start().to_ascii_lowercase().starts_with("x-evil");
                        assert!(!seen[0].head.split(['\r', '\n']).any(evil), "{shown}: {}", seen[0].head);
                        assert!(
                            seen[0].line().ends_with(" HTTP/1.1") && !seen[0].line().starts_with("GET /evil"),
                            "{shown}"
                        );
                        assert_eq!(seen[0].line().matches(' ').count(), 2, "{shown}: {}", seen[0].line());
                    }
                    Err(error) => {
                        assert!(matches!(error.kind, ErrorKind::InvalidRequest | ErrorKind::Denied(_)), "{shown}");
                        assert!(!error.sent && seen.is_empty(), "{shown}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_headers_that_steer_a_connection_are_the_hosts_alone() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    for (name, value) in [
        ("Host", "127.0.0.1"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ("Proxy-Authorization", "Basic x"),
        ("X-Forwarded-Host", "127.0.0.1"),
        ("Expect", "100-continue"),
        ("TE", "trailers"),
        ("Trailer", "x"),
    ] {
        bench.call = call();
        let request = Request { headers: vec![pair(name, vec![text(value)])], ..get() };
        let error = bench.send(request).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (ErrorKind::InvalidRequest, false), "{name}");
    }
    bench.call = call();
    let form = Body::Form(vec![pair("a", vec![text("b")])]);
    bench.send(Request { method: Method::Post, body: form, ..get() }).await.unwrap();
    let head = bench.site.seen()[0].head.to_ascii_lowercase();
    for name in ["host:", "content-length:", "content-type:"] {
        assert_eq!(head.matches(&format!("\r\n{name}")).count(), 1, "{head}");
    }
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_request_that_a_server_would_take_for_another_is_not_sent() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    let header = |name: &str| Request { headers: vec![pair(name, vec![text("DELETE")])], ..get() };
    let query = |name: &str| Request { query: vec![pair(name, vec![text("delete")])], ..get() };
    let post = |body: Body| Request { method: Method::Post, body, ..get() };
    let member = |pointer: &str| JsonMember { pointer: pointer.to_owned(), value: JsonValue::Parts(vec![text("x")]) };
    let json =
        Body::Text { content_type: "application/json".into(), content: r#"{"a":1,"\u005fMethod":"PUT"}"#.into() };
    let multipart =
        "--b\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name=_method\r\n\r\nput\r\n--b--\r\n";
    let multipart = Body::Text { content_type: "multipart/form-data; boundary=b".into(), content: multipart.into() };
    for (named, request) in [
        ("x-http-method-override", header("X-HTTP-Method-Override")),
        ("x_http_method", header("X_HTTP_Method")),
        ("x-original-url", header("X-Original-URL")),
        ("x-envoy-original-path", header("X-Envoy-Original-Path")),
        ("forwarded", header("Forwarded")),
        ("_method", query("_method")),
        ("_METHOD", query("_METHOD")),
        ("method", query("method")),
        ("x-http-method-override", query("x-http-method-override")),
        ("_method", post(Body::Form(vec![pair("_method", vec![hidden("put")])]))),
        ("_Method", post(Body::Json(vec![member("/a"), member("/_Method")]))),
        ("_Method", post(json)),
        ("_method", post(multipart)),
    ] {
        bench.call = call();
        let error = bench.send(request).await.unwrap_err();
        assert_eq!((&error.kind, error.sent), (&ErrorKind::InvalidRequest, false), "{named}");
        assert!(error.message.contains(named), "{named}: {}", error.message);
    }
    assert_eq!(bench.site.connections(), 0);
    for query in [("method", "auth.test"), ("payment_method", "delete")] {
        bench.call = call();
        bench.send(Request { query: vec![pair(query.0, vec![text(query.1)])], ..get() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_flood_of_headers_or_a_request_that_is_too_large_is_not_sent() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    let many = Request { headers: vec![pair("X-A", vec![text("b")]); 65], ..get() };
    let large = Request { headers: vec![pair("X-A", vec![text(&"b".repeat(70_000))])], ..get() };
    let larger = Body::Text { content_type: "text/plain".to_owned(), content: "b".repeat(70_000) };
    for request in [many, large, Request { method: Method::Post, body: larger, ..get() }] {
        let error = bench.send(request).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (ErrorKind::InvalidRequest, false));
    }
    assert_eq!(bench.site.connections(), 0);
}

#[tokio::test]
async fn an_answer_whose_end_can_be_read_in_two_ways_never_runs_into_the_next() {
    let smuggled = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstole";
    let heads: [(&str, &str); 12] = [
        ("a length and chunks", "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        ("chunks and a length", "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        ("two lengths", "content-length: 2\r\ncontent-length: 99\r\n\r\nok"),
        ("the same length twice", "content-length: 2\r\ncontent-length: 2\r\n\r\nok"),
        ("a list of lengths", "content-length: 2, 2\r\n\r\nok"),
        ("a signed length", "content-length: +2\r\n\r\nok"),
        ("a negative length", "content-length: -2\r\n\r\nok"),
        ("a length beyond numbers", "content-length: 99999999999999999999999\r\n\r\nok"),
        ("a space before the colon", "content-length : 2\r\n\r\nok"),
        ("a folded header", "x-a: b\r\n c: d\r\ncontent-length: 2\r\n\r\nok"),
        ("chunks spelled oddly", "transfer-encoding: \tchunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        ("more than was declared", "content-length: 2\r\n\r\nok"),
    ];
    for (what, rest) in heads {
        let first = format!("HTTP/1.1 200 OK\r\n{rest}{smuggled}");
        let limit = |settings: &mut EgressSettings| {
            settings.limits.request_time = std::time::Duration::from_millis(500);
        };
        let mut bench = Bench::with(limit, move |seen| match seen.line() {
            "GET /first HTTP/1.1" => Reply::Say(first.clone().into_bytes()),
            _ => answer("200 OK", &[], "second"),
        })
        .await;
        let at = |name: &str| Request { path: vec![vec![text(name)]], ..get() };
        match bench.send(at("first")).await {
            Ok(response) => assert!(response.body == b"ok" || response.body.starts_with(b"ok"), "{what}"),
            Err(error) => assert!(
                matches!(error.kind, ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::TooLarge) && error.sent,
                "{what}: {error:?}"
            ),
        }
        // Not the next request alone: the client may need a moment to notice the end of the connection.
        for _ in 0..3 {
            let next = bench.send(at("next")).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(String::from_utf8_lossy(&next.body), "second", "{what}");
        }
    }
}
