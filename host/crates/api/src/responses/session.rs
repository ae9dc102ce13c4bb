//! Sessions of front ends.

use serde::Serialize;
use utoipa::ToSchema;

use crate::responses::account::World;
use keyferry_service::SessionTokens;
use keyferry_store::AccountRecord;
use keyferry_types::ids::Environment;

/// A session's tokens. Whoever has them acts for the linked account: keep them as you keep a password.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionIssued<'a> {
    /// For `Authorization: Bearer`: a JSON Web Token that says whose it is. Only this server can tell whether it counts.
    #[schema(value_type = String)]
    token: &'a str,
    /// For another session in the place of this one, by `session-token/refresh`.
    #[schema(value_type = String)]
    refresh_token: &'a str,
    /// Seconds for which `token` counts.
    expires_in: u64,
    /// Seconds for which `refresh_token` counts.
    refresh_expires_in: u64,
}

/// A session has ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionRevoked {
    /// Always true.
    pub(crate) success: bool,
    /// 1; 0 where another request has ended it in the same moment.
    #[schema(maximum = 1)]
    pub(crate) revoked_count: u8,
}

/// For whom a front end acts.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgBasics {
    /// The organisation.
    org_id: String,
    /// The environment that the session is in.
    environment: World,
    /// Your own id of the linked account.
    linked_account_id: String,
    /// The linked account's name for people.
    #[schema(required = true)]
    linked_account_name: Option<String>,
}

impl<'a> SessionIssued<'a> {
    /// Of these tokens.
    pub(crate) fn of(tokens: &'a SessionTokens) -> Self {
        Self {
            token: tokens.access.expose(),
            refresh_token: tokens.refresh.expose(),
            expires_in: tokens.expires_in.as_secs(),
            refresh_expires_in: tokens.refresh_expires_in.as_secs(),
        }
    }
}

impl OrgBasics {
    /// Of this account.
    pub(crate) fn of(account: &AccountRecord) -> Self {
        let environment: Environment = account.environment;
        Self {
            org_id: account.org.to_string(),
            environment: environment.into(),
            linked_account_id: account.account_id.to_string(),
            linked_account_name: account.name.clone(),
        }
    }
}
