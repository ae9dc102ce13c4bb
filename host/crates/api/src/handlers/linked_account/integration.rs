//! Apps that are disconnected from a linked account.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::api_error::{ApiError, json as json_answer, rendered};
use crate::error::mapping::store_failure;
use crate::error::problem_type as kind;
use crate::handlers::linked_account::account_key;
use crate::handlers::linked_account::account_missing;
use crate::handlers::linked_account::shown;
use crate::middleware::trace::RequestId;
use crate::request::account_name::linked_account;
use crate::request::parameters::{self, InPath, InQuery};
use crate::responses::LinkedAccount;
use crate::state::Api;
use keyferry_service::Caller;
use keyferry_store::{AccountKey, AuditAction, IntegrationKey, Scope};
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

/// `DELETE /integration/{slug}`: answered with the account as it is afterwards, also where there was nothing to delete.
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
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete_integration(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    slug: InPath,
    query: InQuery<DeleteQuery>,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let query = parameters::query(query)?;
        let account = linked_account(&headers, query.linked_account_id.as_deref())?;
        let key = account_key(&caller, account);
        let left = disconnect(&api, &caller, &key, parameters::path(slug)?, query.auth_type, id).await?;
        Ok(json_answer(StatusCode::OK, &left))
    })
    .await
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
    let invalid = |error: InvalidName| ApiError::new(&kind::INVALID_NAME, error.rule());
    let slug: Slug = slug.parse().map_err(invalid)?;
    let auth_type: Option<AuthTypeName> = auth_type.map(|name| name.parse()).transpose().map_err(invalid)?;
    let missing = || account_missing(caller, key.account.as_str());
    api.store.account(key).await.map_err(store_failure)?.ok_or_else(missing)?;
    let integration = IntegrationKey { account: key.clone(), slug };
    let audit = caller.audit(AuditAction::IntegrationDeleted, "deleted", &id.0).on_integration(&integration);
    api.store.delete_integration(&integration, auth_type, audit).await.map_err(store_failure)?;
    shown(api, caller, key).await
}
