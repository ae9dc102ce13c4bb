//! TLS, keep-alive, the log, and each fault, over real sockets.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::Delivery;
use crate::test_client::{BoxError, connect, request, send, tls};

const HOST: &str = "api.example.com";

async fn providers(reply: Reply) -> (MockProviders, SocketAddr) {
    let mut providers = MockProviders::start().await.unwrap();
    let address = providers.add(HOST, move |_| reply.clone()).await.unwrap();
    (providers, address)
}

fn reason(error: &BoxError) -> String {
    format!("{error:?}")
}

#[tokio::test]
async fn only_a_client_that_trusts_the_authority_gets_through() {
    let (providers, address) = providers(Reply::text(200, "hello")).await;
    let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
    let response = send(&mut sender, request("GET", HOST, "/", &[])).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, b"hello".as_slice()));

    let stranger = ThrowAwayCa::new().unwrap();
    let refused = connect(address, HOST, stranger.pem()).await.map(|_| ()).unwrap_err();
    assert!(reason(&refused).contains("UnknownIssuer") || reason(&refused).contains("BadSignature"), "{refused:?}");
}

#[tokio::test]
async fn another_hosts_or_an_expired_certificate_is_refused() {
    let (mut providers, address) = providers(Reply::status(204)).await;
    let refused = connect(address, "other.example.com", providers.ca_pem()).await.map(|_| ()).unwrap_err();
    assert!(reason(&refused).contains("NotValidForName"), "{refused:?}");

    let expired = providers.ca().expired_server_config(&["old.example.com"]).unwrap();
    let address = providers.add_with_tls("old.example.com", expired, |_| Reply::status(204)).await.unwrap();
    let refused = connect(address, "old.example.com", providers.ca_pem()).await.map(|_| ()).unwrap_err();
    assert!(reason(&refused).contains("Expired"), "{refused:?}");
}

#[tokio::test]
async fn a_wildcard_covers_one_label() {
    let mut providers = MockProviders::start().await.unwrap();
    let address = providers.add("*.example.com", |_| Reply::status(204)).await.unwrap();
    assert!(connect(address, "a.example.com", providers.ca_pem()).await.is_ok());
    assert!(connect(address, "a.b.example.com", providers.ca_pem()).await.is_err());
    assert!(connect(address, "example.com", providers.ca_pem()).await.is_err());
}

#[tokio::test]
async fn what_came_in_is_recorded_whole_and_by_connection() {
    let (providers, address) = providers(Reply::status(204)).await;
    for pass in 0..2 {
        let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
        for _ in 0..2 {
            let mut sent = request("POST", HOST, "/a%20b?c=d", &[("x-pass", &pass.to_string())]);
            *sent.body_mut() = Full::from("body");
            assert_eq!(send(&mut sender, sent).await.unwrap().status, 204);
        }
    }
    let received = providers.received();
    assert_eq!((received.len(), providers.received_total()), (4, 4));
    let first = &received[0];
    assert_eq!((first.method.as_str(), first.path_and_query.as_str()), ("POST", "/a%20b?c=d"));
    assert_eq!((first.host.as_str(), first.server_name.as_deref()), (HOST, Some(HOST)));
    assert_eq!((first.header("X-Pass"), first.body.as_slice()), (Some("0"), b"body".as_slice()));
    assert_eq!(first.connection, received[1].connection);
    assert_ne!(first.connection, received[2].connection);
    providers.forget_received();
    assert!(providers.received().is_empty());
}

#[tokio::test]
async fn a_closed_connection_gives_no_answer() {
    let (providers, address) = providers(Reply::status(200).delivered(Delivery::Closed)).await;
    let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
    assert!(send(&mut sender, request("GET", HOST, "/", &[])).await.is_err());
    assert_eq!(providers.received_total(), 1);
}

#[tokio::test]
async fn an_endless_body_goes_on_for_as_long_as_it_is_read() {
    let endless = Reply::text(200, "ab").delivered(Delivery::Endless);
    let (providers, address) = providers(endless).await;
    let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
    let response = sender.send_request(request("GET", HOST, "/", &[])).await.unwrap();
    assert!(response.headers().get("content-length").is_none());
    let mut body = response.into_body();
    let mut seen = 0;
    while seen < 2_000_000 {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(frame.iter().all(|byte| b"ab".contains(byte)));
        seen += frame.len();
    }
}

#[tokio::test]
async fn a_body_cut_short_breaks_off_after_its_first_half() {
    let (providers, address) = providers(Reply::text(200, "0123456789").delivered(Delivery::CutShort)).await;
    let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
    let response = sender.send_request(request("GET", HOST, "/", &[])).await.unwrap();
    assert_eq!(response.headers()["content-length"], "10");
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "01234");
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn a_dripping_or_delayed_answer_takes_its_time() {
    let drip = Reply::text(200, "012345").delivered(Delivery::Drip(Duration::from_millis(10)));
    for (reply, at_least) in [(drip, 60), (Reply::text(200, "012345").delayed(Duration::from_millis(80)), 80)] {
        let (providers, address) = providers(reply).await;
        let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
        let start = Instant::now();
        let response = send(&mut sender, request("GET", HOST, "/", &[])).await.unwrap();
        assert_eq!(response.body, b"012345");
        assert!(start.elapsed() >= Duration::from_millis(at_least), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn raw_bytes_are_all_that_is_sent() {
    let raw = b"SSH-2.0-not-http\r\n".to_vec();
    let (providers, address) = providers(Reply::status(200).delivered(Delivery::Raw(raw.clone()))).await;
    let mut stream = tls(address, HOST, providers.ca_pem()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: api.example.com\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    stream.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, raw);
}

#[tokio::test]
async fn an_asynchronous_handler_can_hold_an_answer_back() {
    let mut providers = MockProviders::start().await.unwrap();
    let gate = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&gate);
    let address = providers
        .add_async(HOST, move |_| {
            let held = Arc::clone(&held);
            async move {
                held.notified().await;
                Reply::status(204)
            }
        })
        .await
        .unwrap();
    let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
    let response = send(&mut sender, request("GET", HOST, "/", &[]));
    tokio::pin!(response);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut response).await.is_err());
    gate.notify_one();
    assert_eq!(response.await.unwrap().status, 204);
}

#[tokio::test]
async fn dropping_the_world_stops_listeners_and_connections() {
    let (providers, address) = providers(Reply::status(204)).await;
    let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
    assert_eq!(send(&mut sender, request("GET", HOST, "/", &[])).await.unwrap().status, 204);
    drop(providers);
    assert!(send(&mut sender, request("GET", HOST, "/", &[])).await.is_err());
    // The task ends at its next turn; until then the port may still accept.
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "the port is still open");
        tokio::task::yield_now().await;
    }
}
