//! `/metrics`: the counted events, that no label is chosen by a client, and that the dashboard queries existing
//! metrics.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::collector::{Collector, Mood};
use keyferry_tests::http::{Request, Response, get};
use keyferry_tests::metrics::Page;
use keyferry_tests::{ACCOUNT, ORG, ServerOptions, World, WorldOptions};
use serde_json::{Value, json};

const MIGRATE: &str = "/api/v2/public/migrate-token";
const ACCOUNTS: &str = "/api/v2/public/linked-account";

async fn world(flags: &[&str]) -> World {
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let change = move |server: &mut ServerOptions| server.arguments.extend(flags);
    World::start_with(WorldOptions { server: Some(Box::new(change)), ..WorldOptions::default() }).await
}

async fn migrate(world: &World, token: &str) -> Response {
    world
        .migrate("hubspot", json!({"oauth2": {"access_token": token, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN}}))
        .await
}

#[tokio::test]
async fn what_happens_is_counted_under_what_it_was() {
    let world = world(&["--metrics-listen=127.0.0.1:0"]).await;
    let before = Page::of(&world.server).await;
    assert_eq!(migrate(&world, demo::HUBSPOT_ACCESS_TOKEN).await.status, 200);
    assert_eq!(migrate(&world, demo::HUBSPOT_ACCESS_TOKEN).await.status, 200);
    for token in [demo::HUBSPOT_EXPIRED_TOKEN, demo::HUBSPOT_RATE_LIMITED_TOKEN] {
        assert_eq!(migrate(&world, token).await.status, 500);
    }
    assert_eq!(world.migrate("nothing-like-it", json!({})).await.status, 200);
    assert_eq!(world.migrate("stripe", json!({"keybased": {}})).await.status, 200);
    let absent = json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": "x"}}});
    let unknown_account = Request::new("PUT", MIGRATE).header("linked_account_id", "nobody").json(&absent);
    assert_eq!(world.send(unknown_account).await.status, 400);
    assert_eq!(world.send(Request::new("GET", &format!("{ACCOUNTS}/{ACCOUNT}"))).await.status, 200);
    assert_eq!(world.send_as_it_is(Request::new("GET", ACCOUNTS)).await.status, 401);
    let after = Page::of(&world.server).await;

    let route = |route: &'static str| ("http_route", route);
    let status = |status: &'static str| ("http_response_status_code", status);
    let app = |app: &'static str, outcome: &'static str| vec![("app", app), ("outcome", outcome)];
    let requests = "http_server_request_duration_seconds_count";
    for (metric, labels, grown) in [
        (requests, vec![route(MIGRATE), status("200"), ("http_request_method", "PUT")], 4.0),
        (requests, vec![route(MIGRATE), status("500")], 2.0),
        (requests, vec![route(MIGRATE), status("400")], 1.0),
        (requests, vec![route("/api/v2/public/linked-account/{*account}"), ("http_request_method", "GET")], 1.0),
        (requests, vec![route(ACCOUNTS), status("401")], 1.0),
        ("keyferry_migrations_total", app("hubspot", "created"), 1.0),
        ("keyferry_migrations_total", app("hubspot", "updated"), 1.0),
        ("keyferry_migrations_total", app("hubspot", "not_verified"), 2.0),
        ("keyferry_migrations_total", app("hubspot", "account_missing"), 1.0),
        ("keyferry_migrations_total", app("stripe", "invalid_content"), 1.0),
        ("keyferry_migrations_total", app("(none)", "unknown_app"), 1.0),
        ("keyferry_verification_duration_seconds_count", app("hubspot", "verified"), 2.0),
        ("keyferry_verification_duration_seconds_count", app("hubspot", "rejected"), 1.0),
        ("keyferry_verification_duration_seconds_count", app("hubspot", "rate_limited"), 1.0),
        ("keyferry_egress_request_duration_seconds_count", vec![("outcome", "2xx")], 2.0),
        ("keyferry_egress_request_duration_seconds_count", vec![("outcome", "4xx")], 2.0),
        ("http_server_active_requests", vec![], 0.0),
        ("keyferry_sandbox_calls_running", vec![], 0.0),
        ("keyferry_sandbox_calls_waiting", vec![], 0.0),
    ] {
        assert_eq!(
            after.sum(metric, &labels) - before.sum(metric, &labels),
            grown,
            "{metric} {labels:?}\n{}",
            after.text
        );
    }
    // Both writes are on disk, and the time of the sync was measured.
    for metric in ["keyferry_store_batch_writes_sum", "keyferry_store_sync_duration_seconds_count"] {
        assert!(after.sum(metric, &[]) - before.sum(metric, &[]) >= 2.0, "{metric}\n{}", after.text);
    }
    assert!(after.sum("keyferry_store_commit_duration_seconds_sum", &[]) > 0.0);
    assert_eq!(after.sum("keyferry_plugins", &[("state", "active")]), 4.0);
    assert_eq!(after.sum("keyferry_sandbox_slots", &[]), 256.0);
    assert_eq!(after.sum("keyferry_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(after.sum("process_resident_memory_bytes", &[]) > 1e6);
}

/// Imports a row for each of these tokens, and waits until it has ended.
async fn import(world: &World, tokens: &[&str]) {
    let row = |token: &&str| {
        let auth_object = json!({"oauth2": {"access_token": token}});
        format!("{}\n", json!({"linked_account_id": token, "slug": "hubspot", "auth_object": auth_object}))
    };
    let rows: String = tokens.iter().map(row).collect();
    let file = Request::new("POST", "/api/v2/public/imports?create_accounts=true").body("application/x-ndjson", rows);
    let begun = world.send(file).await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    let events = format!("/api/v2/public/imports/{}/events", begun.json()["id"].as_str().unwrap());
    let events = world.send(Request::new("GET", &events)).await.text();
    assert!(events.contains("finished"), "{events}");
}

#[tokio::test]
async fn rows_of_imports_are_counted_and_the_imports_that_run() {
    let world = world(&["--metrics-listen=127.0.0.1:0"]).await;
    import(&world, &[demo::HUBSPOT_ACCESS_TOKEN, demo::HUBSPOT_EXPIRED_TOKEN]).await;
    let rows = |page: &Page, state| page.sum("keyferry_import_rows_total", &[("state", state)]);
    let mut page = Page::of(&world.server).await;
    // The last event arrives with the last row, a moment before the import counts as ended.
    while page.sum("keyferry_imports_running", &[]) != 0.0 {
        page = Page::of(&world.server).await;
    }
    assert_eq!((rows(&page, "done"), rows(&page, "failed")), (1.0, 1.0), "{}", page.text);
}

#[tokio::test]
async fn what_needs_an_operator_or_a_user_is_counted() {
    let options = |server: &mut ServerOptions| {
        server.arguments.extend(["--metrics-listen=127.0.0.1:0", "--webhooks-retry-millis=1"].map(str::to_owned));
    };
    let mut world =
        World::start_with(WorldOptions { server: Some(Box::new(options)), ..WorldOptions::default() }).await;
    let value = |page: &Page, name: &str| page.of_name(name).next().map(|sample| sample.value);
    let until = async |world: &World, name: &str, expected: f64| {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let page = Page::of(&world.server).await;
            if value(&page, name) == Some(expected) {
                return page;
            }
            assert!(Instant::now() < deadline, "{name} is not {expected}: {}", page.text);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let page = until(&world, "keyferry_connections_expired", 0.0).await;
    assert_eq!(value(&page, "keyferry_webhook_deliveries_failed"), Some(0.0));
    assert!(value(&page, "keyferry_store_size_bytes").unwrap() > 1000.0, "{}", page.text);
    assert!(value(&page, "keyferry_store_disk_free_bytes").unwrap() > 1e6, "{}", page.text);

    // The host name does not exist, so its deliveries are given up.
    let webhook = json!({"webhook_url": "https://nothing.example.com/", "webhook_events": ["Connection Created"]});
    assert_eq!(world.send(Request::new("POST", "/api/v2/public/webhook").json(&webhook)).await.status, 200);
    assert_eq!(migrate(&world, demo::HUBSPOT_ACCESS_TOKEN).await.status, 200);
    until(&world, "keyferry_webhook_deliveries_failed", 1.0).await;
    until(&world, "keyferry_webhook_deliveries_waiting", 0.0).await;

    // Gauges have the same values after a restart.
    assert!(world.server.terminate().await.success());
    world.server.restart().await;
    until(&world, "keyferry_webhook_deliveries_failed", 1.0).await;
    until(&world, "keyferry_connections_expired", 0.0).await;
}

/// Ten thousand made-up names make no more series than one.
#[tokio::test]
async fn no_label_can_be_chosen_from_outside() {
    let world = world(&["--metrics-listen=127.0.0.1:0"]).await;
    let hostile = async |name: &str| {
        let object = json!({"oauth2": {"access_token": name}});
        for slug in [name.to_owned(), format!("hubspot{name}")] {
            world.send(world.migrate_request(&json!({"slug": slug, "auth_object": object}))).await;
            world.send(Request::new("GET", &format!("/api/v2/public/application/{slug}"))).await;
        }
        for path in [format!("/{name}"), format!("{ACCOUNTS}/{name}"), format!("/api/v2/public/migrate-token/{name}")] {
            Request::new("GET", &path).send(world.server.address()).await;
        }
        let method = name.to_uppercase();
        Request::new(&method, ACCOUNTS).header("x-request-id", name).send(world.server.address()).await;
    };
    hostile("first").await;
    let series = |page: &Page| page.samples.len();
    let before = Page::of(&world.server).await;
    for number in 0..20 {
        hostile(&format!("canary{number}")).await;
    }
    let after = Page::of(&world.server).await;
    assert_eq!(series(&after), series(&before), "{}", after.text);
    for name in ["canary", "CANARY", "first", "FIRST", ACCOUNT] {
        assert!(!after.text.contains(name), "{name}: {}", after.text);
    }
    assert!(after.sum("http_server_request_duration_seconds_count", &[("http_request_method", "_OTHER")]) >= 21.0);
}

#[tokio::test]
async fn metrics_are_told_on_a_listener_of_their_own_and_only_where_it_is_asked_for() {
    let silent = world(&[]).await;
    assert!(!silent.server.logs().contains("/metrics"), "{}", silent.server.logs());
    let world = world(&["--metrics-listen=127.0.0.1:0"]).await;
    for (address, target, expected) in [
        (silent.server.address(), "/metrics", 404),
        (world.server.address(), "/metrics", 404),
        (world.server.metrics_address(), "/metrics", 200),
        (world.server.metrics_address(), "/", 404),
        (world.server.metrics_address(), ACCOUNTS, 404),
        (world.server.metrics_address(), "/readyz", 404),
    ] {
        assert_eq!(get(address, target).await.status, expected, "{target}");
    }
    let head = Request::new("HEAD", "/metrics").send(world.server.metrics_address()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// The metrics of a query, and their labels.
#[derive(Debug, Default)]
struct Asked {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

/// Labels that Prometheus adds, and the one of buckets.
const OTHERS: [&str; 2] = ["job", "instance"];

impl Asked {
    /// The names in a query that are not functions: metrics by prefix, labels in `{}` and after `by`.
    fn by(query: &str) -> Self {
        let mut asked = Self::default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (mut name, mut in_quotes, mut depth, mut after_by) = (String::new(), false, 0, false);
        for c in query.chars().chain([' ']) {
            if c == '"' {
                in_quotes = !in_quotes;
            }
            if is_name(c) && !in_quotes {
                name.push(c);
                continue;
            }
            let word = std::mem::take(&mut name);
            if ["http_", "keyferry_", "process_"].iter().any(|ours| word.starts_with(ours)) && depth == 0 && !after_by {
                asked.metrics.insert(word);
            } else if (depth > 0 || after_by)
                && !word.is_empty()
                && !in_quotes
                && !word.starts_with(|c: char| c.is_ascii_digit())
                && word != "by"
            {
                asked.labels.insert(word.clone());
            } else if word == "by" {
                after_by = true;
            }
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ')' => after_by = false,
                _ => {}
            }
        }
        asked.labels.retain(|label| !OTHERS.contains(&label.as_str()));
        asked
    }
}

fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| queries(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

/// A renewal, which the demo's mock provider refuses.
async fn renew(world: &World) {
    let arguments = ["api-key", "create", "--environment", "test", "--scope", "read_credentials", "--org", ORG];
    let (code, reader, said) = world.command(&arguments).await;
    assert_eq!(code, Some(0), "{said}");
    let pair = json!({"oauth2": {
        "access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": "rt", "client_id": "id", "client_secret": "secret",
    }});
    assert_eq!(world.migrate("hubspot", pair).await.status, 200);
    let path = format!("{ACCOUNTS}/{ACCOUNT}/integration/hubspot/credentials?min_ttl=300");
    world.send_as_it_is(Request::new("GET", &path).header("x-api-key", reader.trim())).await;
}

#[tokio::test]
async fn the_dashboard_asks_for_what_there_is_and_for_all_of_it() {
    let collector = Collector::start(Mood::Works).await;
    let world = world(&["--metrics-listen=127.0.0.1:0", "--otlp-endpoint", &collector.url()]).await;
    let asked =
        Request::new("GET", ACCOUNTS).header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    world.send(asked).await;
    assert_eq!(migrate(&world, demo::HUBSPOT_ACCESS_TOKEN).await.status, 200);
    import(&world, &[demo::HUBSPOT_ACCESS_TOKEN]).await;
    renew(&world).await;
    collector.wait_for("4bf92f3577b34da6a3ce929d0e0e4736", "GET /api/v2/public/linked-account").await;
    let mut page = Page::of(&world.server).await;
    while ["keyferry_trace_exports_total", "keyferry_connections_expired"]
        .iter()
        .any(|name| page.of_name(name).next().is_none())
    {
        page = Page::of(&world.server).await;
    }

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana");
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("keyferry.json")).unwrap()).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() >= 20, "{found:?}");
    // The rules of `up` are about a metric of Prometheus itself.
    let rules = std::fs::read_to_string(folder.join("alerts.yml")).unwrap();
    let rules = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let rules: Vec<String> = rules.filter(|rule| !rule.starts_with("up{")).map(str::to_owned).collect();
    assert!(rules.len() >= 8, "{rules:?}");
    let mut shown = BTreeSet::new();
    for query in found.iter().chain(&rules) {
        let asked = Asked::by(query);
        assert!(!asked.metrics.is_empty(), "{query}");
        for metric in &asked.metrics {
            let labels: BTreeSet<&String> = page.of_name(metric).flat_map(|sample| sample.labels.keys()).collect();
            assert!(page.of_name(metric).next().is_some(), "there is no {metric}: {query}\n{}", page.text);
            for label in &asked.labels {
                assert!(labels.contains(label), "{metric} has no label {label}: {query}");
            }
            shown.insert(metric.clone());
        }
    }
    for metric in page.samples.iter().map(|sample| &sample.name) {
        let is_ours = metric.starts_with("keyferry_") || metric.starts_with("http_");
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end)).unwrap_or(metric);
        assert!(!is_ours || shown.iter().any(|name| name.starts_with(base)), "no panel shows {metric}");
    }
}

#[test]
fn a_query_is_taken_apart() {
    let asked = Asked::by(
        "histogram_quantile(0.95, sum by (le, app) (rate(keyferry_x_bucket{job=~\"$job\",outcome!=\"http_a\"}[5m])))",
    );
    assert_eq!(asked.metrics.iter().collect::<Vec<_>>(), ["keyferry_x_bucket"]);
    assert_eq!(asked.labels.iter().collect::<Vec<_>>(), ["app", "le", "outcome"]);
}
