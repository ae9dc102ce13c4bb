//! Values that carry secrets can be neither printed nor written out, in whatever crate they are defined.

use std::fmt;

use keyferry_types::secret::{Secret, SharedSecret};
use serde::Serialize;
use static_assertions::assert_not_impl_any;

use keyferry_egress as egress;
use keyferry_imports as imports;
use keyferry_schema as schema;
use keyferry_service as service;
use keyferry_vault as vault;
use keyferry_webhooks as webhooks;

// Whatever carries a secret can be neither written out nor sent on as it is. What may be copied copies pointers: only
// requests of plugins, which name their secrets by handles.
assert_not_impl_any!(Secret: fmt::Display, Serialize, Clone, PartialEq, AsRef<str>, std::ops::Deref);
assert_not_impl_any!(schema::Input: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(schema::Credential: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(schema::CredentialField: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(schema::Exposure: fmt::Display, Serialize);
assert_not_impl_any!(service::Migration: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(service::PutOAuthClient: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(imports::input::Row: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(egress::Request: fmt::Display, Serialize, PartialEq);
assert_not_impl_any!(egress::Minted: fmt::Display, Serialize, PartialEq);
assert_not_impl_any!(egress::Call: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(egress::WebhookHeader: fmt::Display, Serialize, PartialEq);
assert_not_impl_any!(webhooks::SigningSecret: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(webhooks::NewWebhook: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(webhooks::Registered: fmt::Display, Serialize, Clone, PartialEq);
assert_not_impl_any!(vault::ApiKey: fmt::Display, Serialize, Clone, PartialEq, AsRef<str>, std::ops::Deref);
assert_not_impl_any!(vault::KeyEncryptionKey: fmt::Display, Serialize, Clone, PartialEq, AsRef<[u8]>, std::ops::Deref);
assert_not_impl_any!(vault::Vault: fmt::Display, Serialize, Clone);

#[test]
fn a_secret_shows_nothing_in_whatever_holds_it() {
    let secret = SharedSecret::new(Secret::new("s3cr3t"));
    let field = schema::CredentialField {
        name: "token".parse().unwrap(),
        value: SharedSecret::clone(&secret),
        exposure: schema::Exposure::Handle { hint: Some("s3c".into()) },
    };
    let credential =
        schema::Credential { auth_type: "keybased".parse().unwrap(), fields: vec![field], warnings: Vec::new() };
    let part = egress::Part::Secret(SharedSecret::clone(&secret));
    let minted = egress::Minted { pointer: "/token".into(), token: SharedSecret::clone(&secret) };
    let input: schema::Input = serde_json::from_str(r#"{"s3cr3t":["s3cr3t"]}"#).unwrap();
    let migration = service::Migration {
        caller: service::Caller {
            org: "acme".parse().unwrap(),
            environment: keyferry_types::ids::Environment::Test,
            actor: "tk_1234".into(),
            counted: service::CountedFor::ApiKey([0; 32]),
        },
        account: "user_1".parse().unwrap(),
        slug: "hubspot".into(),
        auth_object: serde_json::from_str(r#"{"s3cr3t":["s3cr3t"]}"#).unwrap(),
        precondition: service::Precondition::None,
        preferences: service::Preferences::default(),
        idempotency_key: None,
        request_id: "1".into(),
    };
    for shown in [
        format!("{secret:?}"),
        format!("{credential:#?}"),
        format!("{part:?} {minted:?}"),
        format!("{input:?}"),
        format!("{migration:#?}"),
    ] {
        assert!(shown.contains("***") && !shown.contains("s3c"), "{shown}");
    }
}
