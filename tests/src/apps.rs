//! The shipped apps, each with a mock provider that accepts one credential.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry_mock_providers::apps::{demo, demo_providers};
use keyferry_mock_providers::{MockProviders, Received, Reply};
use serde_json::{Value, json};

use crate::or_fail::OrFail as _;

const RSA_KEY: &str = include_str!("../../host/crates/devkit/src/cases/test_rsa_key.pem");
const TWILIO: &str = "AC0123456789abcdef0123456789abcdef";

/// An app that is not among the demo's.
struct App {
    slug: &'static str,
    /// The slug, and the host that the mock provider listens as.
    host: &'static str,
    auth_object: Value,
    /// The name and value of the header that carries the credential. A value that ends in `*` is compared as a prefix.
    header: (&'static str, String),
    path: &'static str,
    answer: Value,
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn apps() -> Vec<App> {
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    vec![
        App {
            slug: "github",
            host: "git.acme.example",
            auth_object: json!({ "keybased": { "access_token": "ghp_e2e", "base_url": "https://git.acme.example" } }),
            header: bearer("ghp_e2e"),
            path: "/api/v3/user",
            answer: json!({ "id": 1, "login": "octocat" }),
        },
        App {
            slug: "github",
            host: "api.github.com",
            auth_object: json!({ "app": { "app_id": "123456", "installation_id": "12345678", "private_key": RSA_KEY } }),
            header: bearer("eyJ*"),
            path: "/app/installations/12345678",
            answer: json!({ "id": 12345678, "account": { "id": 1, "login": "octocat" } }),
        },
        App {
            slug: "github",
            host: "api.acme.ghe.com",
            auth_object: json!({ "keybased": { "access_token": "ghp_ghe", "base_url": "Acme.ghe.com/api/v3/" } }),
            header: bearer("ghp_ghe"),
            path: "/user",
            answer: json!({ "id": 1, "login": "octocat" }),
        },
        App {
            slug: "zendesk",
            host: "acme.zendesk.com",
            auth_object: json!({ "keybased": { "subdomain": "acme", "email": "a@acme.example", "api_token": "zt" } }),
            header: ("authorization", basic("a@acme.example/token", "zt")),
            path: "/api/v2/users/me.json",
            answer: json!({ "user": { "id": 1, "name": "Jane" } }),
        },
        App {
            slug: "shopify",
            host: "acme.myshopify.com",
            auth_object: json!({ "keybased": { "shop": "https://ACME.myshopify.com/admin", "access_token": "shpat_e2e" } }),
            header: ("x-shopify-access-token", "shpat_e2e".to_owned()),
            path: "/admin/api/2026-07/graphql.json",
            answer: json!({ "data": { "shop": { "id": "gid://shopify/Shop/1", "name": "Acme", "myshopifyDomain": "acme.myshopify.com" } } }),
        },
        App {
            slug: "salesforce",
            host: "acme.my.salesforce.com",
            auth_object: json!({ "oauth2": { "access_token": "00De2e", "instance_url": "https://acme.my.salesforce.com" } }),
            header: bearer("00De2e"),
            path: "/services/data/v60.0/limits",
            answer: json!({ "DailyApiRequests": { "Max": 1 } }),
        },
        App {
            slug: "salesforce",
            host: "acme.scratch.my.salesforce.com",
            auth_object: json!({ "oauth2": { "access_token": "00De2e", "instance_url": "https://acme.scratch.lightning.force.com" } }),
            header: bearer("00De2e"),
            path: "/services/data/v60.0/limits",
            answer: json!({ "DailyApiRequests": { "Max": 1 } }),
        },
        App {
            slug: "aws",
            host: "sts.amazonaws.com",
            auth_object: json!({ "keybased": { "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "sk" } }),
            header: ("authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/*".to_owned()),
            path: "/",
            answer: json!({ "GetCallerIdentityResponse": { "GetCallerIdentityResult": { "Account": "1", "Arn": "arn", "UserId": "u" } } }),
        },
        App {
            slug: "bigquery",
            host: "bigquery.googleapis.com",
            auth_object: json!({ "keybased": { "project_id": "acme-example", "client_email": "i@acme-example.iam.gserviceaccount.com", "private_key": RSA_KEY } }),
            header: bearer("ya29.minted"),
            path: "/bigquery/v2/projects/acme-example/datasets",
            answer: json!({ "kind": "bigquery#datasetList" }),
        },
        App {
            slug: "mailchimp",
            host: "us21.api.mailchimp.com",
            auth_object: json!({ "keybased": { "api_key": "0123456789abcdef-us21" } }),
            header: ("authorization", basic("keyferry", "0123456789abcdef-us21")),
            path: "/3.0/",
            answer: json!({ "account_id": "1", "account_name": "Acme" }),
        },
        App {
            slug: "datadog",
            host: "api.datadoghq.eu",
            auth_object: json!({ "keybased": { "api_key": "dd-e2e", "site": "https://app.datadoghq.eu/" } }),
            header: ("dd-api-key", "dd-e2e".to_owned()),
            path: "/api/v1/validate",
            answer: json!({ "valid": true }),
        },
        App {
            slug: "twilio",
            host: "api.twilio.com",
            auth_object: json!({ "keybased": { "account_sid": TWILIO, "auth_token": "tw-e2e" } }),
            header: ("authorization", basic(TWILIO, "tw-e2e")),
            path: "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef.json",
            answer: json!({ "friendly_name": "Acme", "status": "active" }),
        },
        App {
            slug: "twilio",
            host: "api.dublin.ie1.twilio.com",
            auth_object: json!({ "keybased": { "account_sid": TWILIO, "auth_token": "tw-ie1", "region": "IE1" } }),
            header: ("authorization", basic(TWILIO, "tw-ie1")),
            path: "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef.json",
            answer: json!({ "friendly_name": "Acme", "status": "active" }),
        },
        App {
            slug: "linear",
            host: "api.linear.app",
            auth_object: json!({ "keybased": { "api_key": "lin_api_e2e" } }),
            header: ("authorization", "lin_api_e2e".to_owned()),
            path: "/graphql",
            answer: json!({ "data": { "viewer": { "id": "1", "organization": { "id": "2", "name": "Acme" } } } }),
        },
        App {
            slug: "xero",
            host: "api.xero.com",
            auth_object: json!({ "oauth2": { "access_token": "xero.e2e", "refresh_token": "used-once" } }),
            header: bearer("xero.e2e"),
            path: "/connections",
            answer: json!([{ "tenantId": "1", "tenantName": "Acme" }]),
        },
        App {
            slug: "paypal",
            host: "api-m.paypal.com",
            auth_object: json!({ "keybased": { "client_id": "Ae2e", "client_secret": "Ee2e" } }),
            header: ("authorization", basic("Ae2e", "Ee2e")),
            path: "/v1/oauth2/token",
            answer: json!({ "scope": "openid", "access_token": "A21", "expires_in": 1 }),
        },
    ]
}

impl App {
    /// The mock provider of the app. It accepts the credential in that header only.
    fn provider(&self) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
        let ((name, value), path, answer) = (self.header.clone(), self.path, self.answer.clone());
        move |request: Received| {
            let given = request.header(name).unwrap_or_default();
            let is_known = match value.strip_suffix('*') {
                Some(beginning) => given.starts_with(beginning),
                None => given == value,
            };
            if is_known && request.path() == path {
                Reply::json(200, &answer)
            } else {
                Reply::json(401, &json!({ "message": "no such credential", "path": request.path() }))
            }
        }
    }
}

/// A token endpoint: responds with `answer` to a signed request for `path`.
fn token_endpoint(path: &'static str, answer: Value) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
    move |request: Received| {
        let body = String::from_utf8(request.body).or_fail("read a form");
        let assertion = body.split('&').find_map(|field| field.strip_prefix("assertion=")).unwrap_or_default();
        if request.path_and_query == path && assertion.split('.').count() == 3 {
            Reply::json(200, &answer)
        } else {
            Reply::json(400, &json!({ "error": "invalid_grant" }))
        }
    }
}

/// The mock providers of all shipped apps, and one credential for each auth type of an app, by slug.
pub async fn shipped_apps() -> (MockProviders, Vec<(&'static str, Value)>) {
    let apps = apps();
    let mut providers = demo_providers().await.or_fail("start the demo's providers");
    for app in &apps {
        providers.add(app.host, app.provider()).await.or_fail("start a provider");
    }
    let google = json!({ "access_token": "ya29.minted", "expires_in": 3599 });
    providers.add("oauth2.googleapis.com", token_endpoint("/token", google)).await.or_fail("start Google");
    let salesforce = json!({
        "access_token": "00D.minted", "instance_url": "https://acme.my.salesforce.com",
        "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
    });
    let login = token_endpoint("/services/oauth2/token", salesforce);
    providers.add("login.salesforce.com", login).await.or_fail("start Salesforce");
    let netsuite = json!({ "keybased": {
        "account_id": demo::NETSUITE_ACCOUNT_ID, "consumer_key": demo::NETSUITE_CONSUMER_KEY,
        "consumer_secret": demo::NETSUITE_CONSUMER_SECRET, "token_id": demo::NETSUITE_TOKEN_ID,
        "token_secret": demo::NETSUITE_TOKEN_SECRET,
    } });
    let mut credentials = vec![
        ("hubspot", json!({ "oauth2": { "access_token": demo::HUBSPOT_ACCESS_TOKEN } })),
        ("netsuite", netsuite),
        (
            "salesforce",
            json!({ "keybased": { "client_id": "3MVG9e2e", "username": "i@acme.example", "private_key": RSA_KEY } }),
        ),
        ("slack", json!({ "keybased": { "bot_token": demo::SLACK_BOT_TOKEN } })),
        ("stripe", json!({ "keybased": { "api_key": demo::STRIPE_SECRET_KEY } })),
    ];
    credentials.extend(apps.into_iter().map(|app| (app.slug, app.auth_object)));
    (providers, credentials)
}
