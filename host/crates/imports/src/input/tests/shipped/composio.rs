//! Composio's accounts of each app.

use super::*;

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
            "GOOGLEBIGQUERY",
            "GOOGLE_SERVICE_ACCOUNT",
            &format!(
                r#"{{"service_account_info":{{"project_id":"acme-1","private_key":"{PEM}","client_email":"i@acme-1.iam.gserviceaccount.com"}}}}"#
            ),
            "bigquery",
            format!(
                r#"{{"keybased":{{"project_id":"acme-1","private_key":"{PEM}","client_email":"i@acme-1.iam.gserviceaccount.com"}}}}"#
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
            "salesforce",
            "S2S_OAUTH2",
            r#"{"client_id":"i","client_secret":"s","subdomain":"acme"}"#,
            "salesforce",
            r#"{"client_credentials":{"client_id":"i","client_secret":"s","login_host":"acme.my.salesforce.com"}}"#.to_owned(),
        ),
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
