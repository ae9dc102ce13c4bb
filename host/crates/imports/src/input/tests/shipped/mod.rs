//! Exports of other systems for all shipped apps: without a map, every value becomes a field.

mod airbyte;
mod composio;
mod n8n;
mod nango;
mod pipedream;
mod rules;

use super::*;
use keyferry_schema::{AuthSchema, AuthTypeSpec, FieldKind, FieldSpec};

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
            vec![oauth2("instance_url"), keybased("client_id username private_key* login_host?"), cc("login_host")]
        }
        "shopify" => vec![oauth2("shop"), keybased("shop access_token* api_secret_key*?"), cc("shop")],
        "slack" => vec![
            oauth2("user_token*? user_refresh_token*?"),
            keybased("bot_token*? user_token*? app_token*? signing_secret*?"),
        ],
        "stripe" => vec![keybased("api_key* stripe_account? stripe_context?")],
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

/// The app, the credential in the app's fields, and the warnings.
fn fitted(preset: Preset, mapping: &str, row: &str) -> (String, String, Vec<String>) {
    let mut read = read(row, options(preset, mapping));
    assert_eq!(read.len(), 1, "{row}");
    let mut row = read.remove(0).unwrap().content.unwrap_or_else(|bad| panic!("{bad}: {row}"));
    let app = app(&row.slug.to_lowercase());
    row.normalize_field_names(&app);
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
