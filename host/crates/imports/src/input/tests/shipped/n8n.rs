//! n8n's credentials of each app.

use super::*;

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
        (
            "salesforceJwtApi",
            &format!(
                r#"{{"environment":"production","clientId":"3MVG9","username":"ada@acme.example","privateKey":"{PEM}","myDomainUrl":"https://acme.my.salesforce.com/"}}"#
            ),
            "salesforce",
            format!(
                r#"{{"keybased":{{"client_id":"3MVG9","username":"ada@acme.example","private_key":"{PEM}","login_host":"acme.my.salesforce.com"}}}}"#
            ),
        ),
        (
            "hubspotDeveloperApi",
            r#"{"appId":"1","oauthTokenData":{"access_token":"t","expires_at":"soon"}}"#,
            "hubspot",
            r#"{"oauth2":{"access_token":"t","expires_at":"soon"}}"#.to_owned(),
        ),
        // The value that its API has for an empty field.
        (
            "datadogApi",
            r#"{"url":"=https://api.datadoghq.eu","apiKey":"k","appKey":"__n8n_EMPTY_VALUE_7b1af746"}"#,
            "datadog",
            r#"{"keybased":{"api_key":"k"}}"#.to_owned(),
        ),
    ] {
        let row = format!(
            r#"[{{"createdAt":"2026-01-02T03:04:05.000Z","updatedAt":"2026-01-02T03:04:05.000Z","id":"0aB1cD2eF3gH4iJ5","name":"Account of Acme","data":{data},"type":"{kind}","isManaged":false}}]"#
        );
        check(Preset::N8n, &row, slug, &auth_object);
    }
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
    for (value, message) in [
        ("__n8n_BLANK_VALUE_e5362baf", "masked_value `secret_key` is masked: export with `n8n export:credentials"),
        (
            "={{ $secrets.vault.stripe }}",
            "masked_value `secret_key` is an expression, and its value is not in the export",
        ),
    ] {
        let read =
            super::told(row(&format!(r#"{{"secretKey":"{value}"}}"#)), options(Preset::N8n, "linked_account_id:=acme"));
        assert!(read[0].contains(message), "{read:?}");
        let rules = "linked_account_id:=acme\ndata.secretKey=\nstripe/name=api_key";
        let read = super::told(row(&format!(r#"{{"secretKey":"{value}"}}"#)), options(Preset::N8n, rules));
        assert!(read[0].contains(r#"acme stripe {"keybased":{"api_key":"user_2"}}"#), "{read:?}");
    }
    let bare = r#"{"external_id":"user_1","app":{"name_slug":"stripe"}}"#;
    let read = super::told(bare, options(Preset::Pipedream, ""));
    assert!(read[0].contains("include_credentials=true"), "{read:?}");
}
