//! Properties of every endpoint: request ids, tags and conditional reads, `HEAD`, `OPTIONS`, CORS.

use keyferry_mock_providers::apps::demo;
use keyferry_tests::contract::Contract;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ACCOUNT, ServerOptions, World, WorldOptions};
use serde_json::json;

const ACCOUNTS: &str = "/api/v2/public/linked-account";

/// Every path that can be read, with its parameters filled in.
fn reads() -> Vec<String> {
    let paths = Contract::fixed().paths().into_iter();
    let reads = paths.filter(|(_, methods)| methods.iter().any(|method| method == "GET")).map(|(path, _)| path);
    reads.map(|path| path.replace("{slug}", "hubspot").replace("{account}", ACCOUNT)).collect()
}

async fn connected() -> World {
    let world = World::start().await;
    let object = json!({"oauth2": {
        "access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN,
    }});
    assert_eq!(world.migrate("hubspot", object).await.status, 200);
    world
}

#[tokio::test]
async fn what_a_caller_has_is_not_sent_again() {
    let world = connected().await;
    let mut tagged = 0;
    for path in reads() {
        let read = |method: &str| Request::new(method, &path);
        let whole = world.send(read("GET")).await;
        if whole.status != 200 {
            // Paths for session tokens do not accept this API key.
            continue;
        }
        let Some(tag) = whole.header("etag").map(str::to_owned) else {
            assert!(["/livez", "/readyz"].contains(&path.as_str()), "{path} has no tag");
            continue;
        };
        tagged += 1;
        assert!(whole.header("cache-control").is_some(), "{path}");
        for (had, expected) in [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"another\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"another\"".to_owned(), 200),
            (tag.trim_matches('"').to_owned(), 200),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = world.send(read(method).header("if-none-match", &had)).await;
                assert_eq!(answer.status, expected, "{method} {path} {had}");
                assert_eq!(answer.header("etag"), Some(&*tag), "{method} {path} {had}");
                let has_body = method == "GET" && expected == 200;
                assert_eq!(answer.body == whole.body, has_body, "{method} {path} {had}");
                assert!(has_body || answer.body.is_empty(), "{method} {path} {had}");
            }
        }
    }
    assert!(tagged >= 7, "{tagged}");
}

#[tokio::test]
async fn a_tag_changes_with_what_it_is_of() {
    let world = connected().await;
    let path = format!("{ACCOUNTS}/{ACCOUNT}");
    let before = world.send(Request::new("GET", &path)).await;
    let tag = before.header("etag").unwrap().to_owned();
    let renamed = json!({"account_id": ACCOUNT, "name": "Another"});
    assert_eq!(world.send(Request::new("PUT", ACCOUNTS).json(&renamed)).await.status, 200);
    let after = world.send(Request::new("GET", &path).header("if-none-match", &tag)).await;
    assert_eq!(after.status, 200);
    assert_ne!(after.header("etag"), Some(&*tag));
    // An error has no tag, and is never a 304.
    let missing = Request::new("GET", &format!("{ACCOUNTS}/nobody")).header("if-none-match", "*");
    let missing = world.send(missing).await;
    assert_eq!((missing.status, missing.header("etag")), (404, None));
}

#[tokio::test]
async fn a_request_has_its_callers_id_if_that_is_one() {
    let world = World::start().await;
    for (given, is_kept) in [
        ("7b1f-4c.x_y:z/+=", true),
        (&*"x".repeat(128), true),
        (&*"x".repeat(129), false),
        ("two words", false),
        ("<script>", false),
        ("a\"b", false),
        ("a\u{e9}", false),
        ("a,b", false),
        ("", false),
    ] {
        let answer = world.send(Request::new("GET", ACCOUNTS).header("x-request-id", given)).await;
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == given, is_kept, "{given}");
        assert!(is_kept || (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())), "{given}: {id}");
        let logs = world.server.logs();
        assert!(logs.contains(id), "{id}");
        assert!(is_kept || given.is_empty() || !logs.contains(given), "{given}");
    }
}

/// With or without a collector, the log has the trace id that a caller sends.
#[tokio::test]
async fn the_log_names_a_callers_trace() {
    let world = World::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    world.send(Request::new("GET", ACCOUNTS).header("traceparent", &parent)).await;
    world.send(Request::new("GET", ACCOUNTS).header("traceparent", "00-hunter2-00f067aa0ba902b7-01")).await;
    let logs = world.server.logs();
    assert!(logs.contains(trace) && !logs.contains("hunter2"), "{logs}");
}

#[tokio::test]
async fn options_tell_what_a_path_takes() {
    let world = World::start().await;
    for (path, methods) in Contract::fixed().paths() {
        let path = path.replace("{slug}", "hubspot").replace("{account}", ACCOUNT);
        let answer = world.send_as_it_is(Request::new("OPTIONS", &path)).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        let allowed: Vec<&str> = answer.header("allow").unwrap().split(',').collect();
        assert!(methods.iter().all(|method| allowed.contains(&method.as_str())), "{path}: {allowed:?} {methods:?}");
        assert!(!methods.contains(&"GET".to_owned()) || allowed.contains(&"HEAD"), "{path}: {allowed:?}");
    }
    assert_eq!(world.send_as_it_is(Request::new("OPTIONS", "/nothing")).await.status, 404);
}

/// The origin of an allowed page.
const OURS: &str = "https://app.example.com";

fn access(answer: &Response) -> Vec<&str> {
    answer.headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn web_pages_may_read_answers_only_where_their_origin_is_named() {
    let change = |server: &mut ServerOptions| {
        server.arguments.push(format!("--cors-origin={OURS},http://localhost:3000"));
    };
    let open = World::start_with(WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() }).await;
    let closed = World::start().await;
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/api/v2/public/migrate-token")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "x-api-key,linked_account_id,content-type")
    };
    for (world, origin, is_allowed) in [
        (&open, OURS, true),
        (&open, "http://localhost:3000", true),
        (&open, "https://app.example.com.evil.example", false),
        (&open, "https://evil.example", false),
        (&open, "null", false),
        (&closed, OURS, false),
    ] {
        let asked = preflight(origin).send(world.server.address()).await;
        let read = world.send(Request::new("GET", ACCOUNTS).header("origin", origin)).await;
        for answer in [&asked, &read] {
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, is_allowed.then_some(origin), "{origin}: {answer:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
            assert!(answer.header("x-request-id").is_some());
        }
        assert_eq!(read.status, 200);
        if is_allowed {
            let headers = asked.header("access-control-allow-headers").unwrap();
            assert!(["x-api-key", "linked_account_id", "content-type"].iter().all(|name| headers.contains(name)));
            assert!(asked.header("access-control-allow-methods").unwrap().contains("PUT"));
            assert!(read.header("access-control-expose-headers").unwrap().contains("etag"));
            assert!(read.header("vary").unwrap().contains("origin"), "{read:?}");
        }
        assert!(std::ptr::eq(world, &open) || access(&read).is_empty(), "{read:?}");
    }
}

#[tokio::test]
async fn parameters_that_an_operation_does_not_have_are_named_in_the_response() {
    let world = World::start().await;
    let name = |answer: &Response| answer.header("keyferry-ignored-parameters").map(str::to_owned);
    for (target, status, expected) in [
        (format!("{ACCOUNTS}?limt=1"), 200, Some("limt")),
        (format!("{ACCOUNTS}?limit=1&page=1"), 200, None),
        (format!("{ACCOUNTS}?limt=1&limt=2&secret=x"), 200, Some("limt, secret")),
        (format!("{ACCOUNTS}?sk_test_4eC39HqLyjWDarjtT1zdp7dc=1&limit=1"), 200, Some("***")),
        (format!("{ACCOUNTS}/{ACCOUNT}?force=true&linked_account_id={ACCOUNT}"), 200, Some("force")),
        (format!("{ACCOUNTS}/{ACCOUNT}?LinkedAccountId={ACCOUNT}"), 200, None),
        (format!("{ACCOUNTS}/{ACCOUNT}?masked=true"), 200, Some("masked")),
        (format!("{ACCOUNTS}/{ACCOUNT}/integration/slack/credentials?masked=true"), 404, None),
        (format!("{ACCOUNTS}/{ACCOUNT}/integration/slack/credentials?mask=true"), 404, Some("mask")),
        ("/livez?token=1".to_owned(), 200, Some("token")),
        ("/api/v2/public/application?slug=hubspot&tags=crm&auth_type=oauth2".to_owned(), 200, None),
        ("/api/v2/public/application?slugs=hubspot".to_owned(), 200, Some("slugs")),
        ("/api/v2/public/application/nothing?id=1".to_owned(), 404, Some("id")),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = world.send(Request::new(method, &target)).await;
            assert_eq!((answer.status, name(&answer).as_deref()), (status, expected), "{method} {target}");
        }
    }
    // Where a typing error would change the effect, the request is refused.
    let file = Request::new("POST", "/api/v2/public/imports?dryrun=true").body("application/x-ndjson", "{}\n");
    let refused = world.send(file).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("`dryrun` is not known; there are from, map, dry_run"), "{}", refused.text());
}

/// nginx drops headers with underscores unless `underscores_in_headers` is on.
#[tokio::test]
async fn the_header_of_the_account_can_be_written_with_hyphens() {
    let world = World::start().await;
    let body = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_SECRET_KEY}}});
    let migrate = || Request::new("PUT", "/api/v2/public/migrate-token").json(&body);
    let named = world.send(migrate().header("linked-account-id", ACCOUNT)).await;
    assert_eq!(named.status, 200, "{}", named.text());
    let missing = world.send(migrate()).await;
    assert_eq!(missing.status, 400);
    assert!(missing.text().contains("send it as linked-account-id"), "{}", missing.text());
}

/// The lines of the access log, once there are this many.
async fn access_lines(world: &World, count: usize) -> Vec<String> {
    loop {
        let logs = world.server.logs();
        let lines = logs.lines().filter(|line| line.contains("keyferry::access"));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_access_log_names_the_caller_and_json_logs_have_no_other_lines() {
    for format in ["text", "json"] {
        let change = move |server: &mut ServerOptions| {
            server.arguments.extend(["--log-format", format, "--metrics-listen=127.0.0.1:0"].map(str::to_owned));
            server.environment.push(("KEYFERRY_LISTNE".to_owned(), "1".to_owned()));
        };
        let mut world =
            World::start_with(WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() }).await;
        let shown = world.command(&["api-key", "list", "--org", "acme", "--json"]).await.1;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let key = shown[0]["shown"].as_str().unwrap_or_default().to_owned();
        assert!(!key.is_empty(), "{shown}");
        let token = world.session(ACCOUNT).await;
        world.send(Request::new("GET", ACCOUNTS).header("x-request-id", "with-a-key")).await;
        let basics = Request::new("GET", "/api/v3/org/basics").header("x-request-id", "with-a-session");
        world.send_as_it_is(basics.header("authorization", &format!("Bearer {token}"))).await;
        world.send_as_it_is(Request::new("GET", ACCOUNTS).header("x-request-id", "with-nothing")).await;
        // The world's own account, the session, and these three.
        let lines = access_lines(&world, 5).await;
        let of = |id: &str| lines.iter().find(|line| line.contains(id)).unwrap_or_else(|| panic!("{id}: {lines:?}"));
        for (id, has_caller, has_session) in
            [("with-a-key", true, false), ("with-a-session", true, true), ("with-nothing", false, false)]
        {
            let line = of(id);
            assert_eq!(line.contains("acme") && line.contains(&key), has_caller, "{line}");
            assert_eq!(line.contains("session=") || line.contains("\"session\":"), has_session, "{line}");
            assert!(!line.contains(&world.api_key) && !line.contains(&token), "{line}");
        }
        assert!(world.server.terminate().await.success());
        let logs = world.server.logs();
        assert!(!logs.contains("Some(") && logs.contains("is KEYFERRY_LISTEN meant?"), "{logs}");
        if format == "json" {
            for line in logs.lines() {
                assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "no JSON: {line}");
            }
            for expected in ["listening on http://", "metrics at http://", "--dev-allow-loopback: plugins"] {
                assert!(logs.contains(expected), "{expected}: {logs}");
            }
        }
    }
}
