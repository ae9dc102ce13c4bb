//! Names that cross module borders, each parsed once and valid from then on.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::serde_text;

/// A name that is not of its kind's shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}, and {shown:?} is not")]
pub struct InvalidName {
    kind: &'static str,
    rule: &'static str,
    shown: String,
}

impl InvalidName {
    fn new(kind: &'static str, rule: &'static str, text: &str) -> Self {
        // Names come from outside: what is shown of a wrong one is short.
        Self { kind, rule, shown: text.chars().take(80).collect() }
    }

    /// The rule alone, for a response over the network: the value sent as a name may be a secret.
    pub fn rule(&self) -> String {
        format!("{} must be {}", self.kind, self.rule)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        // Shared: what a request does copies the names of its organisation, account and app many times.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
        #[schema(value_type = String)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(InvalidName::new($kind, $rule, text)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde_text::deserialize(deserializer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

fn all_of(text: &str, max: usize, allowed: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().all(allowed)
}

name! {
    /// The id of an organisation, which holds API keys. The operator chooses it.
    OrgId, "an organisation id", "1 to 64 letters, digits, `-`, `_` or `.`",
    |text| all_of(text, 64, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

name! {
    /// The caller's own id of a linked account: `user_1`, `a/b@example.com`.
    LinkedAccountId, "a linked account id", "1 to 256 characters without control characters",
    |text| !text.is_empty() && text.chars().count() <= 256 && !text.chars().any(char::is_control)
}

name! {
    /// An app: `hubspot`.
    ///
    /// ```
    /// # use keyferry_types::ids::Slug;
    /// assert!("hubspot".parse::<Slug>().is_ok());
    /// assert!("../hubspot".parse::<Slug>().is_err());
    /// ```
    Slug, "a slug", "1 to 64 lower-case letters, digits or `-`, beginning with a letter or digit",
    |text| all_of(text, 64, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && !text.starts_with('-')
}

name! {
    /// A way to authenticate with an app: `oauth2`, `keybased`.
    AuthTypeName, "an auth type", "1 to 64 lower-case letters, digits, `_` or `-`",
    |text| all_of(text, 64, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

name! {
    /// One of the OAuth clients that an organisation has at an app's provider: `default`, `eu_production`.
    OAuthClientName, "the name of an OAuth client", "1 to 64 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    |text| {
        all_of(text, 64, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
            && !text.starts_with(['-', '_'])
    }
}

name! {
    /// A field of a credential: `access_token`.
    FieldName, "a field name", "1 to 64 letters, digits or `_`",
    |text| all_of(text, 64, |b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Slug {
    /// `custom`: the app of the organisation's own, which no plugin can be.
    pub fn custom() -> Self {
        Self("custom".into())
    }
}

impl OAuthClientName {
    /// `default`: the name of a client that was given none.
    pub fn default_name() -> Self {
        Self("default".into())
    }
}

impl AuthTypeName {
    /// The auth type `keybased`: keys, tokens and passwords that a person copies from the app's settings.
    pub fn keybased() -> Self {
        Self("keybased".into())
    }
}

/// An environment. The API key selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Development and tests, with accounts and credentials of its own.
    Test,
    /// Live customers, with accounts and credentials of its own.
    Production,
}

impl Environment {
    /// The serialised name: `test` or `production`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text {
            "test" => Ok(Self::Test),
            "production" => Ok(Self::Production),
            _ => Err(InvalidName::new("an environment", "`test` or `production`", text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet() {
        for good in ["hubspot", "a", "0x", "net-suite"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "Hub", "a_b", "a/b", "a.b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
        for good in ["default", "eu_production-2", "7", &"a".repeat(64)] {
            assert!(good.parse::<OAuthClientName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "Default", "a b", "a.b", "\u{e9}", &"a".repeat(65)] {
            assert!(bad.parse::<OAuthClientName>().is_err(), "{bad}");
        }
        assert!("a/b@example.com".parse::<LinkedAccountId>().is_ok());
        assert!("a\nb".parse::<LinkedAccountId>().is_err());
    }

    #[test]
    fn a_name_read_by_serde_is_checked_too() {
        assert!(serde_json::from_str::<Slug>("\"Hub Spot\"").is_err());
        assert_eq!(serde_json::to_string(&"hubspot".parse::<Slug>().unwrap()).unwrap(), "\"hubspot\"");
    }
}
