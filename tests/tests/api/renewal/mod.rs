//! A token that lasts: renewed when less is left than a reader needs, by one request to the provider, and never called dead by an
//! outage. Each row of the table of mistakes that other products make is a test.

mod answers;
mod fresh;
mod interrupted;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyferry_mock_providers::MockProviders;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::token_endpoint::{CLIENT_ID, CLIENT_SECRET, Policy, TokenEndpoint};
use keyferry_tests::{ACCOUNT, ORG, ServerChange, World, WorldOptions, binary};
use serde_json::{Value, json};

/// An app of which the provider is a stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum App {
    /// Its refresh token stays valid.
    HubSpot,
    /// Its refresh token ends when it is used.
    Zendesk,
    /// Its refresh token is valid until the next one is used.
    Shopify,
}

impl App {
    fn slug(self) -> &'static str {
        match self {
            Self::HubSpot => "hubspot",
            Self::Zendesk => "zendesk",
            Self::Shopify => "shopify",
        }
    }

    fn host(self) -> &'static str {
        match self {
            Self::HubSpot => "api.hubapi.com",
            Self::Zendesk => "acme.zendesk.com",
            Self::Shopify => "acme.myshopify.com",
        }
    }

    fn provider(self) -> TokenEndpoint {
        match self {
            Self::HubSpot => TokenEndpoint::new(Policy::Stays, |_, _| json!({"portalId": 62515})),
            Self::Zendesk => TokenEndpoint::new(
                Policy::SingleUse,
                |_, _| json!({"user": {"id": 35436, "name": "Johnny Agent", "role": "admin"}}),
            ),
            Self::Shopify => TokenEndpoint::new(Policy::UntilNextUsed, |_, _| {
                let shop = json!({"id": "gid://shopify/Shop/548380009", "name": "Acme", "myshopifyDomain": "acme.myshopify.com"});
                let scopes = json!({"accessScopes": [{"handle": "read_products"}]});
                json!({"data": {"shop": shop, "currentAppInstallation": scopes}})
            }),
        }
    }
}

/// A world with one provider.
struct Renewing {
    world: World,
    provider: TokenEndpoint,
    reader: String,
    app: App,
}

impl Renewing {
    async fn start(app: App) -> Self {
        Self::start_with(app, WorldOptions::default()).await
    }

    async fn start_with(app: App, options: WorldOptions) -> Self {
        let (mut providers, provider) = (MockProviders::start().await.unwrap(), app.provider());
        let endpoint = provider.clone();
        providers.add(app.host(), move |request| endpoint.reply(&request)).await.unwrap();
        let change = options.server;
        let server: ServerChange = Box::new(move |options| {
            binary::copy([app.slug()], &options.plugins);
            if let Some(change) = change {
                change(options);
            }
        });
        let world = World::start_with(WorldOptions { providers: Some(providers), server: Some(server) }).await;
        let reader = reader(&world).await;
        Self { world, provider, reader, app }
    }

    /// Migrates a pair of a new authorisation to the linked account, with an access token that ends after this time.
    async fn migrate(&self, family: &str, left: Duration) {
        let migrated = self.world.migrate(self.app.slug(), self.auth_object(family, left)).await;
        assert!(migrated.text().contains("success"), "{}", migrated.text());
    }

    fn auth_object(&self, family: &str, left: Duration) -> Value {
        let (access_token, refresh_token) = self.provider.authorise(family);
        let mut fields = json!({
            "access_token": access_token,
            "refresh_token": refresh_token,
            "expires_at": unix_now() + left.as_secs(),
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        });
        match self.app {
            App::HubSpot => {}
            App::Zendesk => fields["subdomain"] = json!("acme"),
            App::Shopify => fields["shop"] = json!("acme"),
        }
        json!({ "oauth2": fields })
    }

    async fn read(&self, min_ttl: u64) -> Response {
        read(&self.world, &self.reader, self.app.slug(), &format!("min_ttl={min_ttl}")).await
    }

    /// A read that is refused: the code, and what is said.
    async fn refused(&self, min_ttl: u64) -> (String, Value) {
        let answer = self.read(min_ttl).await;
        assert!(answer.status >= 400, "{}", answer.text());
        (answer.json()["code"].as_str().unwrap().to_owned(), answer.json())
    }

    async fn events(&self, operation: &str) -> Vec<String> {
        let (code, trail, said) = self.world.command(&["audit", "export", "--org", ORG]).await;
        assert_eq!(code, Some(0), "{said}");
        let events = trail.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_it = events.filter(|event| event["api"]["operation"] == operation);
        of_it.map(|event| event["status_detail"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

async fn reader(world: &World) -> String {
    let arguments = ["api-key", "create", "--environment", "test", "--scope", "read_credentials", "--org", ORG];
    let (code, printed, said) = world.command(&arguments).await;
    assert_eq!(code, Some(0), "{said}");
    printed.trim().to_owned()
}

/// A read with statuses that say what happened.
async fn read(world: &World, key: &str, slug: &str, query: &str) -> Response {
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/{slug}/credentials?{query}");
    let request = Request::new("GET", &path).header("x-api-key", key).header("accept", "application/problem+json");
    world.send_as_it_is(request).await
}

fn access_token(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["auth_object"]["oauth2"]["access_token"].as_str().unwrap().to_owned()
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
