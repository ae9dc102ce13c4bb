//! Traces and metrics: the data that a collector receives, one trace per request, and no effect of an unreachable
//! collector.

use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::collector::{Collector, Mood, Point, Span};
use keyferry_tests::http::{Request, get};
use keyferry_tests::{Server, ServerOptions, World, WorldOptions};
use serde_json::json;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const MIGRATE: &str = "PUT /api/v2/public/migrate-token";
/// The interval of exports, in milliseconds.
const OFTEN: &str = "50";

async fn world(collector: &str, every: &'static str, flags: &[&str]) -> World {
    let mut arguments = vec!["--otlp-endpoint".to_owned(), collector.to_owned()];
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let change = move |server: &mut ServerOptions| {
        server.arguments.extend(arguments);
        server.environment.push(("OTEL_BSP_SCHEDULE_DELAY".to_owned(), every.to_owned()));
    };
    World::start_with(WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() }).await
}

fn migration(world: &World, token: &str) -> Request {
    let object = json!({"oauth2": {"access_token": token, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN}});
    world.migrate_request(&json!({"slug": "hubspot", "auth_object": object}))
}

fn sampled(trace: &str) -> String {
    format!("00-{trace}-{CALLER}-01")
}

#[tokio::test]
async fn one_migration_is_one_trace_of_the_callers() {
    let collector = Collector::start(Mood::Works).await;
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "Authorization: Bearer collectors-token\n").unwrap();
    let world = world(&collector.url(), OFTEN, &["--otlp-headers-file", &headers.display().to_string()]).await;
    let request = migration(&world, demo::HUBSPOT_ACCESS_TOKEN).header("traceparent", &sampled(TRACE));
    assert_eq!(world.send(request).await.status, 200);

    let spans = collector.wait_for(TRACE, MIGRATE).await;
    let one = |name: &str| -> &Span {
        let mut named = spans.iter().filter(|span| span.name == name);
        let span = named.next().unwrap_or_else(|| panic!("{name}: {spans:#?}"));
        assert_eq!(named.next(), None, "{name}");
        span
    };
    let (request, verify, provider, commit) = (one(MIGRATE), one("verify"), one("provider"), one("commit"));
    assert_eq!(spans.len(), 4, "{spans:#?}");
    for (span, parent, kind) in
        [(request, CALLER, 2), (verify, &*request.id, 1), (provider, &*verify.id, 3), (commit, &*request.id, 1)]
    {
        assert_eq!((span.parent.as_str(), span.kind, span.events), (parent, kind, 0), "{}", span.name);
        assert!(span.resource.contains(&"service.name=keyferry".to_owned()), "{:?}", span.resource);
    }
    assert_eq!(
        request.attributes,
        ["http.request.method=PUT", "http.response.status_code=200", "http.route=/api/v2/public/migrate-token"]
    );
    assert_eq!(verify.attributes, ["keyferry.app=hubspot", "keyferry.outcome=verified"]);
    assert_eq!(provider.attributes, ["keyferry.outcome=2xx"]);
    assert_eq!(commit.attributes, Vec::<String>::new());
    assert!(collector.authorizations().iter().all(|token| token == "Bearer collectors-token"));
    let logs = world.server.logs();
    assert!(logs.contains(TRACE), "the log names the trace: {logs}");
    assert!(!logs.contains("collectors-token"), "{logs}");
}

/// While the file is replaced by something else, the last headers are sent, and the log says so.
#[tokio::test]
async fn a_pipe_in_place_of_the_headers_leaves_the_former_ones_in_use_and_stops_nobody() {
    let collector = Collector::start(Mood::Works).await;
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers");
    let write = |token: &str| std::fs::write(&headers, format!("Authorization: Bearer {token}\n")).unwrap();
    write("collectors-token");
    let mut world = world(&collector.url(), OFTEN, &["--otlp-headers-file", &headers.display().to_string()]).await;
    let trace = |number: u8| format!("{number:02x}{}", &TRACE[2..]);
    let send = async |number: u8| {
        let request = migration(&world, demo::HUBSPOT_ACCESS_TOKEN).header("traceparent", &sampled(&trace(number)));
        assert_eq!(world.send(request).await.status, 200);
        collector.wait_for(&trace(number), MIGRATE).await;
    };
    send(1).await;
    std::fs::remove_file(&headers).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&headers).status().unwrap().success());
    let before = collector.authorizations().len();
    send(2).await;
    let during = collector.authorizations();
    assert!(during.len() > before && during.iter().all(|token| token == "Bearer collectors-token"), "{during:?}");
    let logs = world.server.logs();
    assert!(logs.contains("the last headers that were read are sent") && !logs.contains("collectors-token"), "{logs}");
    // A file again: it takes effect at once.
    std::fs::remove_file(&headers).unwrap();
    write("another-token");
    send(3).await;
    assert!(collector.authorizations().iter().any(|token| token == "Bearer another-token"));
    std::fs::remove_file(&headers).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&headers).status().unwrap().success());
    let began = Instant::now();
    assert!(world.server.terminate().await.success());
    assert!(began.elapsed() < Duration::from_secs(10), "the signal waited for a pipe");
}

/// A caller sets the trace id and the sampling of its own trace; an invalid header is ignored.
#[tokio::test]
async fn what_callers_say_of_traces_is_taken_only_where_it_is_valid() {
    let collector = Collector::start(Mood::Works).await;
    let world = world(&collector.url(), OFTEN, &[]).await;
    let other = "0123456789abcdef0123456789abcdef";
    let unsampled = format!("00-{other}-{CALLER}-00");
    let hostile =
        ["hunter2-hunter2-hunter2", &format!("00-{}-{CALLER}-01", "0".repeat(32)), &format!("{unsampled}-hunter2")];
    let list = || Request::new("GET", "/api/v2/public/linked-account");
    assert_eq!(world.send(list().header("traceparent", &unsampled)).await.status, 200);
    for parent in hostile {
        assert_eq!(world.send(list().header("traceparent", parent)).await.status, 200);
    }
    let twice = list().header("traceparent", &sampled(other)).header("traceparent", &sampled(other));
    assert_eq!(world.send(twice.header("tracestate", "vendor=hunter2")).await.status, 200);
    assert_eq!(world.send(list().header("traceparent", &sampled(TRACE))).await.status, 200);

    let name = "GET /api/v2/public/linked-account";
    collector.wait_for(TRACE, name).await;
    let spans = collector.spans();
    assert!(!spans.iter().any(|span| span.trace == other), "{spans:#?}");
    let roots = spans.iter().filter(|span| span.name == name && span.parent.is_empty()).count();
    assert_eq!(roots, hostile.len() + 1, "{spans:#?}");
    assert!(!String::from_utf8_lossy(&collector.raw()).contains("hunter2"));
    assert!(!world.server.logs().contains("hunter2"));
}

/// The metrics that Prometheus would scrape, pushed over TLS to a collector with a given authority; the rest on
/// shutdown.
#[tokio::test]
async fn metrics_and_traces_reach_a_collector_over_tls() {
    let collector = Collector::start_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    collector.write_ca(&ca);
    let mut world = world(&collector.url(), OFTEN, &["--otlp-ca", &ca.display().to_string()]).await;
    for token in [demo::HUBSPOT_ACCESS_TOKEN, demo::HUBSPOT_EXPIRED_TOKEN] {
        world.send(migration(&world, token).header("traceparent", &sampled(TRACE))).await;
    }
    collector.wait_for(TRACE, MIGRATE).await;
    assert!(world.server.terminate().await.success());
    let points = collector.points();
    let one = |metric: &str, attributes: &[&str]| -> &Point {
        let is_it = |point: &&Point| {
            point.metric == metric && attributes.iter().all(|a| point.attributes.iter().any(|b| a == b))
        };
        points.iter().rev().find(is_it).unwrap_or_else(|| panic!("{metric} {attributes:?}: {points:#?}"))
    };
    let created = one("keyferry_migrations_total", &["app=hubspot", "outcome=created"]);
    assert_eq!(created.value, 1.0);
    assert!(created.resource.contains(&"service.name=keyferry".to_owned()), "{created:?}");
    assert_eq!(one("keyferry_migrations_total", &["app=hubspot", "outcome=not_verified"]).value, 1.0);
    let requests = one(
        "http_server_request_duration_seconds",
        &["http_route=/api/v2/public/migrate-token", "http_response_status_code=200"],
    );
    assert_eq!((requests.value, requests.bounds.first()), (1.0, Some(&0.005)), "{requests:?}");
    assert_eq!(one("http_server_active_requests", &[]).value, 0.0);
    assert_eq!(one("keyferry_plugins", &["state=active"]).value, 4.0);
    assert!(one("process_resident_memory_bytes", &[]).value > 1e6);
    assert!(!world.server.logs().contains("do not reach the collector"), "{}", world.server.logs());
}

/// A collector with an untrusted certificate receives nothing; and only the configured signals are sent.
#[tokio::test]
async fn a_collector_is_sent_what_it_is_to_have_and_only_if_it_is_the_one() {
    for (signals, trusted) in [("traces", true), ("metrics", true), ("both", false)] {
        let collector = Collector::start_tls().await;
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        collector.write_ca(&ca);
        let ca = ca.display().to_string();
        let mut flags = vec!["--otlp-signals", signals];
        if trusted {
            flags.extend(["--otlp-ca", &ca]);
        }
        let mut world = world(&collector.url(), OFTEN, &flags).await;
        world.send(migration(&world, demo::HUBSPOT_ACCESS_TOKEN)).await;
        assert!(world.server.terminate().await.success());
        let came = (!collector.spans().is_empty(), !collector.points().is_empty());
        assert_eq!(came, (trusted && signals == "traces", trusted && signals == "metrics"), "{signals}");
        let logs = world.server.logs();
        for signal in ["traces", "metrics"] {
            let missed = !trusted;
            assert_eq!(logs.contains(&format!("{signal} do not reach the collector")), missed, "{signals}: {logs}");
        }
    }
}

#[tokio::test]
async fn a_ratio_of_nothing_sends_only_what_callers_ask_for() {
    let collector = Collector::start(Mood::Works).await;
    let world = world(&collector.url(), OFTEN, &["--otlp-sample-ratio=0"]).await;
    for _ in 0..5 {
        world.send(Request::new("GET", "/api/v2/public/linked-account")).await;
    }
    let asked = Request::new("GET", "/api/v2/public/application").header("traceparent", &sampled(TRACE));
    world.send(asked).await;
    collector.wait_for(TRACE, "GET /api/v2/public/application").await;
    assert!(collector.spans().iter().all(|span| span.trace == TRACE), "{:#?}", collector.spans());
}

#[tokio::test]
async fn what_is_left_is_sent_on_shutdown() {
    let collector = Collector::start(Mood::Works).await;
    let mut world = world(&collector.url(), "600000", &[]).await;
    let request = migration(&world, demo::HUBSPOT_EXPIRED_TOKEN).header("traceparent", &sampled(TRACE));
    assert_eq!(world.send(request).await.status, 500);
    assert_eq!(collector.spans(), Vec::new(), "not before");
    assert!(world.server.terminate().await.success());
    let spans = collector.spans();
    let request = spans.iter().find(|span| span.name == MIGRATE && span.trace == TRACE).expect("the span came");
    assert!(request.attributes.contains(&"keyferry.code=credentials_rejected".to_owned()), "{request:#?}");
}

/// Gone, silent or overloaded: requests are served as before and none waits, the log says so once, and the server ends.
#[tokio::test]
async fn a_collector_that_does_not_take_spans_harms_no_request() {
    for mood in [None, Some(Mood::Silent), Some(Mood::Overloaded)] {
        let collector = match mood {
            Some(mood) => Some(Collector::start(mood).await),
            None => None,
        };
        // The port of a socket that is bound without listening refuses connections.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = collector.as_ref().map_or_else(|| format!("http://{gone}"), Collector::url);
        let mut world = world(&url, OFTEN, &["--metrics-listen=127.0.0.1:0"]).await;
        let until = Instant::now() + Duration::from_secs(60);
        let mut slowest = Duration::ZERO;
        let failed = "keyferry_trace_exports_total{outcome=\"failed\"}";
        let mut sent = 0;
        while sent < 50 || !get(world.server.metrics_address(), "/metrics").await.text().contains(failed) {
            assert!(Instant::now() < until, "{mood:?}: no export has failed");
            let began = Instant::now();
            assert_eq!(world.send(Request::new("GET", "/api/v2/public/linked-account")).await.status, 200);
            slowest = slowest.max(began.elapsed());
            sent += 1;
        }
        // A pending export fails after three seconds.
        assert!(slowest < Duration::from_secs(2), "{mood:?}: {slowest:?}");
        let ending = Instant::now();
        assert!(world.server.terminate().await.success());
        assert!(ending.elapsed() < Duration::from_secs(20), "{mood:?}: {:?}", ending.elapsed());
        let logs = world.server.logs();
        assert_eq!(logs.matches("traces do not reach the collector").count(), 1, "{mood:?}: {logs}");
    }
}

#[tokio::test]
async fn settings_of_a_collector_are_checked_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "Authorization Bearer hunter2\n").unwrap();
    let change = |server: &mut ServerOptions| {
        let headers = headers.display().to_string();
        let flags = ["--otlp-endpoint", "http://127.0.0.1:1", "--otlp-headers-file", &headers];
        server.arguments.extend(flags.map(str::to_owned));
    };
    let mut options = ServerOptions::new(folder.path().join("data"), folder.path().join("plugins"));
    change(&mut options);
    let failure = Server::try_start(options).await.map(|_| ()).unwrap_err();
    assert!(failure.logs.contains("line 1 of") && failure.logs.contains("is not a header"), "{failure}");
    assert!(!failure.logs.contains("hunter2"), "{failure}");
}
