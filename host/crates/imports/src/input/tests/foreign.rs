//! Exports of other systems.

use super::*;

fn one(preset: Preset, mapping: &str, json: &str) -> String {
    let told = told(json, options(preset, mapping));
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].clone()
}

/// A connection of Nango's with those credentials.
fn nango(credentials: &str) -> String {
    format!(
        r#"{{"id":7,"connection_id":"c-1","provider_config_key":"crm-prod","provider":"acme-oauth2-cc","metadata":{{}},"errors":[],
            "end_user":{{"id":"user_1","display_name":"Ada"}},"connection_config":{{"subdomain":"acme","accountId":42}},
            "updated_at":"2024-05-06T07:08:09.000Z","tags":{{}},"credentials":{credentials}}}"#
    )
    .replace('\n', " ")
}

#[test]
fn a_connection_of_nangos_becomes_a_row_by_the_type_of_its_credentials() {
    let spare = r#""subdomain":"acme","account_id":"42""#;
    for (credentials, auth_object) in [
        (
            r#"{"type":"OAUTH2","access_token":"t","refresh_token":"r","expires_at":"2024-05-06T07:08:09.000Z","raw":{"access_token":"t"},"config_override":{"client_id":"i"}}"#,
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","expires_at":"1714979289000","client_id":"i","#,
        ),
        (r#"{"type":"API_KEY","apiKey":"k"}"#, r#"{"keybased":{"api_key":"k","#),
        (r#"{"type":"BASIC","username":"u","password":"p"}"#, r#"{"keybased":{"username":"u","password":"p","#),
        (
            r#"{"type":"OAUTH2_CC","token":"t","client_id":"i","client_secret":"s","raw":{}}"#,
            r#"{"client_credentials":{"client_id":"i","client_secret":"s","#,
        ),
        (
            r#"{"type":"TBA","token_id":"t","token_secret":"s","config_override":{"client_id":"k","client_secret":"c"}}"#,
            r#"{"keybased":{"consumer_key":"k","consumer_secret":"c","token_id":"t","token_secret":"s","#,
        ),
        (r#"{"type":"TWO_STEP","token":"t","apiUser":"u","raw":{}}"#, r#"{"keybased":{"api_user":"u","#),
    ] {
        let expected = format!("1@1 user_1 acme {auth_object}{spare}}}}} Ada 2024-05-06T07:08:09.000Z");
        assert_eq!(one(Preset::Nango, "", &nango(credentials)), expected);
        let listed = format!("{{\"connections\":[{}]}}", nango(credentials));
        assert_eq!(one(Preset::Nango, "", &listed), expected);
    }
}

#[test]
fn what_nango_has_no_credential_for_is_told() {
    for (credentials, expected) in [
        (
            r#"{"type":"OAUTH1","oauth_token":"s3cr3t","oauth_token_secret":"s3cr3t"}"#,
            "unsupported_credential an OAuth 1.0a token",
        ),
        (r#"{"type":"APP","access_token":"s3cr3t"}"#, "unsupported_credential a token minted for an app"),
        (r#"{"type":"NONE"}"#, "unsupported_credential a connection without credentials"),
        (r#"{"type":"s3cr3t"}"#, "unsupported_credential credentials of this type"),
        (r#"{}"#, "missing_column `credentials` is missing: Nango's lists"),
        (r#"{"type":"API_KEY","apiKey":""}"#, "missing_column the credential is missing"),
        (r#"{"type":"API_KEY","apiKey":"REDACTED"}"#, "masked_value `api_key` is masked: export with an API key"),
    ] {
        let told = one(Preset::Nango, "", &nango(credentials));
        assert!(told.contains(expected) && told.contains("(user_1 acme)") && !told.contains("s3cr3t"), "{told}");
    }
}

#[test]
fn a_mapping_has_the_last_word() {
    let rules = "connection_id=linked_account_id\nslug:crm-prod=hubspot\nhubspot/api_key=access_token\n\
                 connection_config.subdomain=\naccountId=portal\nstripe/metadata.x=y";
    let told = one(Preset::Nango, rules, &nango(r#"{"type":"API_KEY","apiKey":"k"}"#));
    assert!(told.starts_with(r#"1@1 c-1 hubspot {"keybased":{"access_token":"k","account_id":"42"}}"#), "{told}");
    let rules = "end_user.display_name=region\nslug:acme-oauth2-cc=acme";
    let told = one(Preset::Nango, rules, &nango(r#"{"type":"API_KEY","apiKey":"k"}"#));
    assert!(told.contains(r#""region":"Ada""#), "{told}");
}

#[test]
fn a_connected_account_of_composios_becomes_a_row_by_its_scheme() {
    let account = |scheme: &str, val: &str| {
        format!(
            r#"{{"id":"ca_1","user_id":"user_1","toolkit":{{"slug":"acme"}},"auth_config":{{"id":"ac_1","auth_scheme":"{scheme}"}},"status":"ACTIVE","data":{{}},"updated_at":"2024-05-06T07:08:09.000Z","state":{{"authScheme":"{scheme}","val":{val}}}}}"#
        )
    };
    for (scheme, val, auth_object) in [
        (
            "OAUTH2",
            r#"{"status":"ACTIVE","access_token":"t","refresh_token":"r","expires_in":3600,"shop":"acme","scope":"x"}"#,
            r#"{"oauth2":{"access_token":"t","refresh_token":"r","shop":"acme"}}"#,
        ),
        ("API_KEY", r#"{"status":"ACTIVE","generic_api_key":"k"}"#, r#"{"keybased":{"api_key":"k"}}"#),
        ("BEARER_TOKEN", r#"{"status":"ACTIVE","token":"t"}"#, r#"{"keybased":{"access_token":"t"}}"#),
        (
            "BASIC",
            r#"{"username":"u","password":"p","instanceEndpoint":"https://x"}"#,
            r#"{"keybased":{"username":"u","password":"p","instance_endpoint":"https://x"}}"#,
        ),
        (
            "GOOGLE_SERVICE_ACCOUNT",
            r#"{"credentials_json":"{\"type\":\"service_account\",\"project_id\":\"p\",\"private_key\":\"k\",\"client_email\":\"e\"}"}"#,
            r#"{"keybased":{"type":"service_account","project_id":"p","private_key":"k","client_email":"e"}}"#,
        ),
    ] {
        let expected = format!("1@1 user_1 acme {auth_object} 2024-05-06T07:08:09.000Z");
        assert_eq!(one(Preset::Composio, "", &account(scheme, val)), expected);
        let listed = format!("{{\"items\":[{}],\"next_cursor\":null,\"total_pages\":1}}", account(scheme, val));
        assert_eq!(one(Preset::Composio, "", &listed), expected);
    }
    for (scheme, val, expected) in [
        ("OAUTH2", r#"{"access_token":"REDACTED"}"#, "masked_value `access_token` is masked: switch off"),
        ("OAUTH2", r#"{"access_token":"gho_..."}"#, "masked_value"),
        ("OAUTH2", r#"{"status":"INITIATED"}"#, "missing_column the credential is missing"),
        ("OAUTH1", r#"{"oauth_token":"s3cr3t"}"#, "unsupported_credential credentials of this scheme"),
        ("NO_AUTH", r#"{"a":"s3cr3t"}"#, "unsupported_credential a connection without"),
        ("GOOGLE_SERVICE_ACCOUNT", r#"{"credentials_json":"s3cr3t"}"#, "invalid_value `credentials_json` must hold"),
        ("API_KEY", "{}", "missing_column `state.val` is missing"),
    ] {
        let told = one(Preset::Composio, "", &account(scheme, val));
        assert!(told.contains(expected) && told.contains("(user_1 acme)") && !told.contains("s3cr3t"), "{told}");
    }
    let older = r#"{"clientUniqueUserId":"user_1","appName":"ACME","connectionParams":{"access_token":"t"}}"#;
    assert_eq!(one(Preset::Composio, "", older), r#"1@1 user_1 acme {"oauth2":{"access_token":"t"}}"#);
}

#[test]
fn a_source_of_airbytes_becomes_a_row_by_its_configuration() {
    let source = |configuration: &str| {
        format!(
            r#"{{"sourceId":"s","name":"n","sourceType":"acme","workspaceId":"w_1","configuration":{configuration}}}"#
        )
    };
    for (configuration, auth_object) in [
        (
            r#"{"start_date":"2024","credentials":{"credentials_title":"Private App Credentials","access_token":"t"}}"#,
            r#"{"keybased":{"access_token":"t","start_date":"2024"}}"#,
        ),
        (
            r#"{"credentials":{"auth_type":"Client","client_id":"i","client_secret":"s","refresh_token":"r","access_token":"t"}}"#,
            r#"{"oauth2":{"client_id":"i","client_secret":"s","refresh_token":"r","access_token":"t"}}"#,
        ),
        (
            r#"{"credentials":{"option_title":"Default OAuth2.0 authorization","access_token":"t"}}"#,
            r#"{"oauth2":{"access_token":"t"}}"#,
        ),
        (
            r#"{"realm":"42","consumer_key":"k","token_key":"t","object_types":["a"]}"#,
            r#"{"keybased":{"consumer_key":"k","token_key":"t","realm":"42"}}"#,
        ),
        (r#"{"credentials":{"api_key":"k"},"api_key":"other"}"#, r#"{"keybased":{"api_key":"k"}}"#),
        (
            r#"{"credentials_json":"{\"private_key\":\"k\"}","project_id":"p"}"#,
            r#"{"keybased":{"private_key":"k","project_id":"p"}}"#,
        ),
    ] {
        let told = one(Preset::Airbyte, "", &source(configuration));
        assert_eq!(told, format!("1@1 w_1 acme {auth_object}"));
        let listed = format!("{{\"data\":[{}],\"previous\":\"\",\"next\":\"\"}}", source(configuration));
        assert_eq!(one(Preset::Airbyte, "", &listed), format!("1@1 w_1 acme {auth_object}"));
    }
    let internal = r#"{"sources":[{"workspaceId":"w_1","sourceName":"NetSuite","connectionConfiguration":{"token_key":"t","realm":"4_SB1"}}]}"#;
    let rules = "netsuite/token_key=token_id\nnetsuite/realm=account_id";
    let expected = r#"1@1 w_1 netsuite {"keybased":{"token_id":"t","account_id":"4_SB1"}}"#;
    assert_eq!(one(Preset::Airbyte, rules, internal), expected);
    for (configuration, expected) in [
        (
            r#"{"credentials":{"access_token":"**********"}}"#,
            "masked_value `access_token` is masked: Airbyte's API never",
        ),
        (r#"{"api_key":{"_secret":"airbyte_workspace_v1"}}"#, "masked_value `api_key` is masked"),
        (r#"{"host":"x"}"#, "missing_column the credential is missing"),
        ("7", "missing_column `configuration` is missing"),
    ] {
        let told = one(Preset::Airbyte, "", &source(configuration));
        assert!(told.contains(expected) && told.contains("(w_1 acme)"), "{told}");
    }
}
