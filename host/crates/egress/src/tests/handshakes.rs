//! Group 18: handshakes that must fail, and the errors for them.
//!
//! Whether a certificate was revoked is not looked up: rustls fetches no revocation list, and the lists and
//! OCSP servers of public authorities would be one more destination of requests.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::site::*;
use crate::*;

fn server() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(crate::tls::provider()).with_safe_default_protocol_versions().unwrap()
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_is_not_believed() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = server().with_no_client_auth().with_single_cert(vec![own.der().clone()], key).unwrap();
    let site = Site::with(config, |_| answer("200 OK", &[], "")).await;
    let client = client(authority.settings(), "api.example.com", site.address);
    let error = client.send(&mut call(), get()).await.unwrap_err();
    assert_eq!((&error.kind, error.sent), (&ErrorKind::Tls, false), "{error}");
    assert!(site.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_is_for_the_name_or_the_address_that_was_asked_for() {
    let authority = Authority::new();
    for (of, asked, fits) in [
        ("api.example.com", "api.example.com", true),
        ("*.example.com", "api.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.com", "example.com", false),
        ("example.com", "api.example.com", false),
        ("127.0.0.1", "api.example.com", false),
        ("127.0.0.1", "127.0.0.1", true),
        ("api.example.com", "127.0.0.1", false),
    ] {
        let site = Site::tls(&authority, of, Validity::Now, |_| answer("200 OK", &[], "")).await;
        let mut settings = authority.settings();
        settings.dev_resolve = vec![format!("{}={}", "api.example.com", site.address).parse().unwrap()];
        settings.dev_resolve.push(format!("{}={}", "example.com", site.address).parse().unwrap());
        let port = site.address.port();
        let grants: GrantSet =
            [format!("GET https://{asked}:{port}/*")].iter().map(|line| line.parse().unwrap()).collect();
        let mut call = Call::new(grants.into(), call().deadline(), &EgressLimits::default());
        let client = AppClient::new(&Egress::new(settings).unwrap()).unwrap();
        let result = client.send(&mut call, get_from(&format!("https://{asked}:{port}"))).await;
        match result {
            Ok(_) => assert!(fits, "a certificate for {of} was taken for {asked}"),
            Err(error) => {
                assert!(!fits, "a certificate for {of} was not taken for {asked}: {error}");
                assert_eq!((error.kind, error.sent), (ErrorKind::Tls, false));
                assert!(error.message.ends_with("the certificate is for another host"), "{}", error.message);
            }
        }
        assert_eq!(site.seen().len(), usize::from(fits), "{of} {asked}");
    }
}

#[tokio::test]
async fn a_server_that_wants_to_know_the_client_is_told_no() {
    let authority = Authority::new();
    let mut roots = RootCertStore::empty();
    roots.add(authority.root()).unwrap();
    let verifier = || WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), crate::tls::provider());
    for (verifier, is_served) in
        [(verifier().build().unwrap(), false), (verifier().allow_unauthenticated().build().unwrap(), true)]
    {
        let (certificate, key) = authority.certificate("api.example.com", Validity::Now);
        let config = server().with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key).unwrap();
        let site = Site::with(config, |_| answer("200 OK", &[], "")).await;
        let client = client(authority.settings(), "api.example.com", site.address);
        match client.send(&mut call(), get()).await {
            Ok(_) => assert!(is_served),
            Err(error) => {
                assert!(!is_served, "{error}");
                assert!(matches!(error.kind, ErrorKind::Tls), "{error:?}");
                assert!(error.message.contains("asks for a client certificate"), "{error}");
            }
        }
        assert_eq!(site.seen().len(), usize::from(is_served));
    }
}

/// The record in which a server of TLS 1.1 sends its chosen version (RFC 4346, 7.4.1.3).
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    // No session; TLS_RSA_WITH_AES_128_CBC_SHA; no compression.
    hello.extend([0, 0, 0x2f, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    [vec![22, 3, 2, 0, length + 4, 2, 0, 0, length], hello].concat()
}

#[tokio::test]
async fn what_is_no_handshake_or_an_old_one_ends_at_once_and_unsent() {
    let authority = Authority::new();
    for (what, bytes) in [
        ("TLS 1.1", hello_of_tls_1_1()),
        ("an alert about the version", vec![21, 3, 1, 0, 2, 2, 70]),
        ("an alert about the ciphers", vec![21, 3, 3, 0, 2, 2, 40]),
        ("an alert about the name", vec![21, 3, 3, 0, 2, 2, 112]),
        ("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()),
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("SMTP", b"220 mail.example.com ESMTP\r\n".to_vec()),
        ("nothing", Vec::new()),
        ("a record that never ends", [vec![22, 3, 3, 0x40, 0], vec![2; 100]].concat()),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut settings = authority.settings();
        settings.limits.connect_time = Duration::from_millis(500);
        let client = client(settings, "api.example.com", listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        };
        let mut call = call();
        let (result, ()) = tokio::join!(client.send(&mut call, get()), server);
        let error = result.unwrap_err();
        assert_eq!((&error.kind, error.sent), (&ErrorKind::Tls, false), "{what}: {error:?}");
        assert!(error.message.starts_with("TLS with api.example.com: "), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_handshake_that_drips_ends_with_the_time_to_connect() {
    let authority = Authority::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut settings = authority.settings();
    settings.limits.connect_time = Duration::from_millis(300);
    let client = client(settings, "api.example.com", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        for byte in [vec![22, 3, 3, 0x40, 0], vec![2; 1000]].concat() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    let mut call = call();
    let began = std::time::Instant::now();
    let error = tokio::select! {
        result = client.send(&mut call, get()) => result.unwrap_err(),
        () = server => panic!("the server was listened to until its end"),
    };
    assert_eq!((&error.kind, error.sent), (&ErrorKind::Timeout, false), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}
