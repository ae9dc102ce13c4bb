//! [`Secret`]: a plain value that cannot be printed, serialized, cloned or compared by accident, and is wiped when dropped.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

/// A credential value in plain: a field of an `auth_object`, a minted token.
///
/// It has no `Display` and no `Serialize`, its `Debug` is `***`, and its memory is zeroed when the last owner drops it.
/// Reading it takes the word [`expose`](Secret::expose), which is easy to search for.
///
/// ```
/// let token = keyferry::secret::Secret::new("s3cr3t");
/// assert_eq!(format!("{token:?}"), "***");
/// assert_eq!(token.expose(), "s3cr3t");
/// ```
pub struct Secret(SecretString);

/// A secret that a call's tables and requests own together. Cloning it copies a pointer, never the value.
pub type SharedSecret = Arc<Secret>;

impl Secret {
    /// Takes a value over. A `String` with spare capacity is copied into an exact allocation, and the old one is wiped.
    pub fn new(value: impl Into<String>) -> Self {
        let mut value: String = value.into();
        if value.capacity() == value.len() {
            return Self(SecretString::from(value));
        }
        let exact = Self(SecretString::from(value.as_str()));
        zeroize::Zeroize::zeroize(&mut value);
        exact
    }

    /// The value itself. Keep it as short as possible and never format it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether the value is the empty string.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use static_assertions::assert_not_impl_any;
    use zeroize::ZeroizeOnDrop;

    use super::*;
    use crate::{egress, jobs, migrate, schema, vault, webhooks};

    // Whatever carries a secret can be neither written out nor sent on as it is. What may be copied copies pointers: only
    // requests of plugins, which name their secrets by handles.
    assert_not_impl_any!(Secret: fmt::Display, Serialize, Clone, PartialEq, AsRef<str>, std::ops::Deref);
    assert_not_impl_any!(schema::Input: fmt::Display, Serialize, Clone, PartialEq);
    assert_not_impl_any!(schema::Credential: fmt::Display, Serialize, Clone, PartialEq);
    assert_not_impl_any!(schema::CredentialField: fmt::Display, Serialize, Clone, PartialEq);
    assert_not_impl_any!(schema::Exposure: fmt::Display, Serialize);
    assert_not_impl_any!(migrate::Migration: fmt::Display, Serialize, Clone, PartialEq);
    assert_not_impl_any!(jobs::input::Row: fmt::Display, Serialize, Clone, PartialEq);
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

    fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn a_secret_is_wiped_and_shows_nothing_in_whatever_holds_it() {
        let secret = SharedSecret::new(Secret::new("s3cr3t"));
        is_wiped(&secret.0);
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
        let migration = migrate::Migration {
            caller: migrate::Caller {
                org: "acme".parse().unwrap(),
                environment: crate::ids::Environment::Test,
                actor: "tk_1234".into(),
                counted: migrate::CountedFor::ApiKey([0; 32]),
            },
            account: "user_1".parse().unwrap(),
            slug: "hubspot".into(),
            auth_object: serde_json::from_str(r#"{"s3cr3t":["s3cr3t"]}"#).unwrap(),
            precondition: migrate::Precondition::None,
            preferences: migrate::Preferences::default(),
            idempotency_key: None,
            request_id: "1".into(),
        };
        let row = jobs::input::Row {
            account: "s3cr3t".parse().unwrap(),
            slug: "s3cr3t".into(),
            auth_object: serde_json::from_str(r#"{"s3cr3t":["s3cr3t"]}"#).unwrap(),
            name: Some("s3cr3t".into()),
            updated_at: None,
            names: jobs::input::Names::Own,
            warnings: Vec::new(),
            origin: Default::default(),
        };
        for shown in [
            format!("{secret:?}"),
            format!("{credential:#?}"),
            format!("{part:?} {minted:?}"),
            format!("{input:?}"),
            format!("{migration:#?}"),
            format!("{row:#?}"),
        ] {
            assert!(shown.contains("***") && !shown.contains("s3c"), "{shown}");
        }
    }
}
