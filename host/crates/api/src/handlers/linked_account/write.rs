//! Linked accounts that are made, updated and deleted.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use http::HeaderMap;

use crate::auth::access::{Identity, KEY_PROBLEMS, TOKEN_PROBLEMS};
use crate::auth::caller::{Admin, Authorized, Key, Migrate};
use crate::error::api_error::ApiError;
use crate::error::mapping::{failure, store_failure};
use crate::error::problem::{self, ProblemType};
use crate::handlers::linked_account::account::{account_key, account_missing, shown};
use crate::middleware::trace::RequestId;
use crate::request::account_body::{AccountBody, UpsertBody};
use crate::request::account_name::{check_body, check_path};
use crate::request::body::{BODY_PROBLEMS, RequestBody};
use crate::request::parameters::InPath;
use crate::responses::json::Json;
use crate::responses::{AccountCreated, AccountDeleted, AccountUpserted};
use crate::state::Api;
use keyferry_service::{Caller, ServiceError};
use keyferry_store::{AccountWrite, AuditAction, ObjectId, PutAccount, PutMode, PutOutcome, StoreError};
use keyferry_types::ids::LinkedAccountId;

/// What creating or updating a linked account fails with.
const ACCOUNT_BODY_PROBLEMS: [&ProblemType; 12] = [
    &problem::SCOPE_MISSING,
    &problem::ACCOUNT_CONFLICT,
    &problem::BODY_NAMES_NO_ACCOUNT,
    &problem::BODY_ACCOUNT_ID_INVALID,
    &problem::ACCOUNT_TOO_LARGE,
    &problem::YOUR_APP_EMPTY,
    &problem::DUPLICATE_AUTH_KEY,
    &problem::INVALID_NAME,
    &problem::KEYS_LOCKED,
    &problem::CREDENTIAL_TOO_LARGE,
    &problem::CONTENDED,
    &problem::NO_SPACE,
];

/// `POST`: creates a linked account.
#[utoipa::path(
    post, path = "/api/v2/public/linked-account", operation_id = "createLinkedAccount", tag = "Linked accounts",
    summary = "Make a linked account",
    description = "Creates a linked account for credentials. The account is durable before the response is sent. Takes an \
        API key with the scope `migrate`.",
    request_body = AccountBody, responses((status = 200, description = "The account was created.", body = AccountCreated)),
    extensions(("x-problems" = json!([KEY_PROBLEMS, BODY_PROBLEMS, ACCOUNT_BODY_PROBLEMS, problem::ACCOUNT_EXISTS]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Migrate>,
    id: RequestId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Json<AccountCreated>, ApiError> {
    let sent: AccountBody = body.object().await?;
    let account = sent.id()?;
    check_body(&headers, query.as_deref(), account.as_str())?;
    let put = put(&api, &caller, account, sent, id, PutMode::Create).await?;
    Ok(Json(AccountCreated::new(&put.account)))
}

/// `PUT`: creates or updates.
#[utoipa::path(
    put, path = "/api/v2/public/linked-account", operation_id = "upsertLinkedAccount", tag = "Linked accounts",
    summary = "Make or update a linked account",
    description = "Creates the account if no account has this id; otherwise sets the name and the user-defined fields that \
        are given and leaves the rest. Takes an API key with the scope `migrate`, or a session token, which names the account: \
        the id in the body is ignored then.",
    request_body = UpsertBody, responses((status = 200, description = "The account was created or updated.", body = AccountUpserted)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, TOKEN_PROBLEMS, BODY_PROBLEMS, ACCOUNT_BODY_PROBLEMS, problem::ACCOUNT_UNKNOWN,
    ]))),
    security(("org_api_key" = []), ("linked_account_token" = [])),
)]
pub(crate) async fn upsert(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: identity, .. }: Authorized<Identity, Migrate>,
    id: RequestId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Json<AccountUpserted>, ApiError> {
    let sent = body.object::<UpsertBody>().await?.sent();
    let (account, mode) = match identity {
        Identity::Key(_) => {
            let account = sent.id()?;
            check_body(&headers, query.as_deref(), account.as_str())?;
            (account, PutMode::Upsert)
        }
        // A front end must not bring an account back that was deleted a moment ago.
        Identity::FrontEnd(front_end) => (front_end.account().clone(), PutMode::Update),
    };
    let put = put(&api, &caller, account, sent, id, mode).await?;
    let account = shown(&api, &caller, &put.account.key()).await?;
    Ok(Json(AccountUpserted { account, new_account: put.outcome == PutOutcome::Created }))
}

/// `DELETE /{account}`: with all its integrations.
#[utoipa::path(
    delete, path = "/api/v2/public/linked-account/{*account}", operation_id = "deleteLinkedAccount", tag = "Linked accounts",
    summary = "Delete a linked account",
    description = "Deletes the account and every credential on it, for good. Takes an API key with the scope `admin`.",
    params(("account" = String, Path, description = "Your own id of it. Slashes can stay as they are.", min_length = 1)),
    responses((status = 200, description = "The account was deleted.", body = AccountDeleted)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::ACCOUNT_CONFLICT, problem::ACCOUNT_UNKNOWN,
        problem::NO_SPACE,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Admin>,
    id: RequestId,
    InPath(account): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<AccountDeleted>, ApiError> {
    check_path(&headers, query.as_deref(), &account)?;
    let missing = || account_missing(&caller, &account);
    let key = account_key(&caller, account.parse().map_err(|_| missing())?);
    let audit = caller.audit(AuditAction::AccountDeleted, "deleted", &id.0).on_account(&key);
    api.store.delete_account(&key, audit).await.map_err(store_failure)?.ok_or_else(missing)?;
    Ok(Json(AccountDeleted { message: "User deleted successfully" }))
}

async fn put(
    api: &Api,
    caller: &Caller,
    account: LinkedAccountId,
    sent: AccountBody,
    id: RequestId,
    mode: PutMode,
) -> Result<PutAccount, ApiError> {
    sent.check_size()?;
    let credentials = sent.credentials()?;
    let udf: Vec<_> = sent.udf.unwrap_or_default().into_iter().collect();
    let key = account_key(caller, account);
    let audit = caller.audit(AuditAction::AccountPut, "stored", &id.0).on_account(&key);
    let write = AccountWrite { mode, key, id: ObjectId::generate(), name: sent.name, udf, audit };
    let too_large = |message: String| ApiError::new(&problem::ACCOUNT_TOO_LARGE, message);
    api.service.put_account(write, &credentials).await.map_err(|error| match error {
        ServiceError::Store(StoreError::AccountExists { account, environment }) => {
            let message = format!("Linked account with id {account} already exists in the {environment} environment");
            ApiError::new(&problem::ACCOUNT_EXISTS, message)
        }
        ServiceError::AccountMissing { account, .. } => account_missing(caller, account.as_str()),
        // Fields add up: an account can outgrow its record though each request is small.
        ServiceError::Store(StoreError::TooLarge { limit, .. }) => {
            too_large(format!("the account is too large: with all its fields it may have {limit} bytes"))
        }
        ServiceError::TooLarge(limit) => too_large(format!("your_app: {limit}")),
        other => failure(other),
    })
}
