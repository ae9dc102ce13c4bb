//! Requests that are refused before any byte is sent.

use std::time::Duration;

use super::site::*;
use crate::*;

#[tokio::test]
async fn an_ungranted_host_is_denied_before_its_name_is_looked_up() {
    let authority = Authority::new();
    // This resolver has no names: a lookup would end as a DNS error.
    let client = AppClient::new(&Egress::new(authority.settings()).unwrap()).unwrap();
    let mut call = call();
    let request = Request {
        path: vec![vec![text("v1")], vec![hidden("s3cret")], vec![text("me")]],
        ..get_from("https://evil.example.org")
    };
    let error = client.send(&mut call, request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied("GET https://evil.example.org/v1/*".to_owned()));
    assert_eq!(error.message, "no grant covers `GET https://evil.example.org/v1/*`");
    assert!(!error.sent);

    let granted = client.send(&mut call, get_from("https://www.example.com")).await.unwrap_err();
    assert_eq!((granted.kind, granted.message.as_str()), (ErrorKind::Dns, "getaddrinfo ENOTFOUND www.example.com"));
}

#[tokio::test]
async fn a_grant_does_not_depend_on_what_a_secret_is() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    let grants: GrantSet = ["GET https://api.example.com/v1/abc"].iter().map(|line| line.parse().unwrap()).collect();
    bench.call = Call::new(grants.into(), bench.call.deadline(), &EgressLimits::default());
    let request = |last| Request { path: vec![vec![text("v1")], vec![last]], ..get() };
    assert!(bench.send(request(text("abc"))).await.is_ok());
    let error = bench.send(request(hidden("abc"))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied("GET https://api.example.com/v1/*".to_owned()));
}

#[tokio::test]
async fn a_name_that_leads_inside_reads_like_one_that_does_not_exist() {
    let authority = Authority::new();
    for (target, loopback) in [
        ("10.1.2.3:443", Loopback::AllowedForDevelopment),
        ("169.254.169.254:80", Loopback::AllowedForDevelopment),
        ("[fd00:ec2::254]:80", Loopback::AllowedForDevelopment),
        ("[::ffff:127.0.0.1]:443", Loopback::AllowedForDevelopment),
        ("127.0.0.1:443", Loopback::Refused),
        ("[::1]:443", Loopback::Refused),
    ] {
        let settings = EgressSettings { loopback, ..authority.settings() };
        let client = client(settings, "inside.example.com", target.parse().unwrap());
        let inside = client.send(&mut call(), get_from("https://inside.example.com")).await.unwrap_err();
        let missing = client.send(&mut call(), get_from("https://missing.example.com")).await.unwrap_err();
        let expected = SendError {
            kind: ErrorKind::Dns,
            message: "getaddrinfo ENOTFOUND inside.example.com".to_owned(),
            sent: false,
            offending: None,
        };
        assert_eq!(format!("{inside:?}"), format!("{expected:?}"), "{target}");
        assert_eq!(format!("{missing:?}").replace("missing", "inside"), format!("{inside:?}"), "{target}");
    }
}

#[tokio::test]
async fn addresses_in_urls_are_checked_like_those_of_names() {
    let authority = Authority::new();
    let settings = || EgressSettings { dev_resolve: Vec::new(), ..authority.settings() };
    let strict =
        AppClient::new(&Egress::new(EgressSettings { loopback: Loopback::Refused, ..settings() }).unwrap()).unwrap();
    let dev = AppClient::new(&Egress::new(settings()).unwrap()).unwrap();
    for (client, origin) in [
        (&strict, "https://127.0.0.1"),
        (&strict, "https://[::1]"),
        (&strict, "https://10.0.0.1"),
        (&dev, "https://10.0.0.1"),
        (&dev, "https://169.254.169.254"),
    ] {
        let error = client.send(&mut call(), get_from(origin)).await.unwrap_err();
        assert!(
            matches!(&error.kind, ErrorKind::Denied(what) if what.contains("never dialled")),
            "{origin}: {error:?}"
        );
    }
    // In a closed network no host is outside, not even by address.
    let closed = AppClient::new(&Egress::new(authority.settings()).unwrap()).unwrap();
    let error = closed.send(&mut call(), get_from("https://8.8.8.8")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Dns);
}

#[tokio::test]
async fn a_call_has_so_many_requests_and_denied_ones_count() {
    let mut bench = Bench::with(|settings| settings.limits.requests_per_call = 2, |_| answer("200 OK", &[], "")).await;
    assert!(bench.send(get()).await.is_ok());
    assert!(bench.send(get_from("https://evil.example.org")).await.is_err());
    let error = bench.send(get()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BudgetExhausted);
    assert!(error.message.contains("2 requests"), "{error}");
    assert_eq!(bench.site.seen().len(), 1);
}

#[tokio::test]
async fn a_call_whose_time_is_up_sends_nothing() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    bench.call = call_with(&EgressLimits::default(), Duration::ZERO);
    let error = bench.send(get()).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (ErrorKind::BudgetExhausted, false));
    assert_eq!(bench.site.connections(), 0);
}
