//! Apps that are disconnected from a linked account.

use std::sync::Arc;

use axum::extract::State;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Admin, Authorized, Key};
use crate::error::api_error::ApiError;
use crate::error::mapping::store_failure;
use crate::error::problem;
use crate::handlers::linked_account::account::{account_key, account_missing, shown};
use crate::middleware::trace::RequestId;
use crate::request::account_name::{ACCOUNT_PROBLEMS, linked_account};
use crate::request::parameters::{InPath, InQuery};
use crate::responses::LinkedAccount;
use crate::responses::json::Json;
use crate::state::Api;
use keyferry_service::Caller;
use keyferry_store::{AccountKey, AuditAction, IntegrationKey};
use keyferry_types::ids::{AuthTypeName, InvalidName, Slug};

/// The integration to delete.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteQuery {
    /// The linked account. The header of this name does the same; one of the two is needed, and both have to agree.
    #[param(min_length = 1, max_length = 256, example = "user_1")]
    linked_account_id: Option<String>,
    /// Only if it authenticates in this way.
    #[param(pattern = "^[a-z0-9_-]{1,64}$", example = "oauth2")]
    auth_type: Option<String>,
}

/// `DELETE /integration/{slug}`: responds with the account as it is afterwards, also where there was nothing to delete.
#[utoipa::path(
    delete, path = "/api/v2/public/linked-account/integration/{slug}", operation_id = "deleteLinkedAccountIntegration",
    tag = "Linked accounts",
    summary = "Disconnect an app from a linked account",
    description = "Deletes the app's credential, for good, and returns the account without it, also if there was nothing to \
        delete. Takes an API key with the scope `admin`.",
    params(
        ("slug" = String, Path, description = "The app.", pattern = "^[a-z0-9][a-z0-9-]{0,63}$", example = "hubspot"),
        DeleteQuery,
    ),
    responses((status = 200, description = "The account without it.", body = LinkedAccount)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, ACCOUNT_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::INVALID_QUERY,
        problem::INVALID_NAME, problem::ACCOUNT_UNKNOWN, problem::NO_SPACE,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete_integration(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    id: RequestId,
    slug: Result<InPath<String>, ApiError>,
    InQuery(query): InQuery<DeleteQuery>,
    headers: HeaderMap,
) -> Result<Json<LinkedAccount>, ApiError> {
    let account = linked_account(&headers, query.linked_account_id.as_deref())?;
    let key = account_key(&caller, account);
    let InPath(slug) = slug?;
    Ok(Json(disconnect(&api, &caller, &key, slug, query.auth_type, id).await?))
}

/// Deletes what an app has on an account, all of it or that of one auth type, and gives the account as it is then.
pub(crate) async fn disconnect(
    api: &Api,
    caller: &Caller,
    key: &AccountKey,
    slug: String,
    auth_type: Option<String>,
    id: RequestId,
) -> Result<LinkedAccount, ApiError> {
    let invalid = |error: InvalidName| ApiError::new(&problem::INVALID_NAME, error.rule());
    let slug: Slug = slug.parse().map_err(invalid)?;
    let auth_type: Option<AuthTypeName> = auth_type.map(|name| name.parse()).transpose().map_err(invalid)?;
    let missing = || account_missing(caller, key.account.as_str());
    api.store.account(key).await.map_err(store_failure)?.ok_or_else(missing)?;
    let integration = IntegrationKey { account: key.clone(), slug };
    let audit = caller.audit(AuditAction::IntegrationDeleted, "deleted", &id.0).on_integration(&integration);
    api.store.delete_integration(&integration, auth_type, audit).await.map_err(store_failure)?;
    shown(api, caller, key).await
}
