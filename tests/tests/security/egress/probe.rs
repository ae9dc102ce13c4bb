//! A running server with a plugin that sends a request to any URL in a credential.

use keyferry_mock_providers::MockProviders;
use keyferry_tests::dns::DnsServer;
use keyferry_tests::{ServerOptions, World, WorldOptions, plugins};
use serde_json::json;

/// The secret in every request.
pub(crate) const KEY: &str = "canary-9d41/of the+egress-tests";

pub(crate) struct Probe {
    pub(crate) world: World,
}

impl Probe {
    /// A server that trusts the providers' authority and treats 127.0.0.1 as a public address.
    pub(crate) async fn start(
        providers: MockProviders,
        dns: &DnsServer,
        change: impl FnOnce(&mut ServerOptions) + Send + 'static,
    ) -> Self {
        let server = dns.address().to_string();
        let change = Box::new(move |options: &mut ServerOptions| {
            plugins::build("prober", &options.plugins);
            options.resolve.clear();
            options.arguments.extend(["--egress-dns".to_owned(), server]);
            change(options);
        });
        Self { world: World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await }
    }

    /// The result of a request for `ask`, where `origin` is granted.
    pub(crate) async fn ask(&self, origin: &str, ask: &str) -> String {
        self.ask_again(origin, ask, 1).await
    }

    /// The results of several requests, one after the other, each to the redirect target of the one before.
    pub(crate) async fn ask_again(&self, origin: &str, ask: &str, times: u32) -> String {
        let credential = json!({"origin": origin, "ask": ask, "times": times.to_string(), "api_key": KEY});
        let body = json!({"slug": "prober", "auth_object": {"keybased": credential}});
        let request = self.world.migrate_request(&body).header("accept", "application/problem+json");
        let answer = self.world.send(request).await;
        let text = answer.text();
        assert!(!text.contains(KEY), "{text}");
        let problem = answer.json();
        problem["detail"].as_str().unwrap_or_else(|| panic!("no detail for {ask}: {text}")).to_owned()
    }
}
