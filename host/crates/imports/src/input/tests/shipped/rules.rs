//! Rules and defaults beside what presets know.

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
