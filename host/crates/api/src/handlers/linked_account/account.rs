//! The account that a request is about.

use crate::error::api_error::ApiError;
use crate::error::mapping::store_failure;
use crate::error::problem;
use crate::responses::LinkedAccount;
use crate::state::Api;
use keyferry_service::Caller;
use keyferry_store::AccountKey;
use keyferry_types::ids::LinkedAccountId;
use keyferry_types::invisible::InvisibleCharacter;

/// An account in a response.
pub(crate) async fn shown(api: &Api, caller: &Caller, key: &AccountKey) -> Result<LinkedAccount, ApiError> {
    let view = api.store.account(key).await.map_err(store_failure)?;
    let view = view.ok_or_else(|| account_missing(caller, key.account.as_str()))?;
    Ok(LinkedAccount::new(&view, &api.service.apps()))
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
    ApiError::new(&problem::ACCOUNT_UNKNOWN, message)
}
