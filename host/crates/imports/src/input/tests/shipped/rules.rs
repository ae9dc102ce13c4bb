//! Rules and defaults in addition to presets.

use super::*;

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
            "stripe/metadata.keys.1=api_key",
            r#"{"connection_id":"c","provider":"stripe","metadata":{"keys":["wrong","right"]},"credentials":{"type":"API_KEY","apiKey":"wrong"}}"#
                .to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Nango,
            "provider=slug",
            r#"{"connection_id":"c","provider":"stripe-api-key","credentials":{"type":"API_KEY","apiKey":"right"}}"#.to_owned(),
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
        // Case and separators do not matter: of the app, in the file and in the rule, of columns and members.
        (
            Preset::Native,
            "stripe/secret=api_key",
            "linked_account_id,slug,auth_type,api_key,secret\nuser_1,Stripe,keybased,wrong,right\n".to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Native,
            "Stripe/secret=api_key",
            "linked_account_id,slug,auth_type,api_key,Secret\nuser_1,STRIPE,keybased,wrong,right\n".to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::CsvFlat,
            "customer_no=linked_account_id\nmy key=api_key",
            r#"{"customerNo":"user_1","slug":"stripe","auth_type":"keybased","api_key":"wrong","My-Key":"right"}"#.to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Native,
            "user.id=linked_account_id\nkeys.stripe=api_key\nauth_type:=keybased",
            r#"{"User":{"ID":"user_1"},"slug":"stripe","Keys":{"Stripe":"right","other":1}}"#.to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Native,
            "auth_object.keybased.key=api_key",
            r#"{"linked_account_id":"user_1","slug":"stripe","auth_object":{"keybased":{"api_key":"wrong","key":"right"}}}"#.to_owned(),
            r#"{"keybased":{"api_key":"right"}}"#,
        ),
        (
            Preset::Native,
            "auth_type:api_key=keybased\nslug:stripe-prod=stripe",
            "linked_account_id,slug,auth_type,api_key\nuser_1,Stripe PROD,API Key,right\n".to_owned(),
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
        ("datadog/site:=datadoghq.eu", csv("DataDog", ""), r#"{"keybased":{"api_key":"k","site":"datadoghq.eu"}}"#),
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
    // Of an app with several auth types, a default applies to those that have the field.
    for (preset, row) in [
        (Preset::Native, "linked_account_id,slug,auth_type,access_token\nu,github,keybased,k\n"),
        (
            Preset::Nango,
            r#"{"connection_id":"c","provider":"github-pat","credentials":{"type":"API_KEY","apiKey":"k"}}"#,
        ),
    ] {
        let expected = r#"{"keybased":{"access_token":"k"}}"#;
        assert_eq!(fitted(preset, "github/installation_id:=5", row).1, expected, "{row}");
    }
    let whole = r#"{"linked_account_id":"u","slug":"datadog","auth_object":{"keybased":{"api_key":"k"}}}"#;
    let expected = r#"{"keybased":{"api_key":"k","site":"datadoghq.eu"}}"#;
    assert_eq!(fitted(Preset::Native, "datadog/site:=datadoghq.eu", whole).1, expected);
}
