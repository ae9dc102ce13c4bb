//! Renewal of tokens: what a plugin says of it, and its result.

use std::collections::BTreeMap;
use std::time::Duration;

use super::verdict::Unreachable;
use keyferry_egress::{Contact, Grant};
use keyferry_types::ids::{AuthTypeName, FieldName};
use keyferry_types::secret::SharedSecret;

/// A pair of tokens that can be renewed, of one auth type. It is named by the field of its access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewable {
    /// The auth type.
    pub auth_type: AuthTypeName,
    /// The field that a renewal replaces.
    pub access_token: FieldName,
    /// The field that a renewal spends; `None` where a token is minted from other fields.
    pub refresh_token: Option<FieldName>,
    /// The field that holds when the access token ends.
    pub expires_at: Option<FieldName>,
    /// The requests of a renewal.
    pub requested: Vec<Grant>,
    /// What a renewal needs of the OAuth client.
    pub client: ClientUse,
    /// What becomes of a refresh token that has been used.
    pub rotation: Rotation,
    /// How long an access token lasts, where the provider does not say.
    pub access_life: Option<Duration>,
    /// The time after which an unused refresh token has ended.
    pub idle_life: Option<Duration>,
}

/// What a renewal needs of the OAuth client that the tokens were issued to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientUse {
    /// Nothing.
    None,
    /// Its id.
    Id,
    /// Its id and its secret.
    IdAndSecret,
}

/// What becomes of a refresh token that has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It stays valid.
    Stays,
    /// It ends at once.
    SingleUse,
    /// It can be used again for this time.
    Grace(Duration),
    /// It stays valid until the next one is used.
    UntilNextUsed,
}

/// The OAuth client of a renewal.
#[derive(Debug, Clone)]
pub struct RenewalClient {
    /// `client_id`.
    pub id: SharedSecret,
    /// `client_secret`; a public client has none.
    pub secret: Option<SharedSecret>,
}

/// A pair that has been renewed.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// The new access token.
    pub access_token: SharedSecret,
    /// The new refresh token; `None` if the former one stays.
    pub refresh_token: Option<SharedSecret>,
    /// When the access token ends, in milliseconds since the Unix epoch, if the provider says so.
    pub expires_at: Option<u64>,
    /// When the refresh token ends, if the provider says so.
    pub refresh_expires_at: Option<u64>,
    /// The scopes of the new access token, if the provider names them.
    pub scopes: Option<Vec<String>>,
    /// Fields of the credential, none of them secret, that have a new value.
    pub fields: BTreeMap<FieldName, String>,
}

/// What is asked of a plugin's `renew`, besides the credential.
#[derive(Clone, Copy)]
pub(super) struct AskedRenewal<'a> {
    /// The pair, by the field of its access token.
    pub(super) pair: &'a str,
    /// The OAuth client, if the pair needs one.
    pub(super) client: Option<&'a RenewalClient>,
}

/// The result of a plugin's `renew`.
pub type RenewalResult = Result<Renewed, RenewalFailure>;

/// Why a pair was not renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalFailure {
    /// Kind of the failure, as the contract names it.
    pub kind: RenewalFailureKind,
    /// For people: one line, redacted and cut by the host.
    pub detail: String,
    /// Host and progress of the plugin's last request; `None` where it made none.
    pub contact: Option<Contact>,
}

/// Kinds of failures. `wit/v1/plugin.wit` (variant `renewal-failure-kind`) says when each applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenewalFailureKind {
    /// The provider says that the refresh token has ended.
    Ended,
    /// The provider refuses the OAuth client.
    ClientRefused,
    /// The credential lacks these fields.
    NotRenewable(Vec<String>),
    /// Too many requests; seconds to wait, if the provider says so.
    RateLimited(Option<u32>),
    /// The provider could not be reached.
    Unreachable(Unreachable),
    /// The provider failed, with this HTTP status.
    ProviderError(u16),
    /// A response that the plugin does not understand.
    UnexpectedAnswer,
}

impl RenewalFailureKind {
    /// Stable text for programs: `ended`, `rate_limited`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::ClientRefused => "client_refused",
            Self::NotRenewable(_) => "not_renewable",
            Self::RateLimited(_) => "rate_limited",
            Self::Unreachable(_) => "unreachable",
            Self::ProviderError(_) => "provider_error",
            Self::UnexpectedAnswer => "unexpected_answer",
        }
    }
}
