//! The app as its plugin describes it, parsed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::renewal::Renewable;
use keyferry_egress::Grant;
use keyferry_schema::AuthSchema;
use keyferry_types::ids::Slug;

/// The SHA-256 of a component file: what grants are bound to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest as its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|error| format!("not a sha256 in hex: {error}"))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// Whether a plugin asks for secret fields as plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretAccess {
    /// It is content with handles.
    Handles,
    /// It wants the text.
    PlainText,
}

/// An app, as its plugin describes it.
#[derive(Debug)]
pub struct AppDescription {
    /// Slug of the app, such as `hubspot`.
    pub slug: Slug,
    /// Name of the app for people, such as `HubSpot`.
    pub name: String,
    /// Purpose of the app, in one sentence.
    pub about: Option<String>,
    /// Tags by which lists of apps can be filtered.
    pub tags: Vec<String>,
    /// An `https:` or `data:` URL.
    pub icon: Option<String>,
    /// URL of the app's documentation, `https:`.
    pub docs: String,
    /// The requests that it asks to be allowed.
    pub requested: Vec<Grant>,
    /// Whether it asks to read secrets.
    pub secret_access: SecretAccess,
    /// Auth types of the app with their fields.
    pub schema: AuthSchema,
    /// The tokens that the plugin can renew.
    pub renewables: Vec<Renewable>,
}

impl AppDescription {
    /// The requests that renewals ask to be allowed, each once.
    pub fn renewal_requests(&self) -> Vec<Grant> {
        let mut requests: Vec<Grant> = self.renewables.iter().flat_map(|pair| pair.requested.iter().cloned()).collect();
        requests.sort_unstable();
        requests.dedup();
        requests
    }
}
