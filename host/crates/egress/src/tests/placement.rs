//! Secrets are put into requests and removed from responses.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::site::*;
use crate::*;
use keyferry_types::secret::SharedSecret;

fn body_of(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

#[tokio::test]
async fn a_request_arrives_as_it_was_described() {
    let mut bench = Bench::new(|_| answer("200 OK", &["X-Answer: yes"], r#"{"ok":true}"#)).await;
    let request = Request {
        method: Method::Post,
        path: vec![vec![text("v1")], vec![text("a/b "), hidden("p?th")]],
        query: vec![pair("q", vec![text("x y&z")]), pair("k", vec![hidden("qu=ry")])],
        headers: vec![pair("X-Key", vec![text("key "), hidden("h34der")]), pair("Accept", vec![text("text/plain")])],
        auth: Some(Auth::Bearer(vec![hidden("b3arer")])),
        body: Body::Json(vec![JsonMember {
            pointer: "/a/b".to_owned(),
            value: JsonValue::Parts(vec![hidden("js\"n")]),
        }]),
        ..get()
    };
    let response = bench.send(request).await.unwrap();
    assert_eq!((response.status, body_of(&response)), (200, r#"{"ok":true}"#));
    assert!(response.headers.contains(&("x-answer".to_owned(), "yes".to_owned())));

    let seen = bench.site.seen().remove(0);
    assert_eq!(seen.line(), "POST /v1/a%2Fb%20p%3Fth?q=x%20y%26z&k=qu%3Dry HTTP/1.1");
    for (name, value) in [
        ("host", "api.example.com"),
        ("user-agent", concat!("Keyferry/", env!("CARGO_PKG_VERSION"))),
        ("x-key", "key h34der"),
        ("accept", "text/plain"),
        ("authorization", "Bearer b3arer"),
        ("content-type", "application/json"),
        ("accept-encoding", "gzip"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.body, r#"{"a":{"b":"js\"n"}}"#);
}

#[tokio::test]
async fn headers_with_a_default_can_be_set_and_an_empty_post_says_so() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    let request = Request {
        method: Method::Post,
        headers: vec![
            pair("User-Agent", vec![text("mine/1")]),
            pair("Content-Type", vec![text("application/vnd.api+json")]),
            pair("Cookie", vec![text("a=1")]),
        ],
        ..get()
    };
    bench.send(request.clone()).await.unwrap();
    bench.send(Request { body: Body::Json(Vec::new()), ..request }).await.unwrap();
    let seen = bench.site.seen();
    assert_eq!(seen[0].header("content-length"), Some("0"));
    assert_eq!((seen[1].header("content-length"), seen[1].body.as_str()), (Some("2"), "{}"));
    for seen in seen {
        assert_eq!(seen.header("user-agent"), Some("mine/1"));
        assert_eq!(seen.header("content-type"), Some("application/vnd.api+json"));
        assert_eq!(seen.header("cookie"), Some("a=1"));
        assert_eq!(seen.head.to_lowercase().matches("content-length").count(), 1);
    }
}

#[tokio::test]
async fn a_provider_that_echoes_everything_gives_no_secret_away() {
    let mut bench = Bench::new(|seen| {
        let whole = format!("{}{}", seen.head, seen.body);
        let encoded = STANDARD.encode(&whole);
        let location = seen.line().split(' ').nth(1).unwrap_or_default();
        answer(
            "401 Unauthorized",
            &[&format!("Location: {location}"), "X-Echo: qu3ry s3cret"],
            format!("{whole}\n{encoded}"),
        )
    })
    .await;
    let values = ["us3r@name", "pass/w0rd+é", "qu3ry s3cret", "path~s3cr3t!", "f0rm\"s3cret"];
    let request = Request {
        method: Method::Post,
        path: vec![vec![hidden(values[3])]],
        query: vec![pair("k", vec![hidden(values[2])])],
        auth: Some(Auth::Basic { user: vec![hidden(values[0])], password: vec![hidden(values[1])] }),
        body: Body::Form(vec![pair("f", vec![hidden(values[4])])]),
        ..get()
    };
    let response = bench.send(request).await.unwrap();

    let seen = bench.site.seen().remove(0);
    let basic = STANDARD.encode(format!("{}:{}", values[0], values[1]));
    assert_eq!(seen.header("authorization"), Some(format!("Basic {basic}").as_str()));
    let (text, encoded) = body_of(&response).rsplit_once('\n').unwrap();
    assert!(text.contains("POST /***?k=*** HTTP/1.1"), "{text}");
    assert!(text.contains("authorization: Basic ***\r\n"), "{text}");
    let everything = format!("{response:?}{:?}{}", response.headers, body_of(&response));
    for value in values.iter().copied().chain([basic.as_str(), "qu3ry%20s3cret", "path~s3cr3t!", "f0rm%22s3cret"]) {
        assert!(!everything.contains(value), "{value} in {everything}");
    }
    // Base64 of the whole cannot be decoded to a secret any more.
    for run in encoded.split("***") {
        for skip in 0..4.min(run.len()) {
            let run = &run[skip..];
            let decoded = STANDARD.decode(&run[..run.len() / 4 * 4]).unwrap_or_default();
            let decoded = String::from_utf8_lossy(&decoded).into_owned();
            assert!(values.iter().all(|value| !decoded.contains(value)), "{decoded}");
        }
    }
}

#[tokio::test]
async fn a_minted_token_is_used_without_being_seen() {
    let mut bench = Bench::new(|seen| match seen.line() {
        "POST /token HTTP/1.1" => answer(
            "200 OK",
            &["Content-Type: application/json", "Set-Cookie: t=m1nted-token"],
            r#"{"access_token":"m1nted-token","token_type":"bearer","data":{"sid":"s1d"}}"#,
        ),
        _ => answer("200 OK", &[], format!("you are {}", seen.header("authorization").unwrap_or("nobody"))),
    })
    .await;
    let request =
        Request { method: Method::Post, path: vec![vec![text("token")]], mint: vec!["/data/sid".to_owned()], ..get() };
    let response = bench.send(request).await.unwrap();
    assert_eq!(body_of(&response), r#"{"access_token":"***","token_type":"bearer","data":{"sid":"***"}}"#);
    assert!(response.headers.contains(&("set-cookie".to_owned(), "t=***".to_owned())));
    let pointers: Vec<_> = response.minted.iter().map(|minted| minted.pointer.as_str()).collect();
    assert_eq!(pointers, ["/access_token", "/data/sid"]);

    let token = response.minted[0].token.clone();
    let auth = Some(Auth::Bearer(vec![Part::Secret(token)]));
    let second = bench.send(Request { auth, ..get() }).await.unwrap();
    assert_eq!(body_of(&second), "you are Bearer ***");
    assert_eq!(bench.site.seen()[1].header("authorization"), Some("Bearer m1nted-token"));
}

#[tokio::test]
async fn signatures_cover_what_is_sent_and_are_secrets_too() {
    let mut bench = Bench::new(|seen| answer("200 OK", &[], &seen.head)).await;
    let oauth1 = OAuth1 {
        realm: Some("1234567_SB1".to_owned()),
        consumer_key: vec![hidden("consumer-k3y")],
        consumer_secret: vec![hidden("consumer-s3cret")],
        token: vec![hidden("t0ken-id")],
        token_secret: vec![hidden("t0ken-secret")],
    };
    let request = Request {
        path: vec![vec![text("record")]],
        query: vec![pair("limit", vec![text("1 0")])],
        auth: Some(Auth::OAuth1(oauth1)),
        ..get()
    };
    let response = bench.send(request).await.unwrap();
    let seen = bench.site.seen().remove(0);
    let sent = seen.header("authorization").unwrap();
    let parameter = |name: &str| {
        let (_, rest) = sent.split_once(&format!("{name}=\"")).unwrap();
        percent_encoding::percent_decode_str(rest.split_once('"').unwrap().0).decode_utf8().unwrap().into_owned()
    };
    let expected = crate::oauth1::sign(&crate::oauth1::Parameters {
        method: "GET",
        origin: "https://api.example.com",
        path: "/record",
        realm: None,
        consumer_key: "consumer-k3y",
        consumer_secret: "consumer-s3cret",
        token: "t0ken-id",
        token_secret: "t0ken-secret",
        nonce: &parameter("oauth_nonce"),
        timestamp: parameter("oauth_timestamp").parse().unwrap(),
        pairs: &[("limit", "1 0")],
    });
    assert_eq!(parameter("oauth_signature"), expected.unwrap().signature.as_str());
    assert!(body_of(&response).contains("oauth_signature=\"***\""), "{}", body_of(&response));
    assert!(body_of(&response).contains("oauth_consumer_key=\"***\""));

    let sigv4 = SigV4 {
        access_key_id: vec![hidden("AKIDEXAMPLE")],
        secret_access_key: vec![hidden("wJalrXUtnFEMI")],
        session_token: Some(vec![hidden("sessi0n-token")]),
        region: "eu-west-1".to_owned(),
        service: "sts".to_owned(),
    };
    let response = bench.send(Request { auth: Some(Auth::SigV4(sigv4)), ..get() }).await.unwrap();
    let seen = bench.site.seen().remove(1);
    let sent = seen.header("authorization").unwrap();
    assert!(sent.contains("SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="), "{sent}");
    assert_eq!(seen.header("x-amz-security-token"), Some("sessi0n-token"));
    assert!(seen.header("x-amz-date").is_some_and(|date| date.len() == 16));
    assert!(body_of(&response).contains("Signature=***"), "{}", body_of(&response));
    assert!(!body_of(&response).contains("AKIDEXAMPLE") && !body_of(&response).contains("sessi0n-token"));
}

#[tokio::test]
async fn a_signed_jwt_is_a_secret_like_its_key() {
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let mut bench = Bench::new(|seen| answer("200 OK", &[], &seen.body)).await;
    let jwt = Jwt {
        algorithm: JwtAlgorithm::Es256,
        key: secret(&key),
        header: None,
        claims: r#"{"iss":"me","exp":1}"#.to_owned(),
    };
    let request =
        Request { method: Method::Post, body: Body::Form(vec![pair("assertion", vec![Part::Jwt(jwt)])]), ..get() };
    let response = bench.send(request).await.unwrap();
    assert_eq!(bench.site.seen()[0].body.matches('.').count(), 2);
    assert_eq!(body_of(&response), "assertion=***");
}

#[tokio::test]
async fn a_secret_that_does_not_fit_is_not_shown_and_nothing_is_sent() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    let bearer = |value: &str| Request { auth: Some(Auth::Bearer(vec![hidden(value)])), ..get() };
    let colon = Auth::Basic { user: vec![hidden("s3cret:x")], password: Vec::new() };
    for request in [
        bearer("s3cret\r\nX-Evil: 1"),
        bearer("s3cret\n"),
        Request { path: vec![vec![hidden("..")]], ..get() },
        Request { path: vec![vec![text("."), hidden("%2e")]], ..get() },
        Request { auth: Some(colon), ..get() },
        Request { auth: Some(Auth::Bearer(vec![hidden(&"s3cret".repeat(11_000))])), ..get() },
        Request { body: Body::Text { content_type: "text/plain".to_owned(), content: "x".repeat(66_000) }, ..get() },
    ] {
        let error = bench.send(request).await.unwrap_err();
        assert_eq!((&error.kind, error.sent), (&ErrorKind::InvalidRequest, false), "{error}");
        assert!(!error.message.contains("s3cret"), "{error}");
    }
    assert!(bench.site.seen().is_empty());
}

#[tokio::test]
async fn a_value_that_a_request_cannot_be_built_with_is_named_and_a_mistake_of_the_plugin_names_none() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    let own = |value: &str| secret(value);
    let (cyrillic, line, colon, dots) = (own("\u{43a}\u{43b}"), own("a\nb"), own("a:b"), own(".."));
    let (no_key, large, good) = (own("hello"), own(&"x".repeat(40_000)), own("abc"));
    let plain = own("ac\"me");
    let values = [
        ("cyrillic", &cyrillic),
        ("line", &line),
        ("colon", &colon),
        ("dots", &dots),
        ("no_key", &no_key),
        ("large", &large),
        ("good", &good),
        ("plain", &plain),
    ];
    let part = |value: &SharedSecret| Part::Secret(Arc::clone(value));
    let jwt = |key: &SharedSecret, claims: &str| {
        let (algorithm, key, claims) = (JwtAlgorithm::Rs256, Arc::clone(key), claims.to_owned());
        Part::Jwt(Jwt { algorithm, key, header: None, claims })
    };
    let bearer = |value: Part| Request { auth: Some(Auth::Bearer(vec![text("k-"), value])), ..get() };
    let form = |value: Part| Request { method: Method::Post, body: Body::Form(vec![pair("f", vec![value])]), ..get() };
    let basic = |user: Part, password: Part| Auth::Basic { user: vec![user], password: vec![password] };
    let with_auth = |auth: Auth| Request { auth: Some(auth), ..get() };
    let oauth1 = |realm: &str, key: Part| {
        let (consumer_key, consumer_secret) = (vec![key], vec![part(&line)]);
        let (token, token_secret) = (vec![part(&cyrillic)], vec![part(&colon)]);
        Auth::OAuth1(OAuth1 { realm: Some(realm.to_owned()), consumer_key, consumer_secret, token, token_secret })
    };
    let sigv4 = |id: Part, session: Option<Part>, region: &str| {
        let (access_key_id, secret_access_key) = (vec![id], vec![part(&line)]);
        let (session_token, region) = (session.map(|token| vec![token]), region.to_owned());
        Auth::SigV4(SigV4 { access_key_id, secret_access_key, session_token, region, service: "sts".to_owned() })
    };
    let cases: Vec<(Request, &[&str])> = vec![
        (bearer(part(&cyrillic)), &["cyrillic"]),
        (bearer(part(&line)), &["line"]),
        (Request { headers: vec![pair("X-Key", vec![part(&good), part(&cyrillic)])], ..get() }, &["cyrillic"]),
        (with_auth(basic(part(&colon), part(&line))), &["colon"]),
        (with_auth(basic(text("a:b"), part(&good))), &["colon"]),
        (Request { path: vec![vec![part(&dots)]], ..get() }, &["dots"]),
        (form(jwt(&no_key, "{}")), &["no_key"]),
        (form(jwt(&good, "[]")), &[]),
        (form(jwt(&good, "{\"iss\":\"ac\"me\"}")), &["plain"]),
        (with_auth(oauth1("ac\"me", part(&good))), &["plain"]),
        (with_auth(sigv4(part(&cyrillic), None, "us-east-1")), &["cyrillic"]),
        (with_auth(sigv4(part(&good), Some(part(&line)), "us-east-1")), &["line"]),
        (with_auth(sigv4(part(&good), None, "a:b")), &["colon"]),
        (Request { origin: "https://ac\"me.example.com".to_owned(), ..get() }, &["plain"]),
        (Request { query: vec![pair("a", vec![part(&large)]), pair("b", vec![part(&large)])], ..get() }, &["large"]),
        // The plugin sets these itself.
        (Request { headers: vec![pair("a b", vec![part(&good)])], ..get() }, &[]),
        (Request { path: vec![vec![text(".")]], ..get() }, &[]),
        (Request { origin: "https://exa mple.com".to_owned(), ..get() }, &[]),
        (with_auth(basic(text("x:y"), part(&good))), &[]),
    ];
    for (index, (request, expected)) in cases.into_iter().enumerate() {
        bench.call = call_with(&EgressLimits::default(), std::time::Duration::from_secs(10));
        let error = bench.send(request).await.expect_err("it cannot be built");
        assert_eq!((&error.kind, error.sent), (&ErrorKind::InvalidRequest, false), "{index}: {error}");
        let named =
            error.offending.map(|offending| offending.names_among(values.iter().map(|(name, value)| (*name, *value))));
        assert_eq!(named.unwrap_or_default(), expected, "{index}: {}", error.message);
    }
    assert!(bench.site.seen().is_empty());
    // A body, and the signed content, accept any bytes.
    for request in
        [form(part(&line)), with_auth(oauth1("me", part(&cyrillic))), with_auth(basic(text("a"), part(&line)))]
    {
        bench.call = call_with(&EgressLimits::default(), std::time::Duration::from_secs(10));
        assert!(bench.send(request).await.is_ok());
    }
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    // While a process has one subscriber only, tracing asks the thread that reaches a call site first whether it is
    // enabled. That may be the thread of another test without a subscriber: the call site would be disabled in this
    // thread, too.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    let mut bench =
        Bench::new(|seen| answer("200 OK", &["X-Echo: c4nary-1"], format!("{}{}", seen.head, seen.body))).await;
    let request = Request {
        method: Method::Post,
        path: vec![vec![hidden("c4nary-1")]],
        query: vec![pair("k", vec![hidden("c4nary-2")])],
        headers: vec![pair("X-Key", vec![hidden("c4nary-3")])],
        auth: Some(Auth::Bearer(vec![hidden("c4nary-4")])),
        body: Body::Form(vec![pair("f", vec![hidden("c4nary-5")])]),
        ..get()
    };
    bench.send(request.clone()).await.unwrap();
    // A request that fails after its secrets were put in.
    let broken = Bench::new(|_| Reply::SayAndClose(Vec::new())).await;
    let error = broken.client.send(&mut bench.call, request).await.unwrap_err();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("api.example.com"), "the requests are logged: {log}");
    assert!(!log.contains("c4nary"), "{log}");
    assert!(!format!("{error:?}").contains("c4nary"));
}

#[tokio::test]
async fn sending_can_move_between_threads() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    assert!(assert_send(bench.send(get())).await.is_ok());
}
