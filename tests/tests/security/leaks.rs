//! Nothing leaks: canaries are sent down every path, and then looked for in all that can be seen from outside.
//!
//! Two texts of the contract repeat what was sent, to the one who sent it: the id of a linked account that does not exist,
//! and the slug of an app that does not, where it is a path that names it. Both are looked for everywhere else.
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use keyferry_mock_providers::{Delivery, MockProviders, Received, Reply};
use keyferry_tests::collector::{Collector, Mood};
use keyferry_tests::http::{Request, raw};
use keyferry_tests::leaks::timing::other_end;
use keyferry_tests::leaks::{Canary, Finding, Haystack, Searcher};
use keyferry_tests::metrics::Page;
use keyferry_tests::{ACCOUNT, ORG, ServerOptions, World, WorldOptions, create_api_key, plugins, run};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

const PATH: &str = "/api/v2/public/migrate-token";
/// In the name of an answer that repeats an id, as documented.
const DOCUMENTED: &str = "(documented)";

/// How a provider may spell what it was sent.
const SPELLINGS: [&str; 23] = [
    "raw",
    "url",
    "url-lower",
    "form",
    "base64",
    "base64-bare",
    "base64url",
    "base64url-bare",
    "basic",
    "json",
    "json-escapes",
    "html",
    "hex",
    "HEX",
    "backwards",
    "json-symbols",
    "url-twice",
    "html-symbols",
    "html-bare",
    "upper",
    "quoted-printable",
    "wrapped",
    "utf-16",
];
/// Where it may say it.
const PLACES: [&str; 11] = [
    "text",
    "json",
    "member",
    "header",
    "challenge",
    "location",
    "status-text",
    "chunks",
    "drip",
    "cut-short",
    "no-http",
];

fn spell(spelling: &str, value: &str) -> String {
    let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    match spelling {
        "raw" => value.to_owned(),
        "url" => percent,
        "url-lower" => {
            let mut lower = percent.clone().into_bytes();
            for at in 0..lower.len() {
                if lower[at] == b'%' {
                    lower[at + 1..at + 3].make_ascii_lowercase();
                }
            }
            String::from_utf8(lower).unwrap()
        }
        "form" => percent.replace("%20", "+"),
        "base64" => STANDARD.encode(value),
        "base64-bare" => STANDARD_NO_PAD.encode(value),
        "base64url" => URL_SAFE.encode(value),
        "base64url-bare" => URL_SAFE_NO_PAD.encode(value),
        "basic" => STANDARD.encode(format!("user:{value}")),
        "json" => Value::from(value).to_string().trim_matches('"').to_owned(),
        "json-escapes" => value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
        "html" => value.replace('&', "&amp;").replace('"', "&quot;"),
        "hex" => hex,
        "HEX" => hex.to_uppercase(),
        "json-symbols" => symbols(value, |symbol| format!("\\u{symbol:04X}")),
        "url-twice" => utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string(),
        "html-symbols" => symbols(value, |symbol| format!("&#x{symbol:X};")),
        "html-bare" => symbols(value, |symbol| format!("&#{symbol}")),
        "upper" => value.to_uppercase(),
        "quoted-printable" => {
            value.bytes().map(|byte| format!("={byte:02X}")).collect::<String>().replace("=3D", "=3D=\r\n")
        }
        "wrapped" => {
            STANDARD.encode(value).as_bytes().chunks(20).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n  ")
        }
        "utf-16" => value.chars().flat_map(|c| [c, '\0']).collect(),
        _ => value.chars().rev().collect(),
    }
}

/// The value with what is no letter and no digit written otherwise.
fn symbols(value: &str, write: impl Fn(u32) -> String) -> String {
    value.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { write(u32::from(c)) }).collect()
}

/// Answers as the header `x-echo` says: `place spelling`.
fn provider(request: &Received, secret: &str) -> Reply {
    let asked = request.header("x-echo").unwrap_or_default();
    let (place, spelling) = asked.split_once(' ').unwrap_or((asked, "raw"));
    let said = spell(spelling, secret);
    let quoted = if spelling.starts_with("json") { said.clone() } else { said.replace('"', "\\\"") };
    let json = |status, text: String| Reply { body: text.into(), ..Reply::json(status, &json!(null)) };
    match place {
        "text" => Reply::text(400, &format!("you sent [{said}]")),
        "json" => json(401, format!("{{\"error\":{{\"code\":7,\"message\":\"key {quoted} is bad\"}}}}")),
        "member" => json(400, format!("{{\"{quoted}\":[\"{quoted}\"]}}")),
        "header" => Reply::text(403, "no").with_header("x-echoed", &format!("[{said}]")),
        "challenge" => Reply::text(401, "no").with_header("www-authenticate", &format!("Bearer error=\"{said}\"")),
        "location" => {
            Reply::status(302).with_header("location", &format!("https://elsewhere.example.com/{said}?a={said}"))
        }
        "status-text" => {
            raw_reply(&format!("HTTP/1.1 401 [{said}]\r\nx-echoed: [{said}]\r\ncontent-length: 0\r\n\r\n"))
        }
        "chunks" => {
            let (head, tail) = said.split_at(said.len() / 2);
            raw_reply(&format!(
                "HTTP/1.1 400 No\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n",
                head.len(),
                tail.len()
            ))
        }
        "drip" => Reply::text(400, &said).delivered(Delivery::Drip(Duration::from_micros(200))),
        "cut-short" => Reply::text(400, &format!("{said}{}", " ".repeat(said.len()))).delivered(Delivery::CutShort),
        "no-http" => raw_reply(&format!("{said}\r\n{said}: {said}\r\n\r\n")),
        "closed" => Reply::status(200).delivered(Delivery::Closed),
        "slow" => Reply::text(200, &said).delayed(Duration::from_secs(30)),
        "down" => Reply::text(503, &said),
        "limited" => Reply::text(429, &said).with_header("retry-after", "7"),
        _ => Reply::json(200, &json!({ "id": "account-1", "access_token": said, "note": said })),
    }
}

fn raw_reply(text: &str) -> Reply {
    Reply::status(200).delivered(Delivery::Raw(text.as_bytes().to_vec()))
}

/// A world, what was seen of it, and what is looked for.
struct Hunt {
    world: World,
    collector: Collector,
    seen: Haystack,
    canaries: Vec<Canary>,
}

impl Hunt {
    async fn start(log_format: &'static str) -> Self {
        let (alpha, beta) = (Canary::new("the field alpha"), Canary::new("the field beta"));
        let secret = alpha.value().to_owned();
        let mut providers = MockProviders::start().await.unwrap();
        providers.add("leaky.example.com", move |request| provider(&request, &secret)).await.unwrap();
        let collector = Collector::start(Mood::Works).await;
        let told = format!("metrics-listen = \"127.0.0.1:0\"\notlp-endpoint = {:?}\n", collector.url());
        let change = move |server: &mut ServerOptions| {
            plugins::build("leaky", &server.plugins);
            let config = server.data.with_file_name("keyferry.toml");
            let text = "[sandbox]\nwall-seconds = 2\ncpu-millis = 200\n[migrate]\nverify-skip = \"allow\"\n";
            let text = told + text;
            std::fs::write(&config, text).unwrap();
            server.arguments.extend(["--config".to_owned(), config.display().to_string()]);
            server.arguments.extend(["--log-format".to_owned(), log_format.to_owned()]);
            for name in ["KEYFERRY_LOG", "RUST_LOG"] {
                server.environment.push((name.to_owned(), "trace".to_owned()));
            }
        };
        let world =
            World::start_with(WorldOptions { providers: Some(providers), server: Some(Box::new(change)) }).await;
        let api_key = Canary::known("the API key", &world.api_key);
        Self { world, collector, seen: Haystack::default(), canaries: vec![alpha, beta, api_key] }
    }

    fn value(&self, at: usize) -> String {
        self.canaries[at].value().to_owned()
    }

    /// A new canary's value.
    fn canary(&mut self, name: &str) -> String {
        self.canaries.push(Canary::new(name));
        self.canaries.last().unwrap().value().to_owned()
    }

    fn plain_canary(&mut self, name: &str) -> String {
        self.canaries.push(Canary::plain(name));
        self.canaries.last().unwrap().value().to_owned()
    }

    /// `auth_object` of the leaky plugin.
    fn leaky(&self, place: &str, echo: &str, verdict: &str) -> Value {
        let (alpha, beta) = (self.value(0), self.value(1));
        json!({"keybased": {"place": place, "echo": echo, "verdict": verdict, "alpha": alpha, "beta": beta}})
    }

    fn request(&self, auth_object: &Value) -> Request {
        self.world.migrate_request(&json!({"slug": "leaky", "auth_object": auth_object}))
    }

    fn raw_body(&self, content_type: &str, body: &str) -> Request {
        Request::new("PUT", PATH).header("linked_account_id", ACCOUNT).body(content_type, body)
    }

    /// Sends a request with the API key in both renderings, and remembers what came back.
    async fn send(&mut self, name: &str, request: Request) -> u16 {
        let request = if request.headers.iter().any(|(name, _)| name == "x-api-key") {
            request
        } else {
            request.header("x-api-key", &self.world.api_key)
        };
        let problem = request.clone().header("accept", "application/problem+json");
        let address = self.world.server.address();
        let (documented, problem) = (request.send(address).await, problem.send(address).await);
        self.seen.answer(&format!("{name}, documented shape"), &documented);
        self.seen.answer(&format!("{name}, problem"), &problem);
        problem.status
    }

    /// The same without the API key.
    async fn send_bare(&mut self, name: &str, request: Request) -> u16 {
        let problem = request.clone().header("accept", "application/problem+json");
        let address = self.world.server.address();
        let (documented, problem) = (request.send(address).await, problem.send(address).await);
        self.seen.answer(&format!("{name}, documented shape"), &documented);
        self.seen.answer(&format!("{name}, problem"), &problem);
        problem.status
    }

    async fn migrate(&mut self, place: &str, echo: &str, verdict: &str) -> u16 {
        let request = self.request(&self.leaky(place, echo, verdict));
        self.send(&format!("{place}, {echo}, {verdict}"), request).await
    }

    fn searcher(&self) -> Searcher {
        Searcher::new(&self.canaries)
    }

    /// Fails with all that was found.
    fn check(&self) {
        let allowed =
            |place: &str, finding: &Finding| place.contains(DOCUMENTED) && finding.canary.starts_with("an id");
        let found = self.seen.search(&self.searcher(), allowed);
        assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    }
}

#[tokio::test]
async fn no_secret_is_in_any_answer_log_or_file_with_a_log_for_people() {
    hunt("text").await;
}

#[tokio::test]
async fn no_secret_is_in_any_answer_log_or_file_with_a_log_for_programs() {
    hunt("json").await;
}

async fn hunt(log_format: &'static str) {
    let mut hunt = Hunt::start(log_format).await;
    verified_and_stored(&mut hunt).await;
    echoed(&mut hunt).await;
    unanswered(&mut hunt).await;
    content_that_is_wrong(&mut hunt).await;
    secrets_in_other_places(&mut hunt).await;
    bodies_that_are_broken(&mut hunt).await;
    repeated_and_conflicting(&mut hunt).await;
    keys_that_are_wrong(&mut hunt).await;
    read_back(&mut hunt).await;
    sessions(&mut hunt).await;

    hunt.seen.process(hunt.world.server.pid());
    let page = Page::of(&hunt.world.server).await;
    assert!(page.sum("keyferry_verification_duration_seconds_count", &[("app", "leaky")]) > 100.0, "{}", page.text);
    hunt.seen.add("the metrics", page.text);
    operator_sees(&mut hunt).await;
    too_many(&mut hunt).await;
    assert!(hunt.world.server.terminate().await.success());
    let logs = hunt.world.server.logs();
    for expected in ["keyferry::access", "keyferry::plugin", "you sent [***]", "hyper_util"] {
        assert!(logs.contains(expected), "the log has no {expected}");
    }
    hunt.seen.add("what the server printed", logs);
    let spans = hunt.collector.spans();
    assert!(spans.iter().filter(|span| span.name == "verify").count() > 100, "{} spans", spans.len());
    hunt.seen.add("what the collector got", hunt.collector.raw());
    commands_say(&mut hunt).await;
    let data = hunt.world.data();
    hunt.seen.folder(&data, "keyferry.key");
    assert!(hunt.seen.parts() > 500 && hunt.seen.bytes() > 1 << 20, "{} {}", hunt.seen.parts(), hunt.seen.bytes());
    hunt.check();
}

async fn verified_and_stored(hunt: &mut Hunt) {
    for place in ["bearer", "basic", "header", "query", "path", "form", "json"] {
        let status = hunt.migrate(place, "none", "verified").await;
        assert_eq!(status, 200, "{place}");
    }
    for prefer in ["verify=only", "verify=skip", "on-unverified=store"] {
        for verdict in ["verified", "unexpected"] {
            let request = hunt.request(&hunt.leaky("header", "text raw", verdict));
            let request = request.header("prefer", &format!("{prefer}, account-change=replace"));
            hunt.send(&format!("{prefer}, {verdict}"), request).await;
        }
    }
}

async fn echoed(hunt: &mut Hunt) {
    let verdicts = ["unexpected", "rejected", "scopes", "verified", "panic"];
    let ways = ["bearer", "basic", "header", "query", "path", "form", "json"];
    let mut cases = 0;
    // Places in the inner loop: those that break the exchange off come one or two at a time, so that the host is never
    // left alone for having failed too often.
    for spelling in SPELLINGS {
        for place in PLACES {
            let is_broken = matches!(spelling, "quoted-printable" | "wrapped" | "utf-16");
            let fits = match place {
                // Escapes mean something in JSON alone, and what is no JSON string cannot stand there.
                "json" | "member" => !is_broken && spelling != "html",
                "text" | "chunks" | "drip" | "cut-short" => spelling != "json-escapes",
                // Nor can a line break stand in a header.
                _ => !is_broken && spelling != "json-escapes",
            };
            if !fits {
                continue;
            }
            let (echo, before) = (format!("{place} {spelling}"), hunt.world.providers.received_total());
            let request = hunt.request(&hunt.leaky(ways[cases % ways.len()], &echo, verdicts[cases % 5]));
            let request = request.header("prefer", "account-change=replace");
            hunt.send(&format!("{echo} {}", verdicts[cases % 5]), request).await;
            assert_eq!(hunt.world.providers.received_total() - before, 2, "{echo} was asked for");
            cases += 1;
        }
    }
    assert!(cases > 210, "{cases}");
}

async fn unanswered(hunt: &mut Hunt) {
    for place in ["ungranted", "nowhere", "panic", "loop"] {
        assert!(hunt.migrate(place, "none", "unexpected").await >= 500, "{place}");
    }
    for echo in ["closed", "down", "limited", "slow", "none"] {
        let (before, seen) = (hunt.world.providers.received_total(), hunt.migrate("header", echo, "unexpected").await);
        assert!(seen >= 500, "{echo}: {seen}");
        assert_eq!(hunt.world.providers.received_total() - before, 2, "{echo} was asked for");
    }
}

async fn content_that_is_wrong(hunt: &mut Hunt) {
    let names = ["short", "key_pair", "number", "flag", "url", "place"];
    for name in names {
        let value = hunt.canary(&format!("the field {name}, wrong"));
        let mut object = hunt.leaky("bearer", "none", "verified");
        object["keybased"][name] = if name == "place" { json!({"in": value}) } else { json!(value) };
        assert_eq!(hunt.send(name, hunt.request(&object)).await, 422, "{name}");
    }
    let value = hunt.canary("a value of another type");
    for wrong in [json!([value]), json!({"value": value}), json!({value.clone(): 1}), json!([[value]]), json!(null)] {
        let mut object = hunt.leaky("bearer", "none", "verified");
        object["keybased"]["alpha"] = wrong;
        assert_eq!(hunt.send("another type", hunt.request(&object)).await, 422);
    }
    let name = hunt.canary("a field's name");
    let plain = hunt.plain_canary("a field's plain name");
    for name in [name, plain] {
        let mut object = hunt.leaky("bearer", "none", "verified");
        object["keybased"][&name] = json!("x");
        assert_eq!(hunt.send("an unknown field", hunt.request(&object)).await, 422);
        for object in
            [json!({&name: {"alpha": "x"}}), json!({&name: "x"}), json!({&name: {}, "keybased": {}}), json!(name)]
        {
            assert_eq!(hunt.send("an unknown auth type", hunt.request(&object)).await, 422, "{object}");
        }
    }
    for slug in [hunt.canary("a slug"), hunt.plain_canary("a plain slug").to_lowercase()] {
        let body = json!({"slug": slug, "auth_object": {}});
        assert_eq!(hunt.send("a slug", hunt.world.migrate_request(&body)).await, 404);
    }
    let value = hunt.canary("a member that nobody knows");
    let body = json!({"slug": "leaky", "auth_object": {"keybased": {}}, value.clone(): value});
    assert_eq!(hunt.send("another member", hunt.world.migrate_request(&body)).await, 422);
    let value = hunt.canary("a client's secret");
    let name = hunt.plain_canary("the name of a client's secret");
    for (your_app, status) in [
        (json!({"client_secret": value}), 400),
        (json!({"auth_credentials": {format!("{name} x"): value}}), 400),
        (json!({"auth_credentials": [value]}), 400),
        (json!({"auth_credentials": {"a": {"b": value}}}), 400),
        (json!({"auth_credentials": {"client_secret": value}}), 200),
    ] {
        let body = json!({"account_id": "a", "your_app": your_app});
        let request = Request::new("PUT", "/api/v2/public/linked-account").json(&body);
        assert_eq!(hunt.send("your_app", request).await, status, "{body}");
    }
    let value = hunt.canary("a name of udf");
    let body = json!({"account_id": "a", "udf": {value.repeat(100): "x"}});
    let request = Request::new("PUT", "/api/v2/public/linked-account").json(&body);
    assert_eq!(hunt.send("udf", request).await, 400);
}

/// Secrets where no secret belongs: what is not stored and not logged there cannot be lost there.
async fn secrets_in_other_places(hunt: &mut Hunt) {
    let fine = hunt.leaky("bearer", "none", "verified");
    let first = hunt.request(&fine).header("prefer", "account-change=replace");
    assert_eq!(hunt.send("the account of what comes next", first).await, 200);
    let encoded = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    for target in ["?token=", "?linked_account_id=user_1&x=", "?"] {
        let value = hunt.canary("the query");
        let mut request = hunt.request(&fine);
        request.target = format!("{PATH}{target}{}", encoded(&value));
        assert_eq!(hunt.send("a query", request).await, 200);
    }
    for (method, prefix) in [("PUT", PATH), ("GET", ""), ("GET", "/api/v2/public"), ("BREW", PATH)] {
        let value = hunt.canary("the path");
        let request = Request::new(method, &format!("{prefix}/{}", encoded(&value)));
        assert_eq!(hunt.send("a path", request).await, 404);
    }
    let value = hunt.plain_canary("the method");
    assert_eq!(hunt.send("a method", Request::new(&value, PATH)).await, 405);
    for name in
        ["cookie", "authorization", "user-agent", "accept", "accept-language", "if-match", "x-forwarded-for", "referer"]
    {
        let value = hunt.canary(&format!("the header {name}"));
        let request = hunt.request(&fine).header(name, &value);
        hunt.send(name, request).await;
    }
    for (name, value) in [("prefer", "verify="), ("prefer", ""), ("if-none-match", ""), ("content-encoding", "")] {
        let canary = hunt.canary(&format!("the header {name}"));
        let request = hunt.request(&fine).header(name, &format!("{value}{canary}"));
        hunt.send(name, request).await;
    }
    let name = hunt.plain_canary("a header's name");
    assert_eq!(hunt.send("a header", hunt.request(&fine).header(&name.to_lowercase(), "x")).await, 200);
    // Ids are repeated to the one who sent them, since the contract says so, and seen by nobody else.
    let id = hunt.canary("an id: the account");
    let request = Request::new("PUT", PATH).header("linked_account_id", &id);
    let request = request.json(&json!({"slug": "leaky", "auth_object": fine}));
    assert_eq!(hunt.send(DOCUMENTED, request).await, 404);
    for path in ["/api/v2/public/auth-structure/", "/api/v2/public/application/", "/api/v2/public/linked-account/"] {
        let id = hunt.canary("an id: in the path");
        let request = Request::new("GET", &format!("{path}{}", encoded(&id)));
        assert_eq!(hunt.send(DOCUMENTED, request).await, 404, "{path}");
    }
    let long = hunt.canary("an account that is too long").repeat(10);
    let request = Request::new("PUT", PATH).header("linked_account_id", &long);
    assert_eq!(hunt.send("a long account", request.json(&json!({"slug": "leaky", "auth_object": fine}))).await, 400);
}

async fn bodies_that_are_broken(hunt: &mut Hunt) {
    let value = hunt.canary("a broken body");
    let escaped = Value::from(value.as_str()).to_string();
    let broken = [
        format!("{{\"slug\":\"leaky\",\"auth_object\":{{\"keybased\":{{\"alpha\":{escaped}}}}}"),
        format!("{{\"slug\":\"leaky\",\"alpha\":{escaped},}}"),
        format!("{{\"alpha\":{escaped},\"alpha\":{escaped}}}"),
        format!("{{{escaped}:1,{escaped}:2}}"),
        format!("[{escaped}]"),
        escaped.clone(),
        value.clone(),
        format!("{{\"alpha\":\"{value}"),
        format!("{}{escaped}{}", "[".repeat(60), "]".repeat(60)),
        format!("slug=leaky&alpha={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)),
    ];
    for body in &broken {
        assert_eq!(hunt.send("a broken body", hunt.raw_body("application/json", body)).await, 400, "{body}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        assert_eq!(hunt.send("another type", hunt.raw_body(content_type, &broken[0])).await, 415);
    }
    let content_type = hunt.plain_canary("a content type");
    assert_eq!(hunt.send("a content type", hunt.raw_body(&format!("application/{content_type}"), "{}")).await, 415);
    let large = format!(
        "{{\"slug\":\"leaky\",\"auth_object\":{{\"keybased\":{{\"alpha\":\"{}\"}}}}}}",
        value.replace('"', "").repeat(2000)
    );
    assert_eq!(hunt.send("a large body", hunt.raw_body("application/json", &large)).await, 413);

    let address = hunt.world.server.address();
    let value = hunt.plain_canary("what is no HTTP");
    for text in [
        format!("{value} /{value} HTTP/1.1\r\nhost: x\r\n{value}\r\n\r\n"),
        format!("GET /{value} HTTP/9.9\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", value.repeat(2000)),
        format!("PUT {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {value}\r\n\r\n"),
        format!(
            "PUT {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
                 transfer-encoding: chunked\r\n\r\n{value}\r\n",
            hunt.world.api_key
        ),
        format!(
            "PUT {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
                 content-length: 1000\r\n\r\n{{\"a\":\"{value}",
            hunt.world.api_key
        ),
    ] {
        let answer = raw(address, text.as_bytes(), Duration::from_millis(300)).await;
        hunt.seen.add("the answer to what is no HTTP", answer);
    }
}

async fn repeated_and_conflicting(hunt: &mut Hunt) {
    let fine = hunt.leaky("bearer", "none", "verified");
    let key = hunt.plain_canary("the Idempotency-Key");
    for _ in 0..2 {
        assert_eq!(hunt.send("a repeated request", hunt.request(&fine).header("idempotency-key", &key)).await, 200);
    }
    let other = hunt.leaky("header", "none", "verified");
    assert_eq!(hunt.send("a reused key", hunt.request(&other).header("idempotency-key", &key)).await, 422);
    assert_eq!(
        hunt.send("a key that is too long", hunt.request(&fine).header("idempotency-key", &key.repeat(9))).await,
        400
    );
    assert_eq!(hunt.send("another revision", hunt.request(&fine).header("if-match", "\"x\"")).await, 412);
    assert_eq!(hunt.send("create only", hunt.request(&fine).header("if-none-match", "*")).await, 412);
    let other = hunt.leaky("bearer", "text base64", "verified");
    assert_eq!(hunt.send("another account", hunt.request(&other)).await, 409);
}

/// What is no key, a key that nobody has, and one that was revoked get the very same answer.
async fn keys_that_are_wrong(hunt: &mut Hunt) {
    let data = hunt.world.data();
    let revoked = create_api_key(&data, ORG, "test").await;
    hunt.canaries.push(Canary::known("a revoked key", &revoked));
    let arguments =
        ["api-key", "revoke", &revoked, "--org", ORG, "--data", &data.display().to_string()].map(str::to_owned);
    let output = run(&arguments).await;
    assert!(output.status.success());
    hunt.seen.add("what revoking a key prints", [output.stdout, output.stderr].concat());

    let begins_live = other_end(&hunt.world.api_key);
    let typo = format!("{}x", &hunt.world.api_key[..51]);
    let canary = hunt.canary("what is no API key");
    hunt.canaries.push(Canary::known("a key that nobody has", &begins_live));
    let mut answers = Vec::new();
    for key in ["", "tk_", &canary, &typo, &begins_live, &revoked, &"x".repeat(52), &"x".repeat(5000)] {
        for accept in ["*/*", "application/problem+json"] {
            let request = hunt.request(&json!({})).header("x-api-key", key).header("accept", accept);
            let mut answer = request.header("x-request-id", "same").send(hunt.world.server.address()).await;
            hunt.seen.answer("a wrong key", &answer);
            answer.headers.retain(|(name, _)| name != "date");
            answers.push((accept, answer));
        }
    }
    for (accept, answer) in &answers {
        assert_eq!(answer.status, 401);
        let first = &answers.iter().find(|(first, _)| first == accept).unwrap().1;
        assert_eq!(answer, first, "the same to the last byte");
    }
}

/// Whoever may read credentials gets them, and nobody else sees what they get.
async fn read_back(hunt: &mut Hunt) {
    let fine = hunt.leaky("bearer", "none", "verified");
    let stored = hunt.request(&fine).header("prefer", "account-change=replace");
    assert_eq!(hunt.send("what is read back", stored).await, 200);
    let data = hunt.world.data().display().to_string();
    let create =
        ["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read_credentials", "--data", &data];
    let reader = String::from_utf8(run(create).await.stdout).unwrap().trim().to_owned();
    hunt.canaries.push(Canary::known("the reader's key", &reader));
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/leaky/credentials");
    let read = Request::new("GET", &path).header("x-api-key", &reader).send(hunt.world.server.address()).await;
    assert_eq!(read.json()["auth_object"]["keybased"]["alpha"], json!(hunt.value(0)), "{}", read.text());
    assert_eq!(hunt.send("names alone", Request::new("GET", &path)).await, 200);
    let slug = hunt.plain_canary("a slug that is asked for");
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/{slug}/credentials");
    assert_eq!(hunt.send("another slug", Request::new("GET", &path)).await, 404);
}

/// A session's tokens are seen by whoever asked for them, and by nobody else; and so is what a front end sends.
async fn sessions(hunt: &mut Hunt) {
    let body = json!({"linked_account_id": ACCOUNT});
    let request = Request::new("POST", "/api/v2/public/session-token").json(&body);
    let issued = hunt.world.send(request).await.json();
    let token = issued["token"].as_str().unwrap().to_owned();
    hunt.canaries.push(Canary::known("a session token", &token));
    hunt.canaries.push(Canary::known("a refresh token", issued["refresh_token"].as_str().unwrap()));
    let signature = token.rsplit_once('.').unwrap().1.to_owned();
    hunt.canaries.push(Canary::known("the signature of a session token", &signature));
    let bearer = format!("Bearer {token}");
    let fields = hunt.leaky("bearer", "none", "verified")["keybased"].clone();
    let value = hunt.canary("what a front end sends");
    let mut wrong = fields.clone();
    wrong["alpha"] = json!([value]);
    let echoed = hunt.leaky("bearer", "text raw", "rejected")["keybased"].clone();
    for (path, method, body, status) in [
        ("/api/v2/f-sdk/application", "GET", json!(null), 200),
        ("/api/v3/org/basics", "GET", json!(null), 200),
        ("/api/v2/app/leaky/save", "POST", wrong, 422),
        ("/api/v2/app/leaky/save", "POST", echoed, 422),
        ("/api/v2/app/leaky/save", "POST", json!([value]), 400),
        ("/api/v2/public/linked-account/default-app/auth-credentials/key", "PUT", json!({"value": [value]}), 400),
        ("/api/v2/public/linked-account/default-app/auth-credentials/key", "PUT", json!({"value": value}), 200),
        ("/api/v1/leaky/integrate", "GET", json!(null), 501),
        ("/api/v1/linked-acc/integration/nothing", "DELETE", json!(null), 200),
    ] {
        let mut request = Request::new(method, path).header("authorization", &bearer);
        if !body.is_null() {
            request = request.json(&body);
        }
        assert_eq!(hunt.send_bare(path, request).await, status, "{method} {path}");
    }
    let canary = hunt.canary("what is no session token");
    let other = format!("{}x", &token[..token.len() - 1]);
    for wrong in [canary.as_str(), &other, &format!("{token}.{canary}"), &hunt.world.api_key.clone()] {
        for scheme in ["Bearer", "Basic", "bearer"] {
            let request = Request::new("GET", "/api/v2/f-sdk/application");
            let request = request.header("authorization", &format!("{scheme} {wrong}"));
            assert_eq!(hunt.send_bare("a wrong token", request).await, 401);
        }
    }
    let revoke = Request::new("POST", "/api/v2/public/session-token/revoke").header("authorization", &bearer);
    assert_eq!(hunt.send_bare("an ended session", revoke).await, 401, "the second of the two renderings");
}

/// What the operator's socket says.
async fn operator_sees(hunt: &mut Hunt) {
    let socket = hunt.world.data().join("admin.sock");
    let org = format!("/admin/v1/organisations/{ORG}");
    let paths = ["/admin/v1/plugins", "/admin/v1/plugins/leaky", &format!("{org}/api-keys"), &format!("{org}/keys")];
    let more = [
        "/admin/v1/organisations".to_owned(),
        format!("{org}/audit"),
        format!("{org}/audit/verify"),
        format!("{org}/nothing"),
    ];
    for path in paths.into_iter().chain(more.iter().map(String::as_str)) {
        let mut stream = UnixStream::connect(&socket).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200") || path.ends_with("nothing"), "{path}");
        hunt.seen.add(format!("the socket's answer to {path}"), answer);
    }
}

/// 429 of our own, and 507 where there is a disk to fill.
async fn too_many(hunt: &mut Hunt) {
    hunt.world.server.options_mut().arguments.extend(["--rate-limit".to_owned(), "1".to_owned()]);
    hunt.world.server.restart().await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(hunt.migrate("bearer", "none", "verified").await);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    hunt.world.server.options_mut().arguments.truncate(4);
    hunt.world.server.restart().await;
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = keyferry_tests::SmallDisk::mount(folder.path(), "256m") else { return };
    assert!(hunt.world.server.terminate().await.success());
    let (former, small) = (hunt.world.data(), folder.path().join("data"));
    let copied = std::process::Command::new("cp").arg("-a").arg(&former).arg(&small).output().unwrap();
    assert!(copied.status.success());
    hunt.world.server.options_mut().data = small.clone();
    hunt.world.server.restart().await;
    let hoard = folder.path().join("hoard");
    let _full = std::process::Command::new("dd")
        .args(["if=/dev/zero", "bs=1M"])
        .arg(format!("of={}", hoard.display()))
        .output();
    let mut status = 0;
    for _ in 0..100 {
        status = hunt.migrate("bearer", "none", "verified").await;
        if status == 507 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, 507);
    assert!(hunt.world.server.terminate().await.success());
    std::fs::remove_file(hoard).unwrap();
    hunt.seen.folder(&small, "keyferry.key");
    hunt.world.server.options_mut().data = former;
    hunt.world.server.restart().await;
}

/// The commands, and their errors.
async fn commands_say(hunt: &mut Hunt) {
    let (data, plugins) = (hunt.world.data().display().to_string(), hunt.world.plugins());
    let file = hunt.world.folder().join("auth.json");
    let wasm = plugins.join("leaky.wasm").display().to_string();
    let at = |command: &[&str], rest: &[&str]| -> Vec<String> {
        command.iter().chain(rest).map(|word| (*word).to_owned()).collect()
    };
    let listed = plugins.display().to_string();
    for command in [
        at(&["audit", "export", "--org", ORG], &["--data", &data]),
        at(&["audit", "verify", "--org", ORG], &["--data", &data]),
        at(&["api-key", "list", "--org", ORG], &["--data", &data]),
        at(&["key", "list", "--org", ORG], &["--data", &data]),
        at(&["plugin", "list", "--json"], &["--data", &data, "--plugins", &listed]),
    ] {
        let output = run(&command).await;
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        hunt.seen.add(format!("{command:?}"), [output.stdout, output.stderr].concat());
    }
    let unknown = hunt.canary("a key to revoke");
    let output = run(["api-key", "revoke", &unknown, "--org", ORG, "--data", &data]).await;
    assert!(!output.status.success());
    hunt.seen.add("revoking what is no key", [output.stdout, output.stderr].concat());

    let address = hunt.world.providers.address_of("leaky.example.com").unwrap();
    let ca = hunt.world.folder().join("ca.pem").display().to_string();
    let nobody = "https://127.0.0.1:1".to_owned();
    let mut wrong = hunt.leaky("bearer", "none", "verified");
    let name = hunt.canary("a field's name in a file");
    wrong["keybased"][name.as_str()] = json!("x");
    let cases = [
        (hunt.leaky("header", "none", "verified").to_string(), format!("https://{address}")),
        (hunt.leaky("header", "json raw", "rejected").to_string(), format!("https://{address}")),
        (hunt.leaky("query", "no-http raw", "unexpected").to_string(), format!("https://{address}")),
        (hunt.leaky("query", "none", "panic").to_string(), format!("https://{address}")),
        (hunt.leaky("query", "none", "verified").to_string(), nobody.clone()),
        (wrong.to_string(), nobody.clone()),
        (format!("{{\"keybased\": {{\"alpha\": \"{}", name.replace('"', "")), nobody.clone()),
        (name.clone(), nobody),
    ];
    for (credential, provider) in cases {
        std::fs::write(&file, credential).unwrap();
        let output =
            run(["plugin", "call", &wasm, "--auth-object", &path(&file), "--provider", &provider, "--egress-ca", &ca])
                .await;
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty());
        hunt.seen.add("what `plugin call` prints", [output.stdout, output.stderr].concat());
    }
    std::fs::remove_file(file).unwrap();
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// The other half of constant time: that a key is found by its hash, and that hashes are compared in constant time. How
/// long it takes in fact is measured by `cargo run -p keyferry-tests -- timing`.
///
/// Text that is no key is turned away by its checksum before the store is asked. That takes less time, and tells a sender
/// nothing but what the text says that it has sent itself.
#[test]
fn keys_are_looked_up_by_hash_and_compared_in_constant_time() {
    let source = |file: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/crates").join(file)).unwrap()
    };
    let body = |text: &str, signature: &str| {
        let (_, rest) = text.split_once(signature).unwrap_or_else(|| panic!("there is no {signature}"));
        rest.split("\n    }\n").next().unwrap().to_owned()
    };
    let access = source("api/src/auth/access.rs");
    let key = body(&access, "async fn key(");
    assert!(key.contains("store.api_key(&key.hash())") && key.contains("key.hash_matches(&record.hash)"), "{key}");
    assert!(!key.contains("expose()"), "{key}");
    let vault = source("vault/src/api_key.rs");
    assert!(body(&vault, "fn hash_matches(").contains(".ct_eq("));
    assert!(body(&vault, "fn from_str(").contains(".ct_eq(&checksum("));
    assert!(!vault.contains("PartialEq for ApiKey") && !vault.contains("derive(PartialEq)]\npub struct ApiKey"));
}
