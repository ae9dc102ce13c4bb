//! An export of Pipedream.

use keyferry_mock_providers::apps::demo;
use serde_json::{Value, json};

use super::exported::{Case, Exported, TWILIO, service_account};

#[tokio::test]
async fn pipedreams_accounts_of_all_shipped_apps_are_stored_with_all_their_fields() {
    let oauth2 = |token: &str, more: Value| {
        let mut credentials =
            json!({"oauth_access_token": token, "oauth_refresh_token": "used-once", "oauth_uid": "u"});
        more.as_object().unwrap().iter().for_each(|(name, value)| credentials[name] = value.clone());
        credentials
    };
    let netsuite = json!({
        "account_id": demo::NETSUITE_ACCOUNT_ID, "consumer_key": demo::NETSUITE_CONSUMER_KEY,
        "consumer_secret": demo::NETSUITE_CONSUMER_SECRET, "token_id": demo::NETSUITE_TOKEN_ID,
        "token_secret": demo::NETSUITE_TOKEN_SECRET,
    });
    let cases: Vec<Case> = vec![
        (
            "aws",
            "aws",
            json!({"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "sk"}),
            vec![("secret_access_key", "sk")],
        ),
        (
            "bigquery",
            "google_cloud",
            json!({"key_json": service_account().to_string()}),
            vec![("project_id", "acme-example")],
        ),
        (
            "datadog",
            "datadog",
            json!({"api_key": "dd-e2e", "base_url": "https://api.datadoghq.eu/api/v1"}),
            vec![("site", "datadoghq.eu")],
        ),
        (
            "github",
            "github",
            json!({"personal_access_token": "ghp_e2e", "base_url": "https://git.acme.example"}),
            vec![("access_token", "ghp_e2e")],
        ),
        ("hubspot", "hubspot", oauth2(demo::HUBSPOT_ACCESS_TOKEN, json!({})), vec![("refresh_token", "used-once")]),
        ("linear", "linear_app", json!({"api_key": "lin_api_e2e"}), vec![("api_key", "lin_api_e2e")]),
        (
            "mailchimp",
            "mailchimp",
            json!({"api_key": "0123456789abcdef-us21", "dc": "us21"}),
            vec![("api_key", "0123456789abcdef-us21")],
        ),
        ("netsuite", "netsuite", netsuite, vec![("token_secret", demo::NETSUITE_TOKEN_SECRET)]),
        ("paypal", "paypal", json!({"client_id": "Ae2e", "client_secret": "Ee2e"}), vec![("client_secret", "Ee2e")]),
        (
            "salesforce",
            "salesforce_rest_api",
            oauth2("00De2e", json!({"instance_url": "https://acme.my.salesforce.com"})),
            vec![("refresh_token", "used-once")],
        ),
        (
            "shopify",
            "shopify_developer_app",
            json!({"shop_id": "acme", "access_token": "shpat_e2e"}),
            vec![("shop", "acme")],
        ),
        ("slack", "slack_v2", json!({"bot_token": demo::SLACK_BOT_TOKEN}), vec![("bot_token", demo::SLACK_BOT_TOKEN)]),
        ("stripe", "stripe", json!({"api_key": demo::STRIPE_SECRET_KEY}), vec![("api_key", demo::STRIPE_SECRET_KEY)]),
        ("twilio", "twilio", json!({"AccountSid": TWILIO, "AuthToken": "tw-e2e"}), vec![("auth_token", "tw-e2e")]),
        ("xero", "xero_accounting_api", oauth2("xero.e2e", json!({})), vec![("refresh_token", "used-once")]),
        (
            "zendesk",
            "zendesk",
            json!({"subdomain": "acme", "email": "a@acme.example", "api_token": "zt"}),
            vec![("api_token", "zt")],
        ),
    ];
    let rows: Vec<Value> = cases
        .iter()
        .map(|(slug, name, credentials, _)| {
            json!({"id": format!("apn_{slug}"), "external_id": format!("user_{slug}"), "app": {"name_slug": name}, "credentials": credentials})
        })
        .collect();
    Exported::open().await.imports("from=pipedream", &json!({ "data": rows }), &cases).await;
}
