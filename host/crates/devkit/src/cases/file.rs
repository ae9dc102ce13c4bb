//! The format of a case file as serde reads it. [`super::case`] gives it its meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Content of a case file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CaseFile {
    /// What the case shows, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
    /// Time of the plugin's clock (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<String>,
    pub(crate) credential: CredentialFile,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) renewal: Option<RenewalFile>,
    #[serde(default, rename = "exchange")]
    pub(crate) exchanges: Vec<ExchangeFile>,
    pub(crate) expect: ExpectFile,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CredentialFile {
    pub(crate) auth_type: String,
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, toml::Value>,
}

/// The case renews a pair of tokens, in place of a verification.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RenewalFile {
    /// The pair, by the field of its access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pair: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<ClientFile>,
}

/// The OAuth client that the tokens were issued to: `{{client_id}}` and `{{client_secret}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClientFile {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

/// One request and its result. `{{field}}` is replaced by the secret of that field.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ExchangeFile {
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, OneOrMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bearer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) basic: Option<BasicFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oauth1: Option<OAuth1File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sigv4: Option<SigV4File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<BTreeMap<String, OneOrMany>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<toml::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    /// The tokens that `{{jwt}}` stands for, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) jwt: Vec<JwtFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mint: Vec<String>,
    /// The verdict may stand without this exchange.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<FaultWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<ResponseFile>,
}

/// A fault's name; those that are a status may be written as a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FaultWord {
    Status(u16),
    Name(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BasicFile {
    pub(crate) user: String,
    pub(crate) password: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct OAuth1File {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) realm: Option<String>,
    pub(crate) consumer_key: String,
    pub(crate) consumer_secret: String,
    #[serde(default)]
    pub(crate) token: String,
    #[serde(default)]
    pub(crate) token_secret: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SigV4File {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
    pub(crate) service: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct JwtFile {
    /// Algorithm of the signature: `RS256` or `ES256`.
    pub(crate) algorithm: String,
    pub(crate) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<toml::Value>,
    pub(crate) claims: toml::Value,
}

/// The provider's response. Here `{{field}}` is replaced by the value itself, for a provider that echoes it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ResponseFile {
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, OneOrMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<toml::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// The verdict, or the result of a renewal, and its details. Which of them go together, [`super::verdict`] and [`super::renewal`]
/// know.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ExpectFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<String>,
    /// The new tokens, by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) renewed: Option<BTreeMap<String, String>>,
    /// The reason why a pair was not renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Vec<String>>,
    /// RFC 3339, or milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<toml::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_expires_at: Option<toml::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warnings: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fields: Option<FieldsFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<BTreeMap<String, String>>,
}

/// Names of fields; of a renewed pair, fields and their new values.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "invalid type: `fields` is a list of names, or for a renewed pair a table of fields and values"
)]
pub(crate) enum FieldsFile {
    Names(Vec<String>),
    Values(BTreeMap<String, String>),
}
