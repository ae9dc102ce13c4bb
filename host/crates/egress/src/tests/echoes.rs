//! Group 22: secrets in a response are removed, at any place.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::site::*;
use crate::*;

/// A secret that every encoding changes.
const KEY: &str = "k3y/\"with\" + spaces & <tags> é";
const SIMPLE: &str = "sk-live-0123456789abcdef";

/// All that RFC 3986 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Ways to echo a secret.
fn spellings(secret: &str) -> Vec<(&'static str, String)> {
    let form = utf8_percent_encode(secret, RESERVED).to_string();
    vec![
        ("as it is", secret.to_owned()),
        ("URL-encoded", form.clone()),
        ("URL-encoded in lower case", form.split('%').map(lower_escape).collect::<Vec<_>>().join("%")),
        ("form-encoded", form.replace("%20", "+")),
        ("base64", STANDARD.encode(secret)),
        ("base64 for URLs", URL_SAFE_NO_PAD.encode(secret)),
        ("base64 of a pair", STANDARD.encode(format!("user:{secret}"))),
        ("JSON", serde_json::to_string(secret).unwrap()),
        ("JSON in ASCII", serde_json::to_string(secret).unwrap().replace('é', "\\u00e9")),
        (
            "JSON of Go and Rails",
            secret.replace('"', "\\\"").replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        ),
        (
            "JSON of .NET",
            secret
                .replace('"', "\\u0022")
                .replace('&', "\\u0026")
                .replace('<', "\\u003C")
                .replace('>', "\\u003E")
                .replace('+', "\\u002B")
                .replace('é', "\\u00E9"),
        ),
        ("HTML", secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")),
    ]
}

/// Lowers the hex digits after a `%`: `2Fab` becomes `2fab`.
fn lower_escape(after: &str) -> String {
    let (digits, rest) = after.split_at(2.min(after.len()));
    digits.to_ascii_lowercase() + rest
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 401 Unauthorized\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        write!(bytes, "{:x}\r\n", chunk.len()).unwrap();
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A way to deliver a text.
type Delivery = fn(&str) -> Reply;

#[tokio::test]
async fn no_echo_of_a_secret_comes_through_a_body() {
    let deliveries: [(&str, Delivery); 5] = [
        ("whole", |body| answer("401 Unauthorized", &[], body)),
        ("a success", |body| answer("200 OK", &["content-type: text/html"], body)),
        ("byte by byte", |body| Reply::Say(chunked(body.as_bytes(), 1))),
        ("in chunks", |body| Reply::Say(chunked(body.as_bytes(), 7))),
        ("compressed", |body| answer("500 Oops", &["content-encoding: gzip"], gzip(body.as_bytes()))),
    ];
    for secret in [KEY, SIMPLE] {
        for (spelling, echo) in spellings(secret) {
            for (delivery, deliver) in deliveries {
                let echo = echo.clone();
                let mut bench = Bench::new(move |_| deliver(&format!("before [{echo}] after"))).await;
                bench.call.add_secret(super::site::secret(secret));
                let response = bench.send(get()).await.unwrap();
                let body = String::from_utf8(response.body).unwrap();
                assert!(body.contains("***"), "{spelling}, {delivery}: {body}");
                assert!(!body.contains(secret), "{spelling}, {delivery}: {body}");
                // Twelve bytes for quotes, and in base64 for the bytes before the secret and the seam.
                let most = "before [***] after".len() + 12;
                assert!(body.len() <= most, "{spelling}, {delivery}: something is left in {body}");
            }
        }
    }
}

#[tokio::test]
async fn no_echo_of_a_secret_comes_through_headers_and_trailers() {
    for (spelling, echo) in spellings(SIMPLE) {
        for place in [
            "x-echo: {}",
            "location: https://api.example.com/cb?token={}",
            "www-authenticate: Bearer realm=\"{}\"",
            "set-cookie: a={}; Path=/",
            "x-{}: name",
            "server: {}",
        ] {
            if place.starts_with("x-{}") && spelling != "as it is" {
                continue;
            }
            let header = place.replace("{}", &echo);
            let mut bench = Bench::new(move |_| answer("302 Found", &[&header], "")).await;
            let request = Request { auth: Some(Auth::Bearer(vec![hidden(SIMPLE)])), ..get() };
            let response = bench.send(request).await.unwrap();
            let headers = format!("{:?}", response.headers);
            assert!(headers.contains("***") && !headers.contains(SIMPLE), "{spelling} in {place}: {headers}");
        }
    }
    let trailers =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-echo: {SIMPLE}\r\n\r\n");
    let mut bench = Bench::new(move |_| Reply::Say(trailers.clone().into_bytes())).await;
    bench.call.add_secret(secret(SIMPLE));
    let response = bench.send(get()).await.unwrap();
    assert_eq!(response.body, b"ok");
    assert!(!format!("{:?}", response.headers).contains(SIMPLE));
}

#[tokio::test]
async fn no_echo_of_a_secret_comes_through_an_error() {
    let replies: [(&str, String); 5] = [
        ("no HTTP", format!("{SIMPLE}\r\n\r\n")),
        ("no status", format!("HTTP/1.1 {SIMPLE}\r\n\r\n")),
        ("no header", format!("HTTP/1.1 200 OK\r\n{SIMPLE}\r\n\r\n")),
        ("a coding", format!("HTTP/1.1 200 OK\r\ncontent-encoding: {SIMPLE}\r\ncontent-length: 1\r\n\r\n1")),
        ("a length", format!("HTTP/1.1 200 OK\r\ncontent-length: {SIMPLE}\r\n\r\n1")),
    ];
    for (what, reply) in replies {
        let mut bench = Bench::new(move |_| Reply::SayAndClose(reply.clone().into_bytes())).await;
        let path = vec![vec![hidden(SIMPLE)]];
        let error = bench.send(Request { path, ..get() }).await.unwrap_err();
        assert!(!format!("{error:?}").contains(SIMPLE), "{what}: {error:?}");
    }
    // The plugin itself writes the secret into a host, a path or a header name: the error does not repeat it.
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    bench.call.add_secret(secret(SIMPLE));
    for request in [
        get_from(&format!("https://{SIMPLE}.example.org")),
        Request { path: vec![vec![text(SIMPLE)]], ..get_from("https://evil.example.org") },
        Request { headers: vec![pair(&format!("{SIMPLE} "), vec![])], ..get() },
    ] {
        let error = bench.send(request).await.unwrap_err();
        assert!(!format!("{error:?}").contains(SIMPLE), "{error:?}");
    }
}
