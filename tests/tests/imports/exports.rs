//! Exports of other systems, with a row for each app that Keyferry ships with, imported without a map of their fields.

use keyferry_mock_providers::apps::demo;
use keyferry_tests::apps::shipped_apps;
use keyferry_tests::http::Request;
use keyferry_tests::{ServerChange, World, WorldOptions, binary};
use serde_json::{Value, json};

use super::shop::{IMPORTS, lines, until_ended};

const RSA_KEY: &str = include_str!("../../../host/crates/devkit/src/cases/test_rsa_key.pem");
const TWILIO: &str = "AC0123456789abcdef0123456789abcdef";
const EMAIL: &str = "i@acme-example.iam.gserviceaccount.com";

/// A row of an export: the app, what the system calls it, how the credential is kept there, and fields that have to be stored.
type Case = (&'static str, &'static str, Value, Vec<(&'static str, &'static str)>);

struct Exported {
    world: World,
}

impl Exported {
    async fn open() -> Self {
        let (providers, _) = shipped_apps().await;
        let change: ServerChange = Box::new(|options| binary::copy(binary::slugs(), &options.plugins));
        let options = WorldOptions { providers: Some(providers), server: Some(change) };
        Self { world: World::start_with(options).await }
    }

    /// Imports an export, and looks at what is stored of each row. The account of a row is `user_` and the app.
    async fn imports(&self, query: &str, rows: &Value, cases: &[Case]) {
        let path = format!("{IMPORTS}?create_accounts=true&{query}");
        let sent = self.world.send(Request::new("POST", &path).body("application/json", rows.to_string())).await;
        assert_eq!(sent.status, 202, "{}", sent.text());
        let id = sent.json()["id"].as_str().unwrap().to_owned();
        let import = until_ended(&self.world, &id).await;
        let results = self.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/results"))).await;
        let ledger = lines(&results);
        for (row, (slug, ..)) in ledger.iter().zip(cases) {
            assert_eq!((&row["slug"], &row["outcome"]), (&json!(slug), &json!("created")), "{query} {row:#}");
            assert!(!row["warnings"].to_string().contains("is not stored"), "{query} {row:#}");
        }
        assert_eq!((ledger.len(), &import["counts"]["done"]), (cases.len(), &json!(cases.len())));
        let key = self.reader().await;
        for (slug, _, _, fields) in cases {
            let path = format!("/api/v2/public/linked-account/user_{slug}/integration/{slug}/credentials");
            let stored = self.world.send_as_it_is(Request::new("GET", &path).header("x-api-key", &key)).await;
            assert_eq!(stored.status, 200, "{slug}: {}", stored.text());
            let shown = stored.json().to_string();
            for (name, value) in fields {
                let member = format!("{}:{}", json!(name), json!(value));
                assert!(shown.contains(&member), "{query} {slug}: {name} is missing in {:?}", names(&stored.json()));
            }
        }
    }

    async fn reader(&self) -> String {
        let arguments = ["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read_credentials"];
        let (code, key, said) = self.world.command(&arguments).await;
        assert_eq!(code, Some(0), "{said}");
        key.trim().to_owned()
    }
}

/// All names in a value.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| [vec![name.clone()], names(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

fn service_account() -> Value {
    json!({ "type": "service_account", "project_id": "acme-example", "private_key": RSA_KEY, "client_email": EMAIL })
}

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

#[tokio::test]
async fn a_spare_secret_is_told_in_the_rows_warnings_and_counted() {
    let exported = Exported::open().await;
    let connection = |account: &str, more: Value| {
        json!({"connection_id": account, "provider": "stripe", "connection_config": more,
               "credentials": {"type": "API_KEY", "apiKey": demo::STRIPE_SECRET_KEY}})
    };
    let rows = json!([
        connection("user_1", json!({"webhookSecret": "whsec_lost", "plan": "gold"})),
        connection("user_2", json!({"plan": "gold"})),
    ]);
    let path = format!("{IMPORTS}?create_accounts=true&from=nango");
    let sent = exported.world.send(Request::new("POST", &path).body("application/json", rows.to_string())).await;
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    let import = until_ended(&exported.world, &id).await;
    assert_eq!((&import["counts"]["done"], &import["rows_with_warnings"]), (&json!(2), &json!(1)), "{import:#}");
    let results = exported.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/results?warnings=true"))).await;
    let warned = lines(&results);
    assert_eq!((warned.len(), &warned[0]["row"]), (1, &json!(1)));
    let warning = warned[0]["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("`connection_config.webhookSecret` looks like a secret and is not stored"),
        "{warning}"
    );
    assert!(!results.text().contains("whsec_lost"));
}

#[tokio::test]
async fn an_app_that_is_not_here_is_told_by_the_name_that_the_export_has_for_it() {
    let exported = Exported::open().await;
    let connection = json!({"connection_id": "user_1", "provider": "notion-oauth2",
                            "credentials": {"type": "OAUTH2", "access_token": "ntn_0123456789abcdef"}});
    let csv = "linked_account_id,slug,auth_type,api_key\nuser_1,Google BigQuery,keybased,k\nuser_2,s3cr3t-v4lue,keybased,k\nuser_3,acme-crm,keybased,k\n";
    for (query, content_type, file, told) in [
        ("from=nango", "application/json", connection.to_string(), vec![("notion", "no app with the slug `notion`")]),
        (
            "from=native",
            "text/csv",
            csv.to_owned(),
            vec![
                ("Google BigQuery", "--map 'slug:Google BigQuery=bigquery'"),
                ("***", "`***`"),
                ("acme-crm", "no app with the slug `acme-crm`"),
            ],
        ),
    ] {
        let path = format!("{IMPORTS}?{query}");
        let sent = exported.world.send(Request::new("POST", &path).body(content_type, file)).await;
        let id = sent.json()["id"].as_str().unwrap().to_owned();
        until_ended(&exported.world, &id).await;
        let results = exported.world.send(Request::new("GET", &format!("{IMPORTS}/{id}/results"))).await;
        for (row, (slug, part)) in lines(&results).iter().zip(told) {
            assert_eq!((&row["outcome"], &row["slug"]), (&json!("unknown_app"), &json!(slug)), "{row:#}");
            assert!(row["detail"].as_str().unwrap().contains(part), "{row:#}");
        }
    }
}
