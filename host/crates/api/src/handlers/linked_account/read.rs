//! Linked accounts that are listed and shown.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Uri};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::access::{Credential as _, KEY_PROBLEMS, TOKEN_PROBLEMS};
use crate::auth::caller::{Authorized, Key, Read};
use crate::error::api_error::ApiError;
use crate::error::mapping::store_failure;
use crate::error::problem;
use crate::handlers::credentials;
use crate::handlers::linked_account::account::{account_key, account_missing, shown};
use crate::middleware::trace::RequestId;
use crate::request::account_name::check_path;
use crate::request::parameters::{InPath, InQuery, invalid_query};
use crate::responses::json::Json;
use crate::responses::{AccountPage, LinkedAccount};
use crate::state::Api;
use keyferry_store::{AccountPlace, ListAccounts, Scope};

/// Accounts on a page, unless the caller says otherwise, as documented.
const DEFAULT_LIMIT: i32 = 10;
const MAX_LIMIT: i32 = 1000;

/// The page of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// The page, from 1.
    #[param(minimum = 1, maximum = 2147483647, example = 1)]
    page: Option<i32>,
    /// Accounts on a page. More than 1000 count as 1000; `limit` in the response has the effective number.
    #[param(minimum = 1, maximum = 2147483647, default = 10)]
    limit: Option<i32>,
    /// Only accounts whose id or name contains this, upper and lower case alike.
    search: Option<String>,
    /// Only accounts that follow this place in the list, and pages of those: `createdAt` of an account in milliseconds since
    /// 1970, `-`, and its `_id`. With the last account of a page it names the next page, which accounts that are made or
    /// deleted meanwhile do not shift.
    #[param(pattern = "^[0-9]{1,13}-[0-9a-f]{24}$", example = "1785490200007-6b0647e544cfc2cfb0738328")]
    after: Option<String>,
}

/// `GET`: returns one page of linked accounts.
#[utoipa::path(
    get, path = "/api/v2/public/linked-account", operation_id = "listLinkedAccounts", tag = "Linked accounts",
    summary = "List linked accounts",
    description = "The accounts of the API key's organisation and environment, newest first, one page at a time. Takes an API \
        key with the scope `read`.",
    params(ListQuery), responses((status = 200, description = "One page.", body = AccountPage)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_QUERY]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Read>,
    InQuery(query): InQuery<ListQuery>,
) -> Result<Json<AccountPage>, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let page = query.page.unwrap_or(1);
    let counted = |number: i32| usize::try_from(number).ok().filter(|number| *number > 0);
    let (Some(page), Some(limit)) = (counted(page), counted(limit)) else {
        return Err(invalid_query("page and limit begin at 1"));
    };
    let search = query.search.filter(|text| !text.is_empty());
    let place = |text: String| text.parse::<AccountPlace>().map_err(|error| invalid_query(&format!("after: {error}")));
    let after = query.after.map(place).transpose()?;
    let found = api.store.accounts(&caller.org, caller.environment, ListAccounts { page, limit, search, after });
    let found = found.await.map_err(store_failure)?;
    Ok(Json(AccountPage::new(&found.views, &api.service.apps(), found.total, page, limit)))
}

/// `GET /{account}`, and what is below it.
#[utoipa::path(
    get, path = "/api/v2/public/linked-account/{*account}", operation_id = "getLinkedAccount", tag = "Linked accounts",
    summary = "Show a linked account",
    description = "The account and the apps that are connected to it. Nothing of a credential is shown. Takes an API key with \
        the scope `read`, or a session token of this very account.",
    params(("account" = String, Path, description = "Your own id of it. Slashes can stay as they are.", min_length = 1)),
    responses((status = 200, description = "The account.", body = LinkedAccount)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, TOKEN_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::ACCOUNT_CONFLICT,
        problem::ACCOUNT_UNKNOWN,
    ]))),
    security(("org_api_key" = []), ("linked_account_token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    id: RequestId,
    account: Result<InPath<String>, ApiError>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = uri.query();
    if let Some((account, slug)) = credentials::addressed(&uri, "credentials") {
        return credentials::show(&api, id, &account, &slug, query, &headers).await;
    }
    let identity = api.identity(&headers, query).await?;
    let (caller, InPath(account)) = (identity.caller(Scope::Read)?, account?);
    check_path(&headers, query, &account)?;
    let missing = || account_missing(&caller, &account);
    let key = account_key(&caller, account.parse().map_err(|_| missing())?);
    if !identity.sees(&key) {
        return Err(missing());
    }
    Ok(Json(shown(&api, &caller, &key).await?).into_response())
}
