//! Names, connections and certificates.

use std::net::Ipv4Addr;

use tokio::net::TcpListener;

use super::site::*;
use crate::*;

/// A port without a listener.
async fn closed_port() -> std::net::SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn a_host_where_nothing_listens_refuses() {
    let client = client(Authority::new().settings(), "api.example.com", closed_port().await);
    for (origin, message) in [
        ("https://api.example.com", "connect ECONNREFUSED api.example.com:443"),
        ("https://api.example.com:8443", "connect ECONNREFUSED api.example.com:8443"),
    ] {
        let error = client.send(&mut call(), get_from(origin)).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str(), error.sent), (ErrorKind::Refused, message, false));
    }
}

#[tokio::test]
async fn a_port_in_the_url_is_told_but_the_given_one_is_dialled() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    bench.send(get_from("https://api.example.com:8443")).await.unwrap();
    assert_eq!(bench.site.seen()[0].header("host"), Some("api.example.com:8443"));
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_is_refused_in_words() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (issuer, name, validity, words) in [
        (&authority, "www.example.com", Validity::Now, "the certificate is for another host"),
        (&authority, "api.example.com", Validity::Over, "the certificate has expired"),
        (&stranger, "api.example.com", Validity::Now, "the certificate is from an unknown issuer"),
    ] {
        let site = Site::tls(issuer, name, validity, |_| answer("200 OK", &[], "")).await;
        let client = client(authority.settings(), "api.example.com", site.address);
        let error = client.send(&mut call(), get()).await.unwrap_err();
        let message = format!("TLS with api.example.com: {words}");
        assert_eq!((error.kind, error.message, error.sent), (ErrorKind::Tls, message, false));
        assert!(site.seen().is_empty());
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let authority = Authority::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = client(authority.settings(), "api.example.com", listener.local_addr().unwrap());
    let server = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let mut call = call();
    let (result, ()) = tokio::join!(client.send(&mut call, get()), server);
    let error = result.unwrap_err();
    assert_eq!((error.kind, error.sent), (ErrorKind::Tls, false));
    assert!(error.message.contains("does not speak TLS"), "{}", error.message);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_times_out_unsent() {
    let authority = Authority::new();
    // The system accepts connections, but no process responds.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut settings = authority.settings();
    settings.limits.connect_time = std::time::Duration::from_millis(200);
    let client = client(settings, "api.example.com", listener.local_addr().unwrap());
    let error = client.send(&mut call(), get()).await.unwrap_err();
    let message = "no connection to api.example.com:443 within 200 ms";
    assert_eq!((error.kind, error.message.as_str(), error.sent), (ErrorKind::Timeout, message, false));
}

#[tokio::test]
async fn connections_are_kept_for_one_app_and_not_shared_with_another() {
    let authority = Authority::new();
    let site = Site::tls(&authority, "api.example.com", Validity::Now, |_| answer("200 OK", &[], "ok")).await;
    let mut settings = authority.settings();
    settings.dev_resolve = vec![format!("api.example.com={}", site.address).parse().unwrap()];
    let egress = Egress::new(settings).unwrap();
    let (one, other) = (AppClient::new(&egress).unwrap(), AppClient::new(&egress).unwrap());
    let mut call = call();
    for _ in 0..3 {
        one.send(&mut call, get()).await.unwrap();
    }
    assert_eq!(site.connections(), 1);
    other.send(&mut call, get()).await.unwrap();
    assert_eq!(site.connections(), 2);
}

#[tokio::test]
async fn plain_http_reaches_this_machine_in_development() {
    let site = Site::plain(|_| answer("200 OK", &[], "ok")).await;
    let grants: GrantSet = std::iter::once(format!("GET https://{}/*", site.address).parse().unwrap()).collect();
    let settings = EgressSettings { loopback: Loopback::AllowedForDevelopment, ..EgressSettings::default() };
    let client = AppClient::new(&Egress::new(settings).unwrap()).unwrap();
    let mut call = Call::new(grants.into(), call().deadline(), &EgressLimits::default());
    let response = client.send(&mut call, get_from(&format!("http://{}", site.address))).await.unwrap();
    assert_eq!(response.body, b"ok");
    assert_eq!(site.seen()[0].header("host"), Some(site.address.to_string().as_str()));

    let strict = AppClient::new(&Egress::new(EgressSettings::default()).unwrap()).unwrap();
    let error = strict.send(&mut call, get_from(&format!("http://{}", site.address))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_host_that_fails_again_and_again_is_left_alone() {
    let client = client(Authority::new().settings(), "api.example.com", closed_port().await);
    let reached = |call: &Call| call.contact().map(|contact| (contact.host.to_string(), contact.reached));
    for _ in 0..10 {
        let mut call = call();
        let error = client.send(&mut call, get()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused);
        assert_eq!(reached(&call), Some(("api.example.com".to_owned(), Reached::Unconnected)));
    }
    let mut call = call();
    let error = client.send(&mut call, get()).await.unwrap_err();
    assert!(matches!(reached(&call), Some((_, Reached::HeldBack(_)))), "{:?}", call.contact());
    assert_eq!((&error.kind, error.sent), (&ErrorKind::Refused, false), "what opened the breaker stays the reason");
    let open = "connect ECONNREFUSED api.example.com:443 (circuit breaker open for api.example.com, retry in ";
    assert!(error.message.starts_with(open), "{error}");
}

#[tokio::test]
async fn statuses_do_not_open_the_breaker() {
    let mut bench = Bench::new(|_| answer("503 Service Unavailable", &[], "")).await;
    for _ in 0..12 {
        bench.call = call();
        assert_eq!(bench.send(get()).await.unwrap().status, 503);
    }
}
