//! Group 14: no redirect is followed, and a plugin's own request to its target is checked like any other.

use super::site::*;
use crate::*;

/// Acts as the most trusting plugin: sends a request with the secret to the URL in `Location`.
async fn follow(bench: &mut Bench) -> Result<Response, SendError> {
    let mut request = Request { auth: Some(Auth::Bearer(vec![hidden("s3cret-token")])), ..get() };
    loop {
        let response = bench.send(request.clone()).await?;
        let Some((_, location)) = response.headers.iter().find(|(name, _)| name == "location") else {
            return Ok(response);
        };
        request.origin = location.clone();
    }
}

#[tokio::test]
async fn an_answer_that_points_elsewhere_is_handed_over_and_not_followed() {
    let authority = Authority::new();
    let other = Site::tls(&authority, "other.example.com", Validity::Now, |_| answer("200 OK", &[], "stolen")).await;
    let there = format!("https://other.example.com:{}/take", other.address.port());
    let pointers: Vec<(String, String)> = ["301", "302", "303", "307", "308", "300", "200", "201"]
        .iter()
        .map(|status| (format!("{status} Elsewhere"), format!("Location: {there}")))
        .chain([("200 OK".to_owned(), format!("Refresh: 0; url={there}"))])
        .chain([("200 OK".to_owned(), format!("Link: <{there}>; rel=preload"))])
        .chain([("200 OK".to_owned(), format!("Alt-Svc: h2=\"{}\"; ma=86400", other.address))])
        .chain([("200 OK".to_owned(), format!("Content-Location: {there}"))])
        .collect();
    for (status, header) in pointers {
        let shown = format!("{status} {header}");
        let page = format!("<meta http-equiv=\"refresh\" content=\"0; url={there}\">");
        let mut bench = Bench::new(move |_| answer(&status, &[&header], &page)).await;
        let request = Request { auth: Some(Auth::Bearer(vec![hidden("s3cret-token")])), ..get() };
        for _ in 0..2 {
            bench.send(request.clone()).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        }
        assert_eq!(bench.site.seen().len(), 2, "{shown}");
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_plugin_that_follows_is_checked_at_each_step() {
    let denied = |error: &SendError| matches!(error.kind, ErrorKind::Denied(_)) && !error.sent;
    let invalid = |error: &SendError| error.kind == ErrorKind::InvalidRequest && !error.sent;
    let missing = |error: &SendError| error.kind == ErrorKind::Dns && !error.sent;
    type Expected<'a> = &'a dyn Fn(&SendError) -> bool;
    let steps: [(&str, Expected<'_>); 10] = [
        ("https://10.0.0.1", &denied),
        ("https://169.254.169.254", &denied),
        ("https://0x7f.1", &invalid),
        ("https://private.example.com", &missing),
        ("https://evil.example.org", &denied),
        ("http://api.example.com", &invalid),
        ("http://169.254.169.254", &invalid),
        ("//169.254.169.254", &invalid),
        ("https://api.example.com@10.0.0.1", &invalid),
        ("file:///etc/passwd", &invalid),
    ];
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        for (to, expected) in &steps {
            let header = format!("Location: {to}");
            let private = |settings: &mut EgressSettings| {
                settings.dev_resolve.push("private.example.com=10.1.2.3:443".parse().unwrap());
            };
            let mut bench = Bench::with(private, move |_| answer(status, &[&header], "")).await;
            let error = follow(&mut bench).await.unwrap_err();
            assert!(expected(&error), "{status} to {to}: {error:?}");
            assert_eq!(bench.site.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_loop_and_a_long_chain_end_with_the_requests_of_the_call() {
    let mut bench = Bench::new(|_| answer("302 Found", &["Location: https://api.example.com"], "")).await;
    let error = follow(&mut bench).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (ErrorKind::BudgetExhausted, false));
    assert_eq!(bench.site.seen().len(), EgressLimits::default().requests_per_call as usize);
    assert_eq!(bench.call.requests_left(), 0);
}

#[tokio::test]
async fn authorization_is_only_where_the_plugin_put_it() {
    let mut bench = Bench::new(|_| answer("302 Found", &["Location: https://www.example.com"], "")).await;
    bench.send(Request { auth: Some(Auth::Bearer(vec![hidden("s3cret-token")])), ..get() }).await.unwrap();
    bench.send(get()).await.unwrap();
    let sent: Vec<_> = bench.site.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, [Some("Bearer s3cret-token".to_owned()), None]);
}
