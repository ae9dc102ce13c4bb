//! Response bodies of sessions.

use serde::Serialize;
use utoipa::ToSchema;

use keyferry_service::SessionTokens;
use keyferry_store::AccountRecord;
use keyferry_types::ids::Environment;

/// A session's tokens. They authorise requests for the linked account: protect them like a password.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionIssued<'a> {
    /// For `Authorization: Bearer`: a JSON Web Token that names the linked account. Only this server can verify it.
    #[schema(value_type = String)]
    token: &'a str,
    /// Exchanges this session for a new one, by `session-token/refresh`.
    #[schema(value_type = String)]
    refresh_token: &'a str,
    /// The validity of `token` in seconds.
    expires_in: u64,
    /// The validity of `refresh_token` in seconds.
    refresh_expires_in: u64,
}

/// A session has ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionRevoked {
    /// Always true.
    pub(crate) success: bool,
    /// The number of ended sessions: 1, or 0 if another request ended it at the same time.
    #[schema(maximum = 1)]
    pub(crate) revoked_count: u8,
}

/// The organisation, environment and linked account of a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgBasics {
    /// The organisation's name.
    org_id: String,
    /// The environment that the session is in.
    environment: Environment,
    /// Your own id of the linked account.
    linked_account_id: String,
    /// The linked account's name for people.
    #[schema(required = true)]
    linked_account_name: Option<String>,
}

impl<'a> SessionIssued<'a> {
    /// Builds the response from a session's tokens.
    pub(crate) fn new(tokens: &'a SessionTokens) -> Self {
        Self {
            token: tokens.access.expose(),
            refresh_token: tokens.refresh.expose(),
            expires_in: tokens.expires_in.as_secs(),
            refresh_expires_in: tokens.refresh_expires_in.as_secs(),
        }
    }
}

impl OrgBasics {
    /// Builds the response from a linked account.
    pub(crate) fn new(account: &AccountRecord) -> Self {
        Self {
            org_id: account.org.to_string(),
            environment: account.environment,
            linked_account_id: account.account_id.to_string(),
            linked_account_name: account.name.clone(),
        }
    }
}
