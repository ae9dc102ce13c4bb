//! An export of Composio.

use keyferry_mock_providers::apps::demo;
use serde_json::{Value, json};

use super::exported::{Case, EMAIL, Exported, RSA_KEY, TWILIO, service_account};

#[tokio::test]
async fn composios_accounts_of_all_shipped_apps_are_stored_with_all_their_fields() {
    let val = |scheme: &str, val: Value| json!({"authScheme": scheme, "val": val});
    let netsuite = json!({
        "consumer_key": demo::NETSUITE_CONSUMER_KEY, "consumer_secret": demo::NETSUITE_CONSUMER_SECRET,
        "oauth_token": demo::NETSUITE_TOKEN_ID, "oauth_token_secret": demo::NETSUITE_TOKEN_SECRET,
        "account_id": demo::NETSUITE_ACCOUNT_ID,
    });
    let app = json!({"application_id": "123456", "installation_id": "12345678", "private_key": RSA_KEY});
    let aws = json!({"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "sk", "region": "eu-west-1"});
    let cases: Vec<Case> = vec![
        ("aws", "aws", val("API_KEY", aws), vec![("access_key_id", "AKIAIOSFODNN7EXAMPLE"), ("region", "eu-west-1")]),
        (
            "bigquery",
            "googlebigquery",
            val("GOOGLE_SERVICE_ACCOUNT", json!({"credentials_json": service_account().to_string()})),
            vec![("project_id", "acme-example"), ("client_email", EMAIL)],
        ),
        (
            "datadog",
            "datadog",
            val("API_KEY", json!({"generic_api_key": "dd-e2e", "subdomain": "datadoghq.eu"})),
            vec![("api_key", "dd-e2e"), ("site", "datadoghq.eu")],
        ),
        ("github", "github", val("SERVICE_ACCOUNT", app), vec![("app_id", "123456"), ("installation_id", "12345678")]),
        (
            "hubspot",
            "hubspot",
            val(
                "DCR_OAUTH",
                json!({"access_token": demo::HUBSPOT_ACCESS_TOKEN, "client_id": "dcr-id", "client_secret": "dcr-secret"}),
            ),
            vec![("client_id", "dcr-id"), ("client_secret", "dcr-secret")],
        ),
        (
            "linear",
            "linear",
            val("API_KEY", json!({"generic_api_key": "lin_api_e2e"})),
            vec![("api_key", "lin_api_e2e")],
        ),
        (
            "mailchimp",
            "mailchimp",
            val("API_KEY", json!({"api_key": "0123456789abcdef-us21", "dc": "us21"})),
            vec![("api_key", "0123456789abcdef-us21")],
        ),
        ("netsuite", "netsuite", val("OAUTH1", netsuite), vec![("token_id", demo::NETSUITE_TOKEN_ID)]),
        (
            "paypal",
            "paypal",
            val("S2S_OAUTH2", json!({"client_id": "Ae2e", "client_secret": "Ee2e"})),
            vec![("client_secret", "Ee2e")],
        ),
        (
            "salesforce",
            "salesforce",
            val("OAUTH2", json!({"access_token": "00De2e", "subdomain": "acme.my"})),
            vec![("instance_url", "https://acme.my.salesforce.com")],
        ),
        (
            "shopify",
            "shopify",
            val("API_KEY", json!({"generic_api_key": "shpat_e2e", "subdomain": "acme"})),
            vec![("shop", "acme")],
        ),
        (
            "slack",
            "slackbot",
            val("BEARER_TOKEN", json!({"token": demo::SLACK_BOT_TOKEN})),
            vec![("bot_token", demo::SLACK_BOT_TOKEN)],
        ),
        (
            "stripe",
            "stripe",
            val("API_KEY", json!({"bearer_token": demo::STRIPE_SECRET_KEY})),
            vec![("api_key", demo::STRIPE_SECRET_KEY)],
        ),
        // `AC0123456789abcdef0123456789abcdef:tw-e2e`
        (
            "twilio",
            "twilio",
            val("API_KEY", json!({"basic_encoded": "QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0dy1lMmU="})),
            vec![("account_sid", TWILIO), ("auth_token", "tw-e2e")],
        ),
        (
            "xero",
            "xero",
            val("OAUTH2", json!({"access_token": "xero.e2e", "refresh_token": "used-once"})),
            vec![("refresh_token", "used-once")],
        ),
        (
            "zendesk",
            "zendesk",
            val("BASIC", json!({"username": "a@acme.example/token", "password": "zt", "subdomain": "acme"})),
            vec![("email", "a@acme.example"), ("api_token", "zt")],
        ),
    ];
    let rows: Vec<Value> = cases
        .iter()
        .map(|(slug, toolkit, state, _)| {
            json!({"id": format!("ca_{slug}"), "user_id": format!("user_{slug}"), "toolkit": {"slug": toolkit}, "state": state})
        })
        .collect();
    Exported::open().await.imports("from=composio", &json!({ "items": rows }), &cases).await;
}
