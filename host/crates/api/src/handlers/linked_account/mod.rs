//! `/api/v2/public/linked-account`: the accounts that integrations hang on.
//!
//! | file | question |
//! |---|---|
//! | `body` | what makes an account, and what is too much of one? |
//! | `write` | how is one made, updated, deleted? |
//! | `read` | how are they listed and shown? |
//! | `integration` | how is an app disconnected? |
//! | `own_app` | how are credentials of the organisation's own app set and deleted? |

mod body;
pub(crate) mod integration;
pub(crate) mod own_app;
pub(crate) mod read;
pub(crate) mod write;

use crate::error::api_error::ApiError;
use crate::error::mapping::store_failure;
use crate::error::problem_type as kind;
use crate::responses::LinkedAccount;
use crate::state::Api;
use keyferry_service::Caller;
use keyferry_store::AccountKey;
use keyferry_types::ids::LinkedAccountId;
use keyferry_types::invisible::InvisibleCharacter;

pub(crate) use body::{MAX_FIELD, MAX_FIELDS};

/// An account in a response.
pub(crate) async fn shown(api: &Api, caller: &Caller, key: &AccountKey) -> Result<LinkedAccount, ApiError> {
    let view = api.store.account(key).await.map_err(store_failure)?;
    let view = view.ok_or_else(|| account_missing(caller, key.account.as_str()))?;
    Ok(LinkedAccount::of(&view, &api.migrator.apps()))
}

pub(crate) fn account_key(caller: &Caller, account: LinkedAccountId) -> AccountKey {
    AccountKey { org: caller.org.clone(), environment: caller.environment, account }
}

pub(crate) fn account_missing(caller: &Caller, account: &str) -> ApiError {
    let shown: String = account.chars().filter(|c| !c.is_control()).take(256).collect();
    let invisible = InvisibleCharacter::first_in(&shown)
        .map_or_else(String::new, |found| format!(" (the id holds the invisible character {found})"));
    let message = format!(
        "Linked Account with account id {shown} for org {} in environment {} not found{invisible}",
        caller.org, caller.environment
    );
    ApiError::new(&kind::ACCOUNT_UNKNOWN, message)
}
