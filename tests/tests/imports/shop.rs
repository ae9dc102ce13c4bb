//! A world whose mock providers respond according to the key, and the ways to import into it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ServerOptions, World, WorldOptions, binary};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const IMPORTS: &str = "/api/v2/public/imports";
/// The timeout of an import.
const PATIENCE: Duration = Duration::from_secs(90);

/// The behaviour of a mock Stripe, HubSpot or Zendesk tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mood {
    /// It checks the key.
    Works,
    /// The same, with this delay.
    Slow(Duration),
    /// It responds with 503.
    Down,
    /// It responds with 429 and this `Retry-After` in seconds.
    TooFast(u64),
    /// It responds with 503 to credentials that contain `bad`, and checks all others.
    DownForSome,
    /// It delays its response to such credentials by a minute.
    SilentForSome,
    /// It responds to such credentials with 429.
    TooFastForSome(u64),
}

/// Why an app's provider is not reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Away {
    /// Its port has no listener.
    Refuses,
    /// Its name does not exist.
    HasNoName,
    /// It accepts connections, and sends nothing.
    IsSilent,
}

impl Away {
    pub(crate) const ALL: [Self; 3] = [Self::Refuses, Self::HasNoName, Self::IsSilent];

    /// The error code.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Refuses => "connect ECONNREFUSED",
            Self::HasNoName => "getaddrinfo ENOTFOUND",
            Self::IsSilent => "no connection to",
        }
    }
}

/// A world with these providers, and their recorded requests.
pub(crate) struct Shop {
    pub(crate) world: World,
    moods: Arc<Mutex<BTreeMap<&'static str, Mood>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Connections stay in its backlog.
    _silent: TcpListener,
}

/// App, credential, and time.
type Asked = (&'static str, String, Instant);

impl Shop {
    pub(crate) async fn open(arguments: &[&str]) -> Self {
        Self::open_without(None, arguments).await
    }

    /// The same without HubSpot.
    pub(crate) async fn open_without(away: Option<Away>, arguments: &[&str]) -> Self {
        let moods: Arc<Mutex<BTreeMap<_, _>>> = Arc::default();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let mut providers = MockProviders::start().await.unwrap();
        for (slug, host) in [
            ("stripe", demo::STRIPE_HOST),
            ("hubspot", demo::HUBSPOT_HOST),
            ("busy", "busy.zendesk.com"),
            ("calm", "calm.zendesk.com"),
            ("datadog", "api.datadoghq.eu"),
        ] {
            if slug == "hubspot" && away.is_some() {
                continue;
            }
            let (moods, asked) = (Arc::clone(&moods), Arc::clone(&asked));
            let answer = move |request: Received| {
                let sent = request.header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned();
                asked.lock().unwrap().push((slug, sent.clone(), Instant::now()));
                let answer = || match slug {
                    "stripe" => stripe(&sent),
                    "hubspot" => hubspot(&sent),
                    "datadog" => Reply::json(200, &json!({"valid": true})),
                    _ => Reply::json(200, &json!({"user": {"id": 1, "name": "Jane"}})),
                };
                match moods.lock().unwrap().get(slug).copied().unwrap_or(Mood::Works) {
                    Mood::Works => answer(),
                    Mood::Slow(time) => answer().delayed(time),
                    Mood::Down => Reply::json(503, &json!({"message": "away"})),
                    Mood::TooFast(seconds) => too_fast(seconds),
                    Mood::DownForSome if sent.contains("bad") => Reply::json(503, &json!({"message": "away"})),
                    Mood::SilentForSome if sent.contains("bad") => answer().delayed(Duration::from_secs(60)),
                    Mood::TooFastForSome(seconds) if sent.contains("bad") => too_fast(seconds),
                    Mood::DownForSome | Mood::SilentForSome | Mood::TooFastForSome(_) => answer(),
                }
            };
            providers.add(host, answer).await.unwrap();
        }
        // Tenants whose hosts do not work. Any other name does not exist.
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent_at = silent.local_addr().unwrap();
        providers.resolve_to("closed.zendesk.com", refusing);
        providers.resolve_to("silent.zendesk.com", silent_at);
        let of_another = providers.address_of("calm.zendesk.com").unwrap();
        providers.resolve_to("another.zendesk.com", of_another);
        match away {
            Some(Away::Refuses) => providers.resolve_to(demo::HUBSPOT_HOST, refusing),
            Some(Away::IsSilent) => providers.resolve_to(demo::HUBSPOT_HOST, silent_at),
            Some(Away::HasNoName) | None => {}
        }
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let change = Box::new(move |options: &mut ServerOptions| {
            binary::copy(["zendesk", "datadog"], &options.plugins);
            options.arguments.extend(arguments);
        });
        let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await;
        Self { world, moods, asked, _silent: silent }
    }

    pub(crate) fn set(&self, slug: &'static str, mood: Mood) {
        self.moods.lock().unwrap().insert(slug, mood);
    }

    /// The time and the credential of each request to an app's provider.
    pub(crate) fn asked(&self, slug: &str) -> Vec<(String, Instant)> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(of, ..)| *of == slug).map(|(_, sent, at)| (sent.clone(), *at)).collect()
    }

    /// Sends a file and returns the response.
    pub(crate) async fn send(&self, query: &str, content_type: &str, file: impl Into<Vec<u8>>) -> Response {
        self.world.send(Request::new("POST", &format!("{IMPORTS}?{query}")).body(content_type, file)).await
    }

    /// Sends rows that the server accepts.
    pub(crate) async fn begin(&self, query: &str, rows: &[Value]) -> String {
        let answer = self.send(query, "application/x-ndjson", ndjson(rows)).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The same, and waits for the end.
    pub(crate) async fn import(&self, query: &str, rows: &[Value]) -> Value {
        let id = self.begin(query, rows).await;
        self.ended(&id).await
    }

    pub(crate) async fn show(&self, id: &str) -> Value {
        show(&self.world, id).await
    }

    /// Waits until an import satisfies a condition.
    pub(crate) async fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        until(&self.world, id, is_so).await
    }

    /// Waits until no row is in progress.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        until_ended(&self.world, id).await
    }

    pub(crate) async fn change(&self, id: &str, change: &str) -> Response {
        self.world.send(Request::new("POST", &format!("{IMPORTS}/{id}/{change}"))).await
    }

    /// The ledger.
    pub(crate) async fn ledger(&self, id: &str) -> Vec<Value> {
        let answer = self.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/results"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        lines(&answer)
    }

    /// The linked account, if it is there.
    pub(crate) async fn account(&self, account: &str) -> Option<Value> {
        let answer = self.world.send(Request::new("GET", &format!("/api/v2/public/linked-account/{account}"))).await;
        (answer.status == 200).then(|| answer.json())
    }

    /// The value of a field of a stored credential.
    pub(crate) async fn stored(&self, account: &str, slug: &str, field: &str) -> Option<String> {
        let (code, key, said) = self
            .world
            .command(&["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read_credentials"])
            .await;
        assert_eq!(code, Some(0), "{said}");
        let path = format!("/api/v2/public/linked-account/{account}/integration/{slug}/credentials");
        let request = Request::new("GET", &path).header("x-api-key", key.trim());
        let answer = self.world.send_as_it_is(request).await;
        (answer.status == 200).then(|| find(&answer.json(), field))?
    }
}

async fn show(world: &World, id: &str) -> Value {
    let answer = world.send(Request::new("GET", &format!("{IMPORTS}/{id}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn until(world: &World, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let import = show(world, id).await;
        if is_so(&import) {
            return import;
        }
        assert!(Instant::now() < deadline, "{import:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until no row of an import is in progress.
pub(crate) async fn until_ended(world: &World, id: &str) -> Value {
    until(world, id, |import| !["running", "undoing"].contains(&import["state"].as_str().unwrap())).await
}

/// The first member of that name at any depth.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(member, value)| match value {
            Value::String(text) if member == name => Some(text.clone()),
            value => find(value, name),
        }),
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        _ => None,
    }
}

fn too_fast(seconds: u64) -> Reply {
    Reply::json(429, &json!({"message": "slow down"})).with_header("retry-after", &seconds.to_string())
}

/// `sk_test_ok_ACCOUNT` is a valid key of that account; any other key is invalid.
fn stripe(key: &str) -> Reply {
    match key.strip_prefix("sk_test_ok_") {
        Some(account) => {
            let settings = json!({"dashboard": {"display_name": "Example"}});
            Reply::json(200, &json!({"id": format!("acct_{account}"), "object": "account", "settings": settings}))
        }
        None => Reply::json(
            401,
            &json!({"error": {"message": "Invalid API Key provided", "type": "invalid_request_error"}}),
        ),
    }
}

fn hubspot(token: &str) -> Reply {
    if token.starts_with("hub-ok-") {
        return Reply::json(
            200,
            &json!({"portalId": 48_600_123, "accountType": "STANDARD", "uiDomain": "app.hubspot.com"}),
        );
    }
    Reply::json(401, &json!({"status": "error", "category": "INVALID_AUTHENTICATION", "message": "no"}))
}

/// A row for Stripe.
pub(crate) fn row(account: &str, key: &str) -> Value {
    json!({"linked_account_id": account, "slug": "stripe", "auth_object": {"keybased": {"api_key": key}}})
}

/// A row for Stripe with a valid key.
pub(crate) fn good(account: &str) -> Value {
    row(account, &format!("sk_test_ok_{account}"))
}

/// A row for HubSpot with a valid token.
pub(crate) fn hub(account: &str) -> Value {
    json!({
        "linked_account_id": account, "slug": "hubspot",
        "auth_object": {"oauth2": {"access_token": format!("hub-ok-{account}")}},
    })
}

/// A row for a tenant of Zendesk.
pub(crate) fn tenant(account: &str, subdomain: &str) -> Value {
    json!({
        "linked_account_id": account, "slug": "zendesk",
        "auth_object": {"keybased": {"subdomain": subdomain, "email": "jane@example.com", "api_token": format!("zt-{account}")}},
    })
}

/// A row for a site of Datadog.
pub(crate) fn site(account: &str, site: &str) -> Value {
    json!({
        "linked_account_id": account, "slug": "datadog",
        "auth_object": {"keybased": {"api_key": format!("dd-{account}"), "site": site}},
    })
}

pub(crate) fn ndjson(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

pub(crate) fn lines(answer: &Response) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
