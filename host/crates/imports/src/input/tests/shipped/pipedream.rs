//! Pipedream's accounts of each app.

use super::*;

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
        (
            "slack_v2",
            r#"{"oauth_access_token":"xoxp-1","bot_token":"xoxb-1","oauth_uid":"U1"}"#,
            "slack",
            r#"{"oauth2":{"access_token":"xoxb-1","user_token":"xoxp-1"}}"#.to_owned(),
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
