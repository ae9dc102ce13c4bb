//! A server, its recorded output, and the canaries to search for.

use keyferry_mock_providers::MockProviders;
use keyferry_tests::collector::{Collector, Mood};
use keyferry_tests::http::Request;
use keyferry_tests::leaks::{Canary, Finding, Haystack, Searcher};
use keyferry_tests::{ACCOUNT, ServerOptions, World, WorldOptions, plugins};
use serde_json::{Value, json};

use super::leaky_provider::provider;

pub(super) const PATH: &str = "/api/v2/public/migrate-token";
/// Part of the name of a response that repeats an id, as documented.
pub(super) const DOCUMENTED: &str = "(documented)";

/// A world, its recorded output, and the canaries to search for.
pub(super) struct Hunt {
    pub(super) world: World,
    pub(super) collector: Collector,
    pub(super) seen: Haystack,
    pub(super) canaries: Vec<Canary>,
}

impl Hunt {
    pub(super) async fn start(log_format: &'static str) -> Self {
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

    pub(super) fn value(&self, at: usize) -> String {
        self.canaries[at].value().to_owned()
    }

    /// A new canary's value.
    pub(super) fn canary(&mut self, name: &str) -> String {
        self.canaries.push(Canary::new(name));
        self.canaries.last().unwrap().value().to_owned()
    }

    pub(super) fn plain_canary(&mut self, name: &str) -> String {
        self.canaries.push(Canary::plain(name));
        self.canaries.last().unwrap().value().to_owned()
    }

    /// `auth_object` of the leaky plugin.
    pub(super) fn leaky(&self, place: &str, echo: &str, verdict: &str) -> Value {
        let (alpha, beta) = (self.value(0), self.value(1));
        json!({"keybased": {"place": place, "echo": echo, "verdict": verdict, "alpha": alpha, "beta": beta}})
    }

    pub(super) fn request(&self, auth_object: &Value) -> Request {
        self.world.migrate_request(&json!({"slug": "leaky", "auth_object": auth_object}))
    }

    pub(super) fn raw_body(&self, content_type: &str, body: &str) -> Request {
        Request::new("PUT", PATH).header("linked_account_id", ACCOUNT).body(content_type, body)
    }

    /// Sends a request with the API key in both renderings, and records the responses.
    pub(super) async fn send(&mut self, name: &str, request: Request) -> u16 {
        let request = if request.headers.iter().any(|(name, _)| name == "x-api-key") {
            request
        } else {
            request.header("x-api-key", &self.world.api_key)
        };
        self.send_bare(name, request).await
    }

    /// The same without the API key.
    pub(super) async fn send_bare(&mut self, name: &str, request: Request) -> u16 {
        let problem = request.clone().header("accept", "application/problem+json");
        let address = self.world.server.address();
        let (documented, problem) = (request.send(address).await, problem.send(address).await);
        self.seen.answer(&format!("{name}, documented shape"), &documented);
        self.seen.answer(&format!("{name}, problem"), &problem);
        problem.status
    }

    pub(super) async fn migrate(&mut self, place: &str, echo: &str, verdict: &str) -> u16 {
        let request = self.request(&self.leaky(place, echo, verdict));
        self.send(&format!("{place}, {echo}, {verdict}"), request).await
    }

    pub(super) fn searcher(&self) -> Searcher {
        Searcher::new(&self.canaries)
    }

    /// Fails with all findings.
    pub(super) fn check(&self) {
        let allowed =
            |place: &str, finding: &Finding| place.contains(DOCUMENTED) && finding.canary.starts_with("an id");
        let found = self.seen.search(&self.searcher(), allowed);
        assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    }
}
