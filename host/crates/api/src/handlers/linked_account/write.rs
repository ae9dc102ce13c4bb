//! Linked accounts that are made, updated and deleted.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use crate::auth::access::Identity;
use crate::error::api_error::{ApiError, json as json_answer, rendered};
use crate::error::mapping::{failure, store_failure};
use crate::error::problem_type as kind;
use crate::handlers::linked_account::account_key;
use crate::handlers::linked_account::account_missing;
use crate::handlers::linked_account::body::{AccountBody, UpsertBody};
use crate::handlers::linked_account::shown;
use crate::middleware::trace::RequestId;
use crate::request::account_name::{check_body, check_path};
use crate::request::body;
use crate::request::parameters::{self, InPath};
use crate::responses::{AccountCreated, AccountDeleted, AccountUpserted};
use crate::state::Api;
use keyferry_service::{Caller, ServiceError};
use keyferry_store::{AccountWrite, AuditAction, ObjectId, PutAccount, PutMode, PutOutcome, Scope, StoreError};
use keyferry_types::ids::LinkedAccountId;

/// `POST`: creates a linked account.
#[utoipa::path(
    post, path = "/api/v2/public/linked-account", operation_id = "createLinkedAccount", tag = "Linked accounts",
    summary = "Make a linked account",
    description = "Creates a linked account for credentials. The account is durable before the response is sent. Takes an \
        API key with the scope `migrate`.",
    request_body = AccountBody, responses((status = 200, description = "The account was created.", body = AccountCreated)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    rendered(&headers, async {
        let caller = api.caller(&headers, Scope::Migrate).await?;
        let sent: AccountBody = body::object(&headers, body, api.body_timeout).await?;
        let account = sent.id()?;
        check_body(&headers, query.as_deref(), account.as_str())?;
        let put = put(&api, &caller, account, sent, id, PutMode::Create).await?;
        Ok(json_answer(StatusCode::OK, &AccountCreated::of(&put.account)))
    })
    .await
}

/// `PUT`: creates or updates.
#[utoipa::path(
    put, path = "/api/v2/public/linked-account", operation_id = "upsertLinkedAccount", tag = "Linked accounts",
    summary = "Make or update a linked account",
    description = "Creates the account if no account has this id; otherwise sets the name and the user-defined fields that \
        are given and leaves the rest. Takes an API key with the scope `migrate`, or a session token, which names the account: \
        the id in the body is ignored then.",
    request_body = UpsertBody, responses((status = 200, description = "The account was created or updated.", body = AccountUpserted)),
    security(("org_api_key" = []), ("linked_account_token" = [])),
)]
pub(crate) async fn upsert(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    rendered(&headers, async {
        let identity = api.identity(&headers, query.as_deref()).await?;
        let caller = identity.caller(Scope::Migrate)?;
        let sent = body::object::<UpsertBody>(&headers, body, api.body_timeout).await?.sent();
        let (account, mode) = match &identity {
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
        Ok(json_answer(StatusCode::OK, &AccountUpserted { account, new_account: put.outcome == PutOutcome::Created }))
    })
    .await
}

/// `DELETE /{account}`: with all its integrations.
#[utoipa::path(
    delete, path = "/api/v2/public/linked-account/{*account}", operation_id = "deleteLinkedAccount", tag = "Linked accounts",
    summary = "Delete a linked account",
    description = "Deletes the account and every credential on it, for good. Takes an API key with the scope `admin`.",
    params(("account" = String, Path, description = "Your own id of it. Slashes can stay as they are.", min_length = 1)),
    responses((status = 200, description = "The account was deleted.", body = AccountDeleted)),
    security(("org_api_key" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    account: InPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let account = parameters::path(account)?;
        check_path(&headers, query.as_deref(), &account)?;
        let missing = || account_missing(&caller, &account);
        let key = account_key(&caller, account.parse().map_err(|_| missing())?);
        let audit = caller.audit(AuditAction::AccountDeleted, "deleted", &id.0).on_account(&key);
        api.store.delete_account(&key, audit).await.map_err(store_failure)?.ok_or_else(missing)?;
        Ok(json_answer(StatusCode::OK, &AccountDeleted { message: "User deleted successfully" }))
    })
    .await
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
    let too_large = |message: String| ApiError::new(&kind::ACCOUNT_TOO_LARGE, message);
    api.migrator.put_account(write, &credentials).await.map_err(|error| match error {
        ServiceError::Store(StoreError::AccountExists { account, environment }) => {
            let message = format!("Linked account with id {account} already exists in the {environment} environment");
            ApiError::new(&kind::ACCOUNT_EXISTS, message)
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
