//! Airbyte's sources of apps with complete fields.

use super::*;

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
