//! An export of Nango.

use keyferry_mock_providers::apps::demo;
use serde_json::{Value, json};

use super::exported::{Case, EMAIL, Exported, RSA_KEY, TWILIO};

#[tokio::test]
async fn nangos_connections_of_all_shipped_apps_are_stored_with_all_their_fields() {
    let api_key = |key: &str, config: Value| json!({"credentials": {"type": "API_KEY", "apiKey": key}, "connection_config": config});
    let basic = |user: &str, password: &str, config: Value| json!({"credentials": {"type": "BASIC", "username": user, "password": password}, "connection_config": config});
    let oauth2 = |token: &str, config: Value| {
        json!({"credentials": {"type": "OAUTH2", "access_token": token, "refresh_token": "used-once", "raw": {"access_token": token}},
               "connection_config": config})
    };
    let netsuite = json!({
        "credentials": {
            "type": "TBA", "token_id": demo::NETSUITE_TOKEN_ID, "token_secret": demo::NETSUITE_TOKEN_SECRET,
            "config_override": {"client_id": demo::NETSUITE_CONSUMER_KEY, "client_secret": demo::NETSUITE_CONSUMER_SECRET},
        },
        "connection_config": {"accountId": demo::NETSUITE_ACCOUNT_ID},
    });
    let google = json!({
        "credentials": {"type": "TWO_STEP", "serviceAccountEmailAddress": EMAIL, "privateKey": RSA_KEY, "token": "ya29.minted"},
    });
    let paypal =
        json!({"credentials": {"type": "OAUTH2_CC", "client_id": "Ae2e", "client_secret": "Ee2e", "token": "A21"}});
    let cases: Vec<Case> = vec![
        (
            "aws",
            "aws-iam",
            basic("AKIAIOSFODNN7EXAMPLE", "sk", json!({"region": "eu-west-1"})),
            vec![("region", "eu-west-1"), ("secret_access_key", "sk")],
        ),
        ("bigquery", "google-service-account", google, vec![("project_id", "acme-example"), ("client_email", EMAIL)]),
        (
            "datadog",
            "datadog",
            api_key("dd-e2e", json!({"siteParameter": "datadoghq.eu"})),
            vec![("api_key", "dd-e2e"), ("site", "datadoghq.eu")],
        ),
        (
            "github",
            "github-pat",
            api_key("ghp_e2e", json!({"base_url": "https://git.acme.example"})),
            vec![("access_token", "ghp_e2e")],
        ),
        (
            "hubspot",
            "hubspot",
            oauth2(demo::HUBSPOT_ACCESS_TOKEN, json!({})),
            vec![("access_token", demo::HUBSPOT_ACCESS_TOKEN), ("refresh_token", "used-once")],
        ),
        ("linear", "linear-api-key", api_key("lin_api_e2e", json!({})), vec![("api_key", "lin_api_e2e")]),
        (
            "mailchimp",
            "mailchimp-api-key",
            api_key("0123456789abcdef-us21", json!({"dc": "us21"})),
            vec![("api_key", "0123456789abcdef-us21")],
        ),
        (
            "netsuite",
            "netsuite-tba",
            netsuite,
            vec![
                ("account_id", demo::NETSUITE_ACCOUNT_ID),
                ("consumer_key", demo::NETSUITE_CONSUMER_KEY),
                ("token_secret", demo::NETSUITE_TOKEN_SECRET),
            ],
        ),
        ("paypal", "paypal", paypal, vec![("client_id", "Ae2e"), ("client_secret", "Ee2e")]),
        (
            "salesforce",
            "salesforce",
            oauth2("00De2e", json!({"instance_url": "https://acme.my.salesforce.com"})),
            vec![("access_token", "00De2e"), ("refresh_token", "used-once")],
        ),
        (
            "shopify",
            "shopify-api-key",
            api_key("shpat_e2e", json!({"subdomain": "acme"})),
            vec![("access_token", "shpat_e2e"), ("shop", "acme")],
        ),
        ("slack", "slack-bot", api_key(demo::SLACK_BOT_TOKEN, json!({})), vec![("bot_token", demo::SLACK_BOT_TOKEN)]),
        (
            "stripe",
            "stripe-api-key",
            basic(demo::STRIPE_SECRET_KEY, "", json!({})),
            vec![("api_key", demo::STRIPE_SECRET_KEY)],
        ),
        (
            "twilio",
            "twilio",
            basic(TWILIO, "tw-e2e", json!({})),
            vec![("account_sid", TWILIO), ("auth_token", "tw-e2e")],
        ),
        (
            "xero",
            "xero",
            oauth2("xero.e2e", json!({})),
            vec![("access_token", "xero.e2e"), ("refresh_token", "used-once")],
        ),
        (
            "zendesk",
            "zendesk-api-key",
            basic("a@acme.example", "zt", json!({"subdomain": "acme"})),
            vec![("email", "a@acme.example"), ("api_token", "zt"), ("subdomain", "acme")],
        ),
    ];
    let rows: Vec<Value> = cases
        .iter()
        .map(|(slug, provider, row, _)| {
            let mut row = row.clone();
            row["provider"] = json!(provider);
            row["provider_config_key"] = json!(format!("{provider}-prod"));
            row["end_user"] = json!({"id": format!("user_{slug}")});
            row["connection_id"] = json!(format!("c-{slug}"));
            row
        })
        .collect();
    Exported::open().await.imports("from=nango", &json!({ "connections": rows }), &cases).await;
}
