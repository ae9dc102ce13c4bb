//! Responses that are odd, too large, too slow or broken.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::site::*;
use crate::*;

/// Sends the same reply each time.
type Script = fn() -> Reply;

const SECOND: Duration = Duration::from_secs(1);

/// A prefix of a gzip stream that unpacks to `size` bytes: each block encodes the same MiB of zeros, independent of
/// earlier blocks.
fn bomb(size: usize) -> Vec<u8> {
    let mut compress = flate2::Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(8192);
    compress.compress_vec(&vec![0; 1 << 20], &mut block, flate2::FlushCompress::Full).unwrap();
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [header.as_slice(), block.repeat(size >> 20).as_slice()].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn redirects_come_back_as_they_are() {
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let mut bench = Bench::new(move |_| answer(status, &["Location: https://127.0.0.1/metadata"], "")).await;
        let response = bench.send(get()).await.unwrap();
        assert_eq!(response.status.to_string(), status[..3]);
        assert!(response.headers.contains(&("location".to_owned(), "https://127.0.0.1/metadata".to_owned())));
        assert_eq!(bench.site.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_compressed_answer_is_decompressed() {
    let mut bench = Bench::new(|_| answer("200 OK", &["Content-Encoding: gzip"], gzip(b"s3cret and more"))).await;
    bench.call.add_secret(secret("s3cret"));
    let response = bench.send(get()).await.unwrap();
    assert_eq!(response.body, b"*** and more");
    let head = bench.send(Request { method: Method::Head, ..get() }).await;
    assert!(head.is_ok_and(|response| response.body.is_empty()));
}

#[tokio::test]
async fn what_is_too_large_is_not_read_to_its_end() {
    let limit = 64 * 1024;
    let replies: [(&str, Script); 9] = [
        ("told", || Reply::SayAndStall(b"HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n".to_vec())),
        ("not told", || Reply::SayAndClose([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 65 * 1024]].concat())),
        ("without end", || {
            let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 0x1000], b"\r\n".to_vec()].concat();
            Reply::SayAndStall(
                [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(), chunk.repeat(17)].concat(),
            )
        }),
        ("a gzip bomb", || answer("200 OK", &["Content-Encoding: gzip"], gzip(&vec![0; 40 * 1024 * 1024]))),
        ("a gzip bomb of 10 GiB", || answer("200 OK", &["Content-Encoding: gzip"], bomb(10 << 30))),
        ("100,000 headers", || {
            Reply::SayAndStall(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(100_000)).into_bytes())
        }),
        ("128 headers and more", || {
            Reply::SayAndStall(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(129)).into_bytes())
        }),
        ("large headers", || answer("200 OK", &[&format!("a: {}", "x".repeat(66_000))], "")),
        ("headers without end", || Reply::Flood(b"HTTP/1.1 200 OK\r\na: ".to_vec(), vec![b'x'; 4096])),
    ];
    for (what, reply) in replies {
        let mut bench = Bench::with(move |settings| settings.limits.response_bytes = limit, move |_| reply()).await;
        let error = bench.send(get()).await.unwrap_err();
        assert_eq!((&error.kind, error.sent), (&ErrorKind::TooLarge, true), "{what}: {error}");
    }
    let exactly = move |_: &Seen| answer("200 OK", &[], vec![b'x'; limit]);
    let mut bench = Bench::with(move |settings| settings.limits.response_bytes = limit, exactly).await;
    assert_eq!(bench.send(get()).await.unwrap().body.len(), limit);
}

#[tokio::test]
async fn an_answer_in_another_coding_is_refused() {
    for coding in ["br", "deflate", "gzip, br", "x"] {
        let mut bench =
            Bench::new(move |_| answer("200 OK", &[&format!("Content-Encoding: {coding}")], "s3cret")).await;
        let error = bench.send(get()).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (ErrorKind::Transport, true), "{coding}");
    }
}

#[tokio::test]
async fn a_slow_answer_ends_with_its_time() {
    let replies: [(Script, &str); 5] = [
        (|| Reply::SayAndStall(Vec::new()), "no answer from api.example.com within 300 ms"),
        (
            || Reply::Flood(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
            "no answer from api.example.com within 300 ms",
        ),
        (
            || Reply::Drip(Vec::new(), b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec(), SECOND),
            "no answer from api.example.com within 300 ms",
        ),
        (
            || Reply::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n".to_vec(), vec![b'x'; 20], SECOND),
            "the answer from api.example.com was not complete within 300 ms",
        ),
        (
            || Reply::SayAndStall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345".to_vec()),
            "the answer from api.example.com was not complete within 300 ms",
        ),
    ];
    for (reply, message) in replies {
        let limit = |settings: &mut EgressSettings| settings.limits.request_time = Duration::from_millis(300);
        let mut bench = Bench::with(limit, move |_| reply()).await;
        let error = bench.send(get()).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str(), error.sent), (ErrorKind::Timeout, message, true));

        // The deadline of the call comes first here, and the message says so.
        bench.call = call_with(&EgressLimits::default(), Duration::from_millis(150));
        let error = bench.send(get()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert!(error.message.ends_with("all that was left of the call"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_a_transport_error() {
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("not HTTP", &b"hello\r\n\r\n"[..]),
        ("HTTP/0.9", &b"<html>hello</html>"[..]),
        ("HTTP/2", &b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff"[..]),
        ("an invalid version", &b"HTTP/3.7 200 OK\r\n\r\n"[..]),
        ("an invalid status", &b"HTTP/1.1 20 OK\r\n\r\n"[..]),
        ("a NUL in a header", &b"HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 0\r\n\r\n"[..]),
        ("invalid chunks", &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"[..]),
        (
            "a chunk size beyond numbers",
            &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx"[..],
        ),
        ("half a chunk", &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"[..]),
        ("half a head", &b"HTTP/1.1 200 OK\r\ncontent-le"[..]),
        ("half a body", &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"[..]),
        ("two lengths", &b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n1"[..]),
        ("another protocol", &b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"[..]),
        ("broken gzip", &b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nxxxxx"[..]),
    ] {
        let mut bench = Bench::new(move |_| Reply::SayAndClose(bytes.to_vec())).await;
        let error = bench.send(get()).await.unwrap_err();
        assert_eq!((&error.kind, error.sent), (&ErrorKind::Transport, true), "{what}: {error}");
        assert!(error.message.contains("api.example.com"), "{what}: {error}");
        assert_eq!(bench.site.seen().len(), 1, "{what}: nothing is sent twice");
    }
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_the_connection() {
    let mut bench = Bench::new(|_| Reply::SayAndClose(b"HTTP/1.0 200 OK\r\n\r\nall there is".to_vec())).await;
    assert_eq!(bench.send(get()).await.unwrap().body, b"all there is");
}

#[tokio::test]
async fn informational_answers_are_passed_over() {
    let bytes =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let mut bench = Bench::new(move |_| Reply::Say(bytes.to_vec())).await;
    assert_eq!(bench.send(get()).await.unwrap().status, 204);
}
