//! An export of n8n.

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::Request;
use serde_json::{Value, json};

use super::exported::{Case, EMAIL, Exported, RSA_KEY, TWILIO};
use crate::shop::IMPORTS;

#[tokio::test]
async fn n8ns_credentials_of_all_shipped_apps_are_stored_with_all_their_fields() {
    let oauth2 = |tokens: Value| json!({"clientId": "own-id", "clientSecret": "own-secret", "oauthTokenData": tokens});
    let netsuite = json!({
        "realm": demo::NETSUITE_ACCOUNT_ID, "consumerKey": demo::NETSUITE_CONSUMER_KEY,
        "consumerSecret": demo::NETSUITE_CONSUMER_SECRET, "tokenId": demo::NETSUITE_TOKEN_ID,
        "tokenSecret": demo::NETSUITE_TOKEN_SECRET,
    });
    let cases: Vec<Case> = vec![
        (
            "aws",
            "aws",
            json!({"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "sk", "region": "eu-west-1"}),
            vec![("region", "eu-west-1")],
        ),
        ("bigquery", "googleApi", json!({"email": EMAIL, "privateKey": RSA_KEY}), vec![("project_id", "acme-example")]),
        (
            "datadog",
            "datadogApi",
            json!({"url": "https://api.datadoghq.eu", "apiKey": "dd-e2e", "appKey": ""}),
            vec![("site", "datadoghq.eu")],
        ),
        (
            "github",
            "githubApi",
            json!({"server": "https://git.acme.example/api/v3", "user": "octocat", "accessToken": "ghp_e2e"}),
            vec![("base_url", "https://git.acme.example")],
        ),
        (
            "hubspot",
            "hubspotOAuth2Api",
            oauth2(json!({"access_token": demo::HUBSPOT_ACCESS_TOKEN})),
            vec![("client_id", "own-id"), ("client_secret", "own-secret")],
        ),
        ("linear", "linearApi", json!({"apiKey": "lin_api_e2e"}), vec![("api_key", "lin_api_e2e")]),
        (
            "mailchimp",
            "mailchimpApi",
            json!({"apiKey": "0123456789abcdef-us21"}),
            vec![("api_key", "0123456789abcdef-us21")],
        ),
        ("netsuite", "netSuiteTbaApi", netsuite, vec![("account_id", demo::NETSUITE_ACCOUNT_ID)]),
        (
            "paypal",
            "payPalApi",
            json!({"clientId": "Ae2e", "secret": "Ee2e", "env": "live"}),
            vec![("environment", "live")],
        ),
        (
            "salesforce",
            "salesforceOAuth2Api",
            oauth2(json!({"access_token": "00De2e", "instance_url": "https://acme.my.salesforce.com"})),
            vec![("instance_url", "https://acme.my.salesforce.com")],
        ),
        (
            "shopify",
            "shopifyAccessTokenApi",
            json!({"shopSubdomain": "acme", "accessToken": "shpat_e2e"}),
            vec![("shop", "acme")],
        ),
        (
            "slack",
            "slackApi",
            json!({"accessToken": demo::SLACK_BOT_TOKEN}),
            vec![("bot_token", demo::SLACK_BOT_TOKEN)],
        ),
        (
            "stripe",
            "stripeApi",
            json!({"secretKey": demo::STRIPE_SECRET_KEY}),
            vec![("api_key", demo::STRIPE_SECRET_KEY)],
        ),
        (
            "twilio",
            "twilioApi",
            json!({"authType": "authToken", "accountSid": TWILIO, "authToken": "tw-e2e"}),
            vec![("auth_token", "tw-e2e")],
        ),
        (
            "xero",
            "xeroOAuth2Api",
            oauth2(json!({"access_token": "xero.e2e", "refresh_token": "used-once"})),
            vec![("refresh_token", "used-once")],
        ),
        (
            "zendesk",
            "zendeskApi",
            json!({"subdomain": "acme", "email": "a@acme.example", "apiToken": "zt"}),
            vec![("api_token", "zt")],
        ),
    ];
    let rows: Vec<Value> = cases
        .iter()
        .map(|(slug, kind, data, _)| json!({"id": "0aB1cD2eF3gH4iJ5", "name": format!("user_{slug}"), "type": kind, "data": data}))
        .collect();
    let exported = Exported::open().await;
    let path = format!("{IMPORTS}?create_accounts=true&from=n8n");
    let refused =
        exported.world.send(Request::new("POST", &path).body("application/json", json!(rows).to_string())).await;
    assert!(refused.status >= 400, "{}", refused.text());
    assert!(refused.text().contains("--map name=linked_account_id"), "{}", refused.text());
    exported.imports("from=n8n&map=name%3Dlinked_account_id", &json!(rows), &cases).await;
}
