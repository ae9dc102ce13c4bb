//! Exports of other systems for all apps that Keyferry ships with: without a map, all that is there becomes a field.

use super::*;
use crate::schema::{AuthSchema, AuthTypeSpec, FieldKind, FieldSpec};

const OAUTH2: &str = "access_token* refresh_token*? expires_at? client_id? client_secret*? callback_url?";

/// The fields of each app by auth type, as its plugin describes them: a `*` is a secret, a `?` can be absent.
fn fields(slug: &str) -> Vec<(&'static str, String)> {
    let oauth2 = |more: &str| ("oauth2", format!("{OAUTH2} {more}"));
    let cc = |more: &str| ("client_credentials", format!("client_id client_secret* {more}"));
    let keybased = |fields: &str| ("keybased", fields.to_owned());
    match slug {
        "aws" => vec![keybased("access_key_id secret_access_key* session_token*? region?")],
        "bigquery" => {
            vec![oauth2("project_id"), keybased("project_id client_email private_key* private_key_id? type?")]
        }
        "datadog" => {
            vec![keybased("api_key* app_key*? site?"), oauth2("site?"), ("token", "access_token* site?".to_owned())]
        }
        "github" => vec![
            oauth2("base_url?"),
            keybased("access_token* base_url?"),
            ("app", "app_id installation_id private_key* base_url?".to_owned()),
        ],
        "hubspot" => vec![oauth2(""), keybased("access_token*")],
        "linear" | "mailchimp" => vec![oauth2(""), keybased("api_key*")],
        "netsuite" => {
            vec![keybased("account_id consumer_key* consumer_secret* token_id* token_secret*"), oauth2("account_id")]
        }
        "paypal" => vec![keybased("client_id client_secret* environment?")],
        "salesforce" => {
            vec![oauth2("instance_url"), keybased("client_id username private_key* login_host?"), cc("instance_url")]
        }
        "shopify" => vec![oauth2("shop"), keybased("shop access_token* api_secret_key*?"), cc("shop")],
        "slack" => vec![
            oauth2("user_token*? user_refresh_token*?"),
            keybased("bot_token*? user_token*? app_token*? signing_secret*?"),
        ],
        "stripe" => vec![keybased("api_key* stripe_account? stripe_context?"), oauth2("")],
        "twilio" => vec![keybased("account_sid auth_token*? api_key_sid? api_key_secret*? region?")],
        "xero" => vec![oauth2("tenant_id?"), cc("")],
        "zendesk" => vec![oauth2("subdomain"), keybased("subdomain email api_token*"), cc("subdomain")],
        other => panic!("{other} is not shipped"),
    }
}

fn app(slug: &str) -> AuthSchema {
    let field = |text: &str| FieldSpec {
        name: text.trim_matches(['*', '?']).into(),
        secret: text.contains('*'),
        required: !text.contains('?'),
        kind: if text.starts_with("private_key*") { FieldKind::Multiline } else { FieldKind::Text },
        ..FieldSpec::default()
    };
    let spec = |(name, fields): (&str, String)| AuthTypeSpec {
        name: name.into(),
        fields: fields.split_whitespace().map(field).collect(),
        ..AuthTypeSpec::default()
    };
    AuthSchema::parse(fields(slug).into_iter().map(spec).collect()).unwrap()
}

/// The app, the credential as the app has it, and the warnings.
fn fitted(preset: Preset, mapping: &str, row: &str) -> (String, String, Vec<String>) {
    let mut read = read(row, options(preset, mapping));
    assert_eq!(read.len(), 1, "{row}");
    let mut row = read.remove(0).unwrap().content.unwrap_or_else(|bad| panic!("{bad}: {row}"));
    let app = app(&row.slug);
    row.fit(&app);
    if let Err(violations) = app.validate(&row.auth_object) {
        panic!("{}: {violations:?}", row.slug);
    }
    (row.slug.clone(), plain(&row.auth_object), row.warnings)
}

fn check(preset: Preset, row: &str, slug: &str, auth_object: &str) {
    let (found, fitted, warnings) =
        fitted(preset, if preset == Preset::N8n { "linked_account_id:=user_1" } else { "" }, row);
    assert_eq!((found.as_str(), fitted.as_str()), (slug, auth_object), "{row}");
    assert!(warnings.is_empty(), "{row}: {warnings:?}");
}

const PEM: &str = r"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
const SID: &str = "AC0123456789abcdef0123456789abcdef";

#[test]
fn nangos_connections_of_each_app_are_read_without_a_map() {
    let base = r#""api_key":"k","app_key":"a","site":"datadoghq.eu""#;
    for (provider, credentials, config, slug, auth_object) in [
        (
            "aws-iam",
            r#"{"type":"BASIC","username":"AKIAEXAMPLE","password":"s"}"#,
            r#"{"region":"eu-west-1"}"#,
            "aws",
            r#"{"keybased":{"access_key_id":"AKIAEXAMPLE","secret_access_key":"s","region":"eu-west-1"}}"#.to_owned(),
        ),
        (
            "google-bigquery",
            r#"{"type":"OAUTH2","access_token":"t","refresh_token":"r"}"#,
            r#"{"projectId":"acme-1"}"#,
            "bigquery",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","project_id":"acme-1"}}"#.to_owned(),
        ),
        (
            "google-service-account",
            &format!(
                r#"{{"type":"TWO_STEP","serviceAccountEmailAddress":"i@acme-1.iam.gserviceaccount.com","privateKey":"{PEM}","scopes":"https://www.googleapis.com/auth/bigquery","token":"ya29.minted-by-nango"}}"#
            ),
            "{}",
            "bigquery",
            format!(
                r#"{{"keybased":{{"project_id":"acme-1","client_email":"i@acme-1.iam.gserviceaccount.com","private_key":"{PEM}"}}}}"#
            ),
        ),
        (
            "datadog",
            r#"{"type":"API_KEY","apiKey":"k"}"#,
            r#"{"applicationKey":"a","siteParameter":"datadoghq.eu"}"#,
            "datadog",
            format!(r#"{{"keybased":{{{base}}}}}"#),
        ),
        ("github", r#"{"type":"OAUTH2","access_token":"t"}"#, "{}", "github", r#"{"oauth2":{"access_token":"t"}}"#.to_owned()),
        (
            "github-pat",
            r#"{"type":"API_KEY","apiKey":"ghp_x"}"#,
            r#"{"version":"2022-11-28"}"#,
            "github",
            r#"{"keybased":{"access_token":"ghp_x"}}"#.to_owned(),
        ),
        (
            "github-app-oauth",
            r#"{"type":"CUSTOM","user":{"type":"OAUTH2","access_token":"ghu_x","refresh_token":"ghr_x"}}"#,
            r#"{"installation_id":"7"}"#,
            "github",
            r#"{"oauth2":{"access_token":"ghu_x","refresh_token":"ghr_x"}}"#.to_owned(),
        ),
        (
            "github-app",
            &format!(r#"{{"type":"APP","access_token":"ghs_minted-by-nango","privateKey":"{PEM}"}}"#),
            r#"{"app_id":"5","installation_id":"7"}"#,
            "github",
            format!(r#"{{"app":{{"private_key":"{PEM}","app_id":"5","installation_id":"7"}}}}"#),
        ),
        (
            "hubspot",
            r#"{"type":"OAUTH2","access_token":"t","refresh_token":"r","expires_at":"2024-05-06T07:08:09.000Z","config_override":{"client_id":"i","client_secret":"s"}}"#,
            "{}",
            "hubspot",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","expires_at":"1714979289000","client_id":"i","client_secret":"s"}}"#
                .to_owned(),
        ),
        ("linear", r#"{"type":"OAUTH2","access_token":"t"}"#, "{}", "linear", r#"{"oauth2":{"access_token":"t"}}"#.to_owned()),
        (
            "linear-api-key",
            r#"{"type":"API_KEY","apiKey":"lin_api_x"}"#,
            "{}",
            "linear",
            r#"{"keybased":{"api_key":"lin_api_x"}}"#.to_owned(),
        ),
        (
            "mailchimp",
            r#"{"type":"OAUTH2","access_token":"t"}"#,
            r#"{"dc":"us21"}"#,
            "mailchimp",
            r#"{"oauth2":{"access_token":"t"}}"#.to_owned(),
        ),
        (
            "netsuite-tba",
            r#"{"type":"TBA","token_id":"t","token_secret":"s","config_override":{"client_id":"k","client_secret":"c"}}"#,
            r#"{"accountId":"1234567_SB1"}"#,
            "netsuite",
            r#"{"keybased":{"consumer_key":"k","consumer_secret":"c","token_id":"t","token_secret":"s","account_id":"1234567_SB1"}}"#
                .to_owned(),
        ),
        (
            "netsuite",
            r#"{"type":"OAUTH2","access_token":"t","refresh_token":"r"}"#,
            r#"{"accountId":"1234567"}"#,
            "netsuite",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","account_id":"1234567"}}"#.to_owned(),
        ),
        (
            "paypal-sandbox",
            r#"{"type":"OAUTH2_CC","token":"minted-by-nango","client_id":"i","client_secret":"s","raw":{"access_token":"minted-by-nango"}}"#,
            "{}",
            "paypal",
            r#"{"keybased":{"environment":"sandbox","client_id":"i","client_secret":"s"}}"#.to_owned(),
        ),
        (
            "salesforce-sandbox",
            r#"{"type":"OAUTH2","access_token":"t","refresh_token":"r"}"#,
            r#"{"instance_url":"https://acme--dev.sandbox.my.salesforce.com"}"#,
            "salesforce",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","instance_url":"https://acme--dev.sandbox.my.salesforce.com"}}"#
                .to_owned(),
        ),
        (
            "salesforce",
            r#"{"type":"OAUTH2","access_token":"t","raw":{"instance_url":"https://acme.my.salesforce.com","access_token":"t","id_token":"eyJhbGciOi.eyJzdWIi.x"}}"#,
            "{}",
            "salesforce",
            r#"{"oauth2":{"access_token":"t","instance_url":"https://acme.my.salesforce.com"}}"#.to_owned(),
        ),
        (
            "salesforce-cc",
            r#"{"type":"OAUTH2_CC","token":"minted-by-nango","client_id":"i","client_secret":"s"}"#,
            r#"{"hostname":"acme.my.salesforce.com"}"#,
            "salesforce",
            r#"{"client_credentials":{"client_id":"i","client_secret":"s","login_host":"acme.my.salesforce.com"}}"#
                .to_owned(),
        ),
        (
            "shopify",
            r#"{"type":"OAUTH2","access_token":"t"}"#,
            r#"{"subdomain":"acme"}"#,
            "shopify",
            r#"{"oauth2":{"access_token":"t","shop":"acme"}}"#.to_owned(),
        ),
        (
            "shopify-api-key",
            r#"{"type":"API_KEY","apiKey":"shpat_x"}"#,
            r#"{"subdomain":"https://ACME.myshopify.com"}"#,
            "shopify",
            r#"{"keybased":{"access_token":"shpat_x","shop":"acme"}}"#.to_owned(),
        ),
        (
            "shopify-cc",
            r#"{"type":"OAUTH2_CC","token":"minted-by-nango","client_id":"i","client_secret":"s"}"#,
            r#"{"subdomain":"acme"}"#,
            "shopify",
            r#"{"client_credentials":{"client_id":"i","client_secret":"s","shop":"acme"}}"#.to_owned(),
        ),
        (
            "slack",
            r#"{"type":"OAUTH2","access_token":"xoxb-1","raw":{"ok":true,"access_token":"xoxb-1","authed_user":{"id":"U1","scope":"chat:write","access_token":"xoxp-2","token_type":"user"},"team":{"id":"T1"}}}"#,
            "{}",
            "slack",
            r#"{"oauth2":{"access_token":"xoxb-1","user_token":"xoxp-2"}}"#.to_owned(),
        ),
        (
            "slack",
            r#"{"type":"OAUTH2","access_token":"xoxb-1","authed_user":{"access_token":"xoxp-2","refresh_token":"xoxe-3"}}"#,
            "{}",
            "slack",
            r#"{"oauth2":{"access_token":"xoxb-1","user_token":"xoxp-2","user_refresh_token":"xoxe-3"}}"#.to_owned(),
        ),
        (
            "stripe-api-key",
            r#"{"type":"BASIC","username":"rk_live_x","password":""}"#,
            r#"{"context":"acct_1"}"#,
            "stripe",
            r#"{"keybased":{"api_key":"rk_live_x","stripe_context":"acct_1"}}"#.to_owned(),
        ),
        (
            "stripe-app",
            r#"{"type":"OAUTH2","access_token":"sk_live_x","raw":{"stripe_publishable_key":"pk_live_1","stripe_user_id":"acct_1"}}"#,
            "{}",
            "stripe",
            r#"{"oauth2":{"access_token":"sk_live_x"}}"#.to_owned(),
        ),
        (
            "twilio",
            &format!(r#"{{"type":"BASIC","username":"{SID}","password":"p"}}"#),
            "{}",
            "twilio",
            format!(r#"{{"keybased":{{"account_sid":"{SID}","auth_token":"p"}}}}"#),
        ),
        (
            "twilio",
            r#"{"type":"BASIC","username":"SK1","password":"p"}"#,
            &format!(r#"{{"accountSid":"{SID}"}}"#),
            "twilio",
            format!(r#"{{"keybased":{{"api_key_sid":"SK1","api_key_secret":"p","account_sid":"{SID}"}}}}"#),
        ),
        (
            "xero",
            r#"{"type":"OAUTH2","access_token":"t","refresh_token":"r"}"#,
            r#"{"tenant_id":"3f2b8c1e-9d4a-4f6b-8a7c-1e2d3c4b5a69"}"#,
            "xero",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","tenant_id":"3f2b8c1e-9d4a-4f6b-8a7c-1e2d3c4b5a69"}}"#
                .to_owned(),
        ),
        (
            "xero-oauth2-cc",
            r#"{"type":"OAUTH2_CC","token":"minted-by-nango","client_id":"i","client_secret":"s"}"#,
            "{}",
            "xero",
            r#"{"client_credentials":{"client_id":"i","client_secret":"s"}}"#.to_owned(),
        ),
        (
            "zendesk",
            r#"{"type":"OAUTH2","access_token":"t"}"#,
            r#"{"subdomain":"acme"}"#,
            "zendesk",
            r#"{"oauth2":{"access_token":"t","subdomain":"acme"}}"#.to_owned(),
        ),
        (
            "zendesk-api-key",
            r#"{"type":"BASIC","username":"ada@acme.example","password":"p"}"#,
            r#"{"subdomain":"acme.zendesk.com"}"#,
            "zendesk",
            r#"{"keybased":{"email":"ada@acme.example","api_token":"p","subdomain":"acme"}}"#.to_owned(),
        ),
    ] {
        let row = format!(
            r#"{{"id":7,"connection_id":"c-1","provider_config_key":"a-key-of-its-own-0123","provider":"{provider}","metadata":{{"plan":"gold"}},"end_user":{{"id":"user_1"}},"connection_config":{config},"credentials":{credentials}}}"#
        );
        check(Preset::Nango, &row, slug, &auth_object);
    }
}

#[test]
fn composios_accounts_of_each_app_are_read_without_a_map() {
    let file = format!(
        r#"{{\"type\":\"service_account\",\"project_id\":\"acme-1\",\"private_key\":\"{}\",\"client_email\":\"i@acme-1.iam.gserviceaccount.com\"}}"#,
        PEM.replace('\\', r"\\")
    );
    for (toolkit, scheme, val, slug, auth_object) in [
        (
            "aws",
            "API_KEY",
            r#"{"access_key_id":"AKIAEXAMPLE","secret_access_key":"s","region":"eu-west-1"}"#,
            "aws",
            r#"{"keybased":{"access_key_id":"AKIAEXAMPLE","secret_access_key":"s","region":"eu-west-1"}}"#.to_owned(),
        ),
        (
            "GOOGLEBIGQUERY",
            "GOOGLE_SERVICE_ACCOUNT",
            &format!(r#"{{"credentials_json":"{file}"}}"#),
            "bigquery",
            format!(
                r#"{{"keybased":{{"type":"service_account","project_id":"acme-1","private_key":"{PEM}","client_email":"i@acme-1.iam.gserviceaccount.com"}}}}"#
            ),
        ),
        (
            "datadog",
            "API_KEY",
            r#"{"generic_api_key":"k","application_key":"a","subdomain":"us5.datadoghq.com"}"#,
            "datadog",
            r#"{"keybased":{"api_key":"k","app_key":"a","site":"us5.datadoghq.com"}}"#.to_owned(),
        ),
        (
            "github",
            "SERVICE_ACCOUNT",
            &format!(r#"{{"application_id":"5","installation_id":"7","private_key":"{PEM}"}}"#),
            "github",
            format!(r#"{{"app":{{"private_key":"{PEM}","app_id":"5","installation_id":"7"}}}}"#),
        ),
        (
            "github",
            "DCR_OAUTH",
            r#"{"access_token":"t","refresh_token":"r","client_id":"i","client_secret":"s","client_id_issued_at":1,"client_secret_expires_at":0}"#,
            "github",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","client_id":"i","client_secret":"s"}}"#.to_owned(),
        ),
        ("hubspot", "BEARER_TOKEN", r#"{"token":"pat-na1-x"}"#, "hubspot", r#"{"keybased":{"access_token":"pat-na1-x"}}"#.to_owned()),
        ("hubspot", "API_KEY", r#"{"bearer_token":"pat-x"}"#, "hubspot", r#"{"keybased":{"access_token":"pat-x"}}"#.to_owned()),
        ("linear", "API_KEY", r#"{"api_key":"lin_api_x"}"#, "linear", r#"{"keybased":{"api_key":"lin_api_x"}}"#.to_owned()),
        (
            "mailchimp",
            "API_KEY",
            // `keyferry:k-us21`
            r#"{"basic_encoded":"a2V5ZmVycnk6ay11czIx","dc":"us21"}"#,
            "mailchimp",
            r#"{"keybased":{"api_key":"k-us21"}}"#.to_owned(),
        ),
        (
            "netsuite",
            "OAUTH1",
            r#"{"consumer_key":"k","consumer_secret":"c","oauth_token":"t","oauth_token_secret":"s","account_id":"1234567"}"#,
            "netsuite",
            r#"{"keybased":{"consumer_key":"k","consumer_secret":"c","token_id":"t","token_secret":"s","account_id":"1234567"}}"#
                .to_owned(),
        ),
        (
            "paypal",
            "S2S_OAUTH2",
            r#"{"client_id":"i","client_secret":"s","access_token":"minted","base_url":"https://api-m.sandbox.paypal.com"}"#,
            "paypal",
            r#"{"keybased":{"client_id":"i","client_secret":"s","environment":"sandbox"}}"#.to_owned(),
        ),
        (
            "salesforce",
            "OAUTH2",
            r#"{"access_token":"t","refresh_token":"r","subdomain":"acme.my"}"#,
            "salesforce",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","instance_url":"https://acme.my.salesforce.com"}}"#.to_owned(),
        ),
        (
            "shopify",
            "API_KEY",
            r#"{"generic_api_key":"shpat_x","subdomain":"acme"}"#,
            "shopify",
            r#"{"keybased":{"access_token":"shpat_x","shop":"acme"}}"#.to_owned(),
        ),
        (
            "slack",
            "OAUTH2",
            r#"{"access_token":"xoxb-1","authed_user":{"access_token":"xoxp-2","scope":"chat:write"}}"#,
            "slack",
            r#"{"oauth2":{"access_token":"xoxb-1","user_token":"xoxp-2"}}"#.to_owned(),
        ),
        (
            "slackbot",
            "BEARER_TOKEN",
            r#"{"token":"xoxb-1","webhook_signature":"w"}"#,
            "slack",
            r#"{"keybased":{"bot_token":"xoxb-1","signing_secret":"w"}}"#.to_owned(),
        ),
        ("stripe", "API_KEY", r#"{"bearer_token":"sk_live_x"}"#, "stripe", r#"{"keybased":{"api_key":"sk_live_x"}}"#.to_owned()),
        (
            "twilio",
            "API_KEY",
            // `AC01:tok`, without padding
            r#"{"basic_encoded":"Basic QUMwMTp0b2s"}"#,
            "twilio",
            r#"{"keybased":{"account_sid":"AC01","auth_token":"tok"}}"#.to_owned(),
        ),
        ("xero", "OAUTH2", r#"{"access_token":"t"}"#, "xero", r#"{"oauth2":{"access_token":"t"}}"#.to_owned()),
        (
            "zendesk",
            "API_KEY",
            // `ada@acme.example/token:tok`
            r#"{"basic_encoded":"YWRhQGFjbWUuZXhhbXBsZS90b2tlbjp0b2s=","your-domain":"acme"}"#,
            "zendesk",
            r#"{"keybased":{"email":"ada@acme.example","api_token":"tok","subdomain":"acme"}}"#.to_owned(),
        ),
    ] {
        let new = format!(
            r#"{{"id":"ca_1","user_id":"user_1","toolkit":{{"slug":"{toolkit}"}},"auth_config":{{"id":"ac_1"}},"state":{{"authScheme":"{scheme}","val":{val}}}}}"#
        );
        check(Preset::Composio, &new, slug, &auth_object);
        let old = format!(
            r#"{{"id":"ca_1","clientUniqueUserId":"user_1","appName":"{toolkit}","authScheme":"{scheme}","connectionParams":{val}}}"#
        );
        check(Preset::Composio, &old, slug, &auth_object);
    }
}

#[test]
fn n8ns_credentials_of_each_app_are_read_without_a_map_of_their_fields() {
    for (kind, data, slug, auth_object) in [
        (
            "aws",
            r#"{"region":"eu-west-1","accessKeyId":"AKIAEXAMPLE","secretAccessKey":"s","temporaryCredentials":false,"customEndpoints":false}"#,
            "aws",
            r#"{"keybased":{"region":"eu-west-1","access_key_id":"AKIAEXAMPLE","secret_access_key":"s"}}"#.to_owned(),
        ),
        (
            "googleApi",
            &format!(r#"{{"email":"i@acme-1.iam.gserviceaccount.com","privateKey":"{PEM}","inpersonate":false}}"#),
            "bigquery",
            format!(
                r#"{{"keybased":{{"project_id":"acme-1","client_email":"i@acme-1.iam.gserviceaccount.com","private_key":"{PEM}"}}}}"#
            ),
        ),
        (
            "datadogApi",
            r#"{"url":"https://api.datadoghq.eu","apiKey":"k","appKey":"a"}"#,
            "datadog",
            r#"{"keybased":{"site":"datadoghq.eu","api_key":"k","app_key":"a"}}"#.to_owned(),
        ),
        (
            "githubApi",
            r#"{"server":"https://api.github.com","user":"octocat","accessToken":"ghp_x"}"#,
            "github",
            r#"{"keybased":{"access_token":"ghp_x"}}"#.to_owned(),
        ),
        (
            "githubOAuth2Api",
            r#"{"server":"https://git.acme.example/api/v3","clientId":"i","clientSecret":"s","oauthTokenData":{"access_token":"t","token_type":"bearer"}}"#,
            "github",
            r#"{"oauth2":{"access_token":"t","base_url":"https://git.acme.example","client_id":"i","client_secret":"s"}}"#.to_owned(),
        ),
        ("hubspotAppToken", r#"{"appToken":"pat-x"}"#, "hubspot", r#"{"keybased":{"access_token":"pat-x"}}"#.to_owned()),
        ("linearApi", r#"{"apiKey":"lin_api_x"}"#, "linear", r#"{"keybased":{"api_key":"lin_api_x"}}"#.to_owned()),
        ("mailchimpApi", r#"{"apiKey":"k-us21"}"#, "mailchimp", r#"{"keybased":{"api_key":"k-us21"}}"#.to_owned()),
        (
            "netSuiteTbaApi",
            r#"{"realm":"1234567","consumerKey":"k","consumerSecret":"c","tokenId":"t","tokenSecret":"s"}"#,
            "netsuite",
            r#"{"keybased":{"account_id":"1234567","consumer_key":"k","consumer_secret":"c","token_id":"t","token_secret":"s"}}"#
                .to_owned(),
        ),
        (
            "payPalApi",
            r#"{"clientId":"i","secret":"s","env":"sanbox"}"#,
            "paypal",
            r#"{"keybased":{"client_id":"i","client_secret":"s","environment":"sandbox"}}"#.to_owned(),
        ),
        (
            "salesforceOAuth2Api",
            r#"{"environment":"sandbox","clientId":"i","clientSecret":"s","oauthTokenData":"{\"access_token\":\"t\",\"refresh_token\":\"r\",\"instance_url\":\"https://acme.my.salesforce.com\",\"id_token\":\"eyJhbGciOi.eyJzdWIi.x\"}"}"#,
            "salesforce",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","instance_url":"https://acme.my.salesforce.com","client_id":"i","client_secret":"s"}}"#
                .to_owned(),
        ),
        (
            "salesforceJwtApi",
            &format!(r#"{{"environment":"sandbox","clientId":"i","username":"ada@acme.example","privateKey":"{PEM}"}}"#),
            "salesforce",
            format!(
                r#"{{"keybased":{{"login_host":"test.salesforce.com","client_id":"i","username":"ada@acme.example","private_key":"{PEM}"}}}}"#
            ),
        ),
        (
            "shopifyAccessTokenApi",
            r#"{"shopSubdomain":"acme","accessToken":"shpat_x","appSecretKey":"s"}"#,
            "shopify",
            r#"{"keybased":{"shop":"acme","access_token":"shpat_x","api_secret_key":"s"}}"#.to_owned(),
        ),
        (
            "slackApi",
            r#"{"accessToken":"xoxb-1","signatureSecret":"w"}"#,
            "slack",
            r#"{"keybased":{"bot_token":"xoxb-1","signing_secret":"w"}}"#.to_owned(),
        ),
        (
            "slackOAuth2Api",
            r#"{"clientId":"i","clientSecret":"s","oauthTokenData":{"access_token":"xoxb-1","authed_user":{"access_token":"xoxp-2"}}}"#,
            "slack",
            r#"{"oauth2":{"access_token":"xoxb-1","user_token":"xoxp-2","client_id":"i","client_secret":"s"}}"#.to_owned(),
        ),
        ("stripeApi", r#"{"secretKey":"sk_live_x","notice":""}"#, "stripe", r#"{"keybased":{"api_key":"sk_live_x"}}"#.to_owned()),
        (
            "twilioApi",
            &format!(r#"{{"authType":"apiKey","accountSid":"{SID}","authToken":"","apiKeySid":"SK1","apiKeySecret":"p"}}"#),
            "twilio",
            format!(r#"{{"keybased":{{"account_sid":"{SID}","api_key_sid":"SK1","api_key_secret":"p"}}}}"#),
        ),
        (
            "xeroOAuth2Api",
            r#"{"clientId":"i","clientSecret":"s","oauthTokenData":{"access_token":"t","refresh_token":"r"}}"#,
            "xero",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","client_id":"i","client_secret":"s"}}"#.to_owned(),
        ),
        (
            "zendeskApi",
            r#"{"subdomain":"acme","email":"ada@acme.example","apiToken":"p"}"#,
            "zendesk",
            r#"{"keybased":{"subdomain":"acme","email":"ada@acme.example","api_token":"p"}}"#.to_owned(),
        ),
    ] {
        let row = format!(
            r#"[{{"createdAt":"2026-01-02T03:04:05.000Z","updatedAt":"2026-01-02T03:04:05.000Z","id":"0aB1cD2eF3gH4iJ5","name":"Account of Acme","data":{data},"type":"{kind}","isManaged":false}}]"#
        );
        check(Preset::N8n, &row, slug, &auth_object);
    }
}

#[test]
fn pipedreams_accounts_of_each_app_are_read_without_a_map() {
    for (name, credentials, slug, auth_object) in [
        (
            "aws",
            r#"{"accessKeyId":"AKIAEXAMPLE","secretAccessKey":"s"}"#,
            "aws",
            r#"{"keybased":{"access_key_id":"AKIAEXAMPLE","secret_access_key":"s"}}"#.to_owned(),
        ),
        (
            "google_cloud",
            r#"{"key_json":"{\"project_id\":\"acme-1\",\"private_key\":\"k\",\"client_email\":\"i@acme-1.iam.gserviceaccount.com\"}"}"#,
            "bigquery",
            r#"{"keybased":{"project_id":"acme-1","private_key":"k","client_email":"i@acme-1.iam.gserviceaccount.com"}}"#
                .to_owned(),
        ),
        (
            "datadog",
            r#"{"api_key":"k","application_key":"a","base_url":"https://api.us3.datadoghq.com/api/v1"}"#,
            "datadog",
            r#"{"keybased":{"api_key":"k","app_key":"a","site":"us3.datadoghq.com"}}"#.to_owned(),
        ),
        ("github", r#"{"oauth_access_token":"t","oauth_uid":"1"}"#, "github", r#"{"oauth2":{"access_token":"t"}}"#.to_owned()),
        (
            "hubspot",
            r#"{"oauth_access_token":"t","oauth_refresh_token":"r","oauth_client_id":"i"}"#,
            "hubspot",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","expires_at":"1714979289000","client_id":"i"}}"#.to_owned(),
        ),
        ("linear", r#"{"api_key":"lin_api_x"}"#, "linear", r#"{"keybased":{"api_key":"lin_api_x"}}"#.to_owned()),
        ("mailchimp", r#"{"oauth_access_token":"t","dc":"us21"}"#, "mailchimp", r#"{"oauth2":{"access_token":"t"}}"#.to_owned()),
        (
            "netsuite",
            r#"{"oauth_access_token":"t","oauth_refresh_token":"r","account_id":"1234567"}"#,
            "netsuite",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","account_id":"1234567"}}"#.to_owned(),
        ),
        (
            "paypal",
            r#"{"client_id":"i","client_secret":"s","environment":"sandbox"}"#,
            "paypal",
            r#"{"keybased":{"client_id":"i","client_secret":"s","environment":"sandbox"}}"#.to_owned(),
        ),
        (
            "salesforce_rest_api",
            r#"{"oauth_access_token":"t","oauth_refresh_token":"r","instance_url":"https://acme.my.salesforce.com"}"#,
            "salesforce",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","instance_url":"https://acme.my.salesforce.com"}}"#.to_owned(),
        ),
        (
            "shopify_developer_app",
            r#"{"shop_id":"acme","access_token":"shpat_x","api_secret":"s"}"#,
            "shopify",
            r#"{"keybased":{"shop":"acme","access_token":"shpat_x","api_secret_key":"s"}}"#.to_owned(),
        ),
        ("slack_v2", r#"{"oauth_access_token":"xoxp-1","oauth_uid":"U1"}"#, "slack", r#"{"oauth2":{"access_token":"xoxp-1"}}"#.to_owned()),
        ("stripe", r#"{"api_key":"sk_live_x"}"#, "stripe", r#"{"keybased":{"api_key":"sk_live_x"}}"#.to_owned()),
        (
            "twilio",
            &format!(r#"{{"AccountSid":"{SID}","AuthToken":"p"}}"#),
            "twilio",
            format!(r#"{{"keybased":{{"account_sid":"{SID}","auth_token":"p"}}}}"#),
        ),
        (
            "xero_accounting_api",
            r#"{"oauth_access_token":"t","oauth_refresh_token":"r"}"#,
            "xero",
            r#"{"oauth2":{"access_token":"t","refresh_token":"r"}}"#.to_owned(),
        ),
        (
            "zendesk",
            r#"{"oauth_access_token":"t","subdomain":"acme"}"#,
            "zendesk",
            r#"{"oauth2":{"access_token":"t","subdomain":"acme"}}"#.to_owned(),
        ),
    ] {
        let ends = if name == "hubspot" { r#","expires_at":"2024-05-06T07:08:09.000Z""# } else { "" };
        let account = format!(
            r#"{{"id":"apn_1","name":"ada","external_id":"user_1","healthy":true,"dead":false,"app":{{"id":"app_1","name_slug":"{name}","name":"An app","auth_type":"keys"}},"credentials":{credentials}{ends}}}"#
        );
        check(Preset::Pipedream, &format!(r#"{{"page_info":{{"total_count":1}},"data":[{account}]}}"#), slug, &auth_object);
    }
}

#[test]
fn airbytes_sources_are_read_without_a_map_where_they_hold_all_that_is_asked_for() {
    for (kind, configuration, slug, auth_object) in [
        (
            "aws-cloudtrail",
            r#"{"aws_key_id":"AKIAEXAMPLE","aws_secret_key":"s","aws_region_name":"eu-west-1"}"#,
            "aws",
            r#"{"keybased":{"secret_access_key":"s","access_key_id":"AKIAEXAMPLE","region":"eu-west-1"}}"#,
        ),
        (
            "netsuite",
            r#"{"realm":"1234567","consumer_key":"k","consumer_secret":"c","token_key":"t","token_secret":"s"}"#,
            "netsuite",
            r#"{"keybased":{"consumer_key":"k","consumer_secret":"c","token_id":"t","token_secret":"s","account_id":"1234567"}}"#,
        ),
        (
            "shopify",
            r#"{"shop":"acme","credentials":{"auth_method":"api_password","api_password":"shpat_x"}}"#,
            "shopify",
            r#"{"keybased":{"access_token":"shpat_x","shop":"acme"}}"#,
        ),
        (
            "stripe",
            r#"{"client_secret":"sk_live_x","account_id":"acct_1"}"#,
            "stripe",
            r#"{"keybased":{"api_key":"sk_live_x","stripe_account":"acct_1"}}"#,
        ),
        (
            "zendesk-support",
            r#"{"subdomain":"acme","credentials":{"credentials":"api_token","email":"ada@acme.example","api_token":"p"}}"#,
            "zendesk",
            r#"{"keybased":{"email":"ada@acme.example","api_token":"p","subdomain":"acme"}}"#,
        ),
        (
            "paypal-transaction",
            r#"{"client_id":"i","client_secret":"s","is_sandbox":true}"#,
            "paypal",
            r#"{"keybased":{"client_id":"i","client_secret":"s","environment":"sandbox"}}"#,
        ),
    ] {
        let row = format!(
            r#"{{"sourceId":"s","sourceType":"{kind}","workspaceId":"user_1","configuration":{configuration}}}"#
        );
        check(Preset::Airbyte, &row, slug, auth_object);
    }
}

#[test]
fn a_spare_value_that_looks_like_a_secret_is_told_by_its_path_and_others_are_not() {
    let row = r#"{"connection_id":"c-1","provider":"stripe-api-key","provider_config_key":"k","metadata":{"plan":"gold","webhookSecret":"whsec_lost-1","nested":{"note":"ghp_lost-2-0123"}},"connection_config":{"oauth_scopes":"read","signing_secret":"lost-3","accountName":"Acme"},"credentials":{"type":"BASIC","username":"rk_live_x","password":"lost-4"}}"#;
    let (_, auth_object, warnings) = fitted(Preset::Nango, "", row);
    assert_eq!(auth_object, r#"{"keybased":{"api_key":"rk_live_x"}}"#);
    let told: Vec<&str> = warnings.iter().map(|warning| warning.split('`').nth(1).unwrap()).collect();
    let expected =
        ["credentials.password", "connection_config.signing_secret", "metadata.webhookSecret", "metadata.nested.note"];
    assert_eq!(
        {
            let mut told = told.clone();
            told.sort_unstable();
            told
        },
        {
            let mut all = expected;
            all.sort_unstable();
            all
        }
    );
    assert!(!warnings.concat().contains("lost"), "{warnings:?}");
    let rules = "stripe/metadata.webhookSecret=\nsigning_secret=\npassword=\nmetadata.nested.note=";
    assert!(fitted(Preset::Nango, rules, row).2.is_empty());
}

#[test]
fn a_rule_beats_what_a_preset_or_a_name_would_do() {
    let composio = |val: &str| {
        format!(
            r#"{{"user_id":"user_1","toolkit":{{"slug":"stripe"}},"state":{{"authScheme":"API_KEY","val":{val}}}}}"#
        )
    };
    for (preset, rules, row, auth_object) in [
        (
            Preset::Composio,
            "stripe/state.val.bearer_token=api_key",
            composio(r#"{"api_key":"wrong","bearer_token":"right"}"#),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Composio,
            "state.val.bearer_token=api_key",
            composio(r#"{"api_key":"wrong","bearer_token":"right"}"#),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Composio,
            "bearer_token=api_key",
            composio(r#"{"api_key":"wrong","bearer_token":"right"}"#),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Composio,
            "state.val.other=api_key\nstripe/state.val.bearer_token=api_key",
            composio(r#"{"api_key":"wrong","other":"wrong","bearer_token":"right"}"#),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Composio,
            "state.val.api_key=",
            composio(r#"{"api_key":"wrong","bearer_token":"right"}"#),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Composio,
            "stripe/meta.key=api_key",
            r#"{"user_id":"user_1","toolkit":{"slug":"stripe"},"meta":{"key":"right"},"state":{"authScheme":"SAML","val":{"x":"y"}}}"#
                .to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Nango,
            "stripe/metadata.key=api_key",
            r#"{"connection_id":"c","provider":"stripe","metadata":{"key":"right"},"credentials":{"type":"API_KEY","apiKey":"REDACTED"}}"#
                .to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Nango,
            "stripe/connection_config.parent=stripe_account",
            r#"{"connection_id":"c","provider":"stripe","connection_config":{"parent":"acct_2","context":"acct_1"},"credentials":{"type":"API_KEY","apiKey":"right"}}"#
                .to_owned(),
            r#"{"keybased":{"api_key":"right","stripe_account":"acct_2","stripe_context":"acct_1"}}"#,
        ),
        (
            Preset::CsvFlat,
            "secret=api_key",
            "linked_account_id,slug,auth_type,api_key,secret\nuser_1,stripe,keybased,wrong,right\n".to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Native,
            "key=api_key\nstripe/secret=api_key",
            "linked_account_id,slug,auth_type,key,secret\nuser_1,stripe,keybased,wrong,right\n".to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::CsvFlat,
            "stripe/other=api_key",
            r#"{"linked_account_id":"user_1","slug":"stripe","auth_type":"keybased","api_key":"wrong","other":"right"}"#.to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
    ] {
        assert_eq!(fitted(preset, rules, &row).1, auth_object, "{rules}: {row}");
    }
}

#[test]
fn a_default_is_for_the_apps_that_have_the_field_and_the_more_specific_one_counts() {
    let csv = |slug: &str, site: &str| {
        format!("linked_account_id,slug,auth_type,api_key,site\nuser_1,{slug},keybased,k,{site}\n")
    };
    for (rules, row, auth_object) in [
        ("datadog/site:=datadoghq.eu", csv("datadog", ""), r#"{"keybased":{"api_key":"k","site":"datadoghq.eu"}}"#),
        ("datadog/site:=datadoghq.eu", csv("stripe", ""), r#"{"keybased":{"api_key":"k"}}"#),
        ("site:=datadoghq.eu", csv("datadog", ""), r#"{"keybased":{"api_key":"k","site":"datadoghq.eu"}}"#),
        ("site:=datadoghq.eu", csv("stripe", ""), r#"{"keybased":{"api_key":"k"}}"#),
        (
            "site:=us3.datadoghq.com\ndatadog/site:=datadoghq.eu",
            csv("datadog", ""),
            r#"{"keybased":{"api_key":"k","site":"datadoghq.eu"}}"#,
        ),
        (
            "datadog/site:=datadoghq.eu",
            csv("datadog", "us5.datadoghq.com"),
            r#"{"keybased":{"api_key":"k","site":"us5.datadoghq.com"}}"#,
        ),
    ] {
        assert_eq!(fitted(Preset::Native, rules, &row).1, auth_object, "{rules}: {row}");
    }
    let nango = r#"{"connection_id":"c","provider":"datadog","connection_config":{"siteParameter":"us5.datadoghq.com"},"credentials":{"type":"API_KEY","apiKey":"k"}}"#;
    let expected = r#"{"keybased":{"api_key":"k","site":"us5.datadoghq.com"}}"#;
    assert_eq!(fitted(Preset::Nango, "datadog/site:=datadoghq.eu", nango).1, expected);
    let whole = r#"{"linked_account_id":"u","slug":"datadog","auth_object":{"keybased":{"api_key":"k"}}}"#;
    let expected = r#"{"keybased":{"api_key":"k","site":"datadoghq.eu"}}"#;
    assert_eq!(fitted(Preset::Native, "datadog/site:=datadoghq.eu", whole).1, expected);
}

#[test]
fn an_export_of_n8ns_needs_a_rule_for_the_account_and_has_to_be_decrypted() {
    let row = |data: &str| format!(r#"[{{"id":"1","name":"user_2","type":"stripeApi","data":{data}}}]"#);
    let plain = row(r#"{"secretKey":"sk_live_x"}"#);
    let told = told(&plain, options(Preset::N8n, ""));
    assert!(told[0].starts_with("missing_column") && told[0].contains("--map name=linked_account_id"), "{told:?}");
    for (rules, account) in
        [("name=linked_account_id", "user_2"), ("id=linked_account_id", "1"), ("linked_account_id:=acme", "acme")]
    {
        let read = super::told(&plain, options(Preset::N8n, rules));
        assert!(read[0].starts_with(&format!("1@1 {account} stripe ")), "{read:?}");
    }
    let read = super::told(row("\"U2FsdGVkX1\""), options(Preset::N8n, "linked_account_id:=acme"));
    assert!(read[0].contains("masked_value `data` is encrypted: export with `n8n export:credentials"), "{read:?}");
    let bare = r#"{"external_id":"user_1","app":{"name_slug":"stripe"}}"#;
    let read = super::told(bare, options(Preset::Pipedream, ""));
    assert!(read[0].contains("include_credentials=true"), "{read:?}");
}
