//! `/api/v2/public/linked-account`: the accounts that integrations hang on.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::linked_account;
use super::body;
use super::credentials;
use super::failure::{Failure, Rendering, json as json_answer};
use super::migrate_token::store_failure;
use super::routes::Api;
use super::trace::RequestId;
use crate::ids::{AccountId, AuthTypeName, InvalidName, Slug};
use crate::migrate::Caller;
use crate::shown::{aside, shown};
use crate::store::{
    AccountKey, AccountRecord, AccountView, AccountWrite, AuditAction, AuditEvent, IntegrationKey, IntegrationRecord,
    ListAccounts, PutAccount, PutMode, PutOutcome, Reauth, Scope, Standing, StoreError, Timestamp,
};

/// Accounts on a page, unless the caller says otherwise, as documented.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 1000;
const MAX_NAME: usize = 500;
const MAX_FIELDS: usize = 100;
const MAX_FIELD: usize = 2000;

/// A body that creates or updates an account.
#[derive(Deserialize)]
struct AccountBody {
    account_id: Option<String>,
    linked_account_id: Option<String>,
    name: Option<String>,
    udf: Option<BTreeMap<String, String>>,
    your_app: Option<serde::de::IgnoredAny>,
    payload: Option<Box<AccountBody>>,
}

/// What to list.
#[derive(Deserialize)]
pub(super) struct ListQuery {
    page: Option<usize>,
    limit: Option<usize>,
    search: Option<String>,
}

/// Which integration to delete.
#[derive(Deserialize)]
pub(super) struct DeleteQuery {
    linked_account_id: Option<String>,
    auth_type: Option<String>,
}

type Answer = Result<Response, Failure>;

/// `POST`: creates.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let put = put(&api, &headers, body, id, PutMode::Create).await?;
        let account = &put.account;
        Ok(json_answer(
            StatusCode::OK,
            &json!({
                "_id": account.id.to_string(),
                "account_id": account.account_id.as_str(),
                "name": account.name,
                "environment": account.environment.as_str(),
                "integrations": null,
            }),
        ))
    };
    render(answer.await, rendering)
}

/// `PUT`: creates or updates.
pub(super) async fn upsert(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let put = put(&api, &headers, body, id, PutMode::Upsert).await?;
        let view = api.store.account(&put.account.key()).await.map_err(store_failure)?;
        let integrations = view.map(|view| view.integrations).unwrap_or_default();
        let mut body = account_json(&AccountView { account: put.account, integrations });
        if let Some(object) = body.as_object_mut() {
            object.insert("new_account".to_owned(), json!(put.outcome == PutOutcome::Created));
        }
        Ok(json_answer(StatusCode::OK, &body))
    };
    render(answer.await, rendering)
}

/// `GET`: one page.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Read).await?;
        let Query(query) = query.map_err(|rejection| {
            Failure::new(StatusCode::BAD_REQUEST, "invalid_query", format!("the query is not valid: {rejection}"))
        })?;
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        let page = query.page.unwrap_or(1).max(1);
        let search = query.search.filter(|text| !text.is_empty());
        let found = api.store.accounts(&caller.org, caller.environment, ListAccounts { page, limit, search });
        let found = found.await.map_err(store_failure)?;
        let pages = found.total.div_ceil(limit).max(1);
        Ok(json_answer(
            StatusCode::OK,
            &json!({
                "docs": found.views.iter().map(account_json).collect::<Vec<_>>(),
                "totalDocs": found.total,
                "limit": limit,
                "totalPages": pages,
                "page": page,
                "pagingCounter": (page - 1).saturating_mul(limit).saturating_add(1),
                "hasPrevPage": page > 1,
                "hasNextPage": page < pages,
                "prevPage": (page > 1).then(|| page - 1),
                "nextPage": (page < pages).then(|| page + 1),
            }),
        ))
    };
    render(answer.await, rendering)
}

/// `GET /{account}`, and what is below it.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    if let Some((account, slug)) = credentials::split(&account) {
        return render(credentials::show(&api, id, account, slug, &headers).await, rendering);
    }
    let answer = async {
        let caller = api.caller(&headers, Scope::Read).await?;
        let missing = || account_missing(&caller, &account);
        let key = account_key(&caller, account.parse().map_err(|_| missing())?);
        let view = api.store.account(&key).await.map_err(store_failure)?.ok_or_else(missing)?;
        Ok(json_answer(StatusCode::OK, &account_json(&view)))
    };
    render(answer.await, rendering)
}

/// `DELETE /{account}`: with all its integrations.
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let missing = || account_missing(&caller, &account);
        let key = account_key(&caller, account.parse().map_err(|_| missing())?);
        let audit = audit(&caller, &key, AuditAction::AccountDeleted, "deleted", id);
        api.store.delete_account(&key, audit).await.map_err(store_failure)?.ok_or_else(missing)?;
        Ok(json_answer(StatusCode::OK, &json!({ "message": "User deleted successfully" })))
    };
    render(answer.await, rendering)
}

/// `DELETE /integration/{slug}`: answered with the account as it is afterwards, also where there was nothing to delete.
pub(super) async fn delete_integration(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    Path(slug): Path<String>,
    Query(query): Query<DeleteQuery>,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let caller = api.caller(&headers, Scope::Admin).await?;
        let account = linked_account(&headers, query.linked_account_id.as_deref(), None)?;
        let invalid = |error: InvalidName| Failure::new(StatusCode::BAD_REQUEST, "invalid_name", error.rule());
        let slug: Slug = slug.parse().map_err(invalid)?;
        let auth_type: Option<AuthTypeName> = query.auth_type.map(|name| name.parse()).transpose().map_err(invalid)?;
        let key = account_key(&caller, account);
        let missing = || account_missing(&caller, key.account.as_str());
        api.store.account(&key).await.map_err(store_failure)?.ok_or_else(missing)?;
        let mut audit = audit(&caller, &key, AuditAction::IntegrationDeleted, "deleted", id);
        audit.slug = Some(slug.clone());
        let integration = IntegrationKey { account: key.clone(), slug };
        api.store.delete_integration(&integration, auth_type, audit).await.map_err(store_failure)?;
        let view = api.store.account(&key).await.map_err(store_failure)?.ok_or_else(missing)?;
        Ok(json_answer(StatusCode::OK, &account_json(&view)))
    };
    render(answer.await, rendering)
}

fn render(answer: Answer, rendering: Rendering) -> Response {
    answer.unwrap_or_else(|failure| failure.render(rendering))
}

async fn put(api: &Api, headers: &HeaderMap, body: Body, id: RequestId, mode: PutMode) -> Result<PutAccount, Failure> {
    let caller = api.caller(headers, Scope::Migrate).await?;
    let outer: AccountBody = body::json(headers, body).await?;
    // The documented upsert takes its members flat or under `payload`, which then counts.
    let sent = match outer.payload {
        Some(inner) if mode == PutMode::Upsert => *inner,
        _ => outer,
    };
    if sent.your_app.is_some() {
        // Ignoring it would lose credentials that the caller believes to be stored.
        let message = "your_app is not supported by this server; send account_id, name and udf only";
        return Err(Failure::new(StatusCode::BAD_REQUEST, "not_supported", message));
    }
    let text = sent.account_id.or(sent.linked_account_id).filter(|text| !text.is_empty()).ok_or_else(|| {
        Failure::new(StatusCode::BAD_REQUEST, "linked_account_missing", "linked_account_id required")
            .documented_error("INVALID_LINKED_ACCOUNT_ID")
    })?;
    let account: AccountId = text.parse().map_err(|error: InvalidName| {
        Failure::new(StatusCode::BAD_REQUEST, "linked_account_invalid", error.rule())
            .documented_error("INVALID_LINKED_ACCOUNT_ID")
    })?;
    let udf: Vec<_> = sent.udf.unwrap_or_default().into_iter().collect();
    check_size(sent.name.as_deref(), &udf)?;
    let key = account_key(&caller, account);
    let audit = audit(&caller, &key, AuditAction::AccountPut, "stored", id);
    let write = AccountWrite { mode, key, name: sent.name, udf, audit };
    api.store.put_account(write).await.map_err(|error| match error {
        StoreError::AccountExists { .. } => {
            Failure::new(StatusCode::CONFLICT, "linked_account_exists", error.to_string())
                .documented_status(StatusCode::BAD_REQUEST)
        }
        other => store_failure(other),
    })
}

fn check_size(name: Option<&str>, udf: &[(String, String)]) -> Result<(), Failure> {
    let too_large = |what: String| Failure::new(StatusCode::BAD_REQUEST, "too_large", what);
    if name.is_some_and(|name| name.chars().count() > MAX_NAME) {
        return Err(too_large(format!("name has more than {MAX_NAME} characters")));
    }
    if udf.len() > MAX_FIELDS {
        return Err(too_large(format!("udf has more than {MAX_FIELDS} fields")));
    }
    match udf.iter().find(|(name, value)| name.len() > MAX_FIELD || value.len() > MAX_FIELD) {
        Some((name, _)) => {
            let shown = shown(name, []);
            Err(too_large(format!("udf.{shown} is longer than {MAX_FIELD} bytes{}", aside(name, shown))))
        }
        None => Ok(()),
    }
}

fn account_key(caller: &Caller, account: AccountId) -> AccountKey {
    AccountKey { org: caller.org.clone(), environment: caller.environment, account }
}

fn audit(caller: &Caller, key: &AccountKey, action: AuditAction, outcome: &str, id: RequestId) -> AuditEvent {
    AuditEvent {
        action,
        actor: caller.actor.clone(),
        environment: Some(key.environment),
        account: Some(key.account.clone()),
        slug: None,
        outcome: outcome.to_owned(),
        request_id: Some(id.0),
        at: Timestamp::now(),
    }
}

pub(super) fn account_missing(caller: &Caller, account: &str) -> Failure {
    let shown: String = account.chars().filter(|c| !c.is_control()).take(256).collect();
    let message = format!(
        "Linked Account with account id {shown} for org {} in environment {} not found",
        caller.org, caller.environment
    );
    Failure::new(StatusCode::NOT_FOUND, "unknown_linked_account", message)
}

fn account_json(view: &AccountView) -> Value {
    let AccountRecord { id, org, environment, account_id, name, udf, created_at, updated_at } = &view.account;
    let udf: Vec<_> = udf
        .iter()
        .map(|field| {
            json!({
                "key_name": field.key_name,
                "key_value": field.key_value,
                "_id": field.id.to_string(),
                "createdAt": field.created_at.to_string(),
                "updatedAt": field.updated_at.to_string(),
            })
        })
        .collect();
    json!({
        "_id": id.to_string(),
        "associated_org": org.as_str(),
        "account_id": account_id.as_str(),
        "name": name,
        "environment": environment.as_str(),
        "udf": udf,
        "is_seed": false,
        "integrations": view.integrations.iter().map(integration_json).collect::<Vec<_>>(),
        "createdAt": created_at.to_string(),
        "updatedAt": updated_at.to_string(),
        "__v": 0,
    })
}

/// An integration without anything of its credential. The members below `auth_type` are ours.
fn integration_json(record: &IntegrationRecord) -> Value {
    let reauth = record.reauth == Reauth::Required;
    let reason = match &record.standing {
        Standing::Verified => None,
        Standing::Unverified { reason } => Some(reason),
    };
    json!({
        "_id": record.id.to_string(),
        "type": record.slug.as_str(),
        "name": record.slug.as_str(),
        "identifier": record.provider_account_id.as_deref().unwrap_or("NA"),
        "app_id": null,
        "refresh_token_expired": reauth,
        "reauth_required": reauth,
        "createdAt": record.created_at.to_string(),
        "updatedAt": record.updated_at.to_string(),
        "auth_type": record.auth_type.as_str(),
        "revision": format!("{}-{}", record.id, record.version),
        "outcome": record.standing.as_str(),
        "outcome_reason": reason,
        "verified_at": record.verified_at.map(|at| at.to_string()),
        "display_name": record.display_name,
        "scopes": record.scopes,
        "expires_at": record.expires_at.map(|at| at.to_string()),
        "warnings": record.warnings,
        "config": record.config,
    })
}
