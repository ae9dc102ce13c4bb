//! `PUT /api/v2/public/migrate-token`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, Migrate};
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem::{self, ProblemType};
use crate::middleware::detach_on_drop::to_its_end;
use crate::middleware::rate;
use crate::middleware::trace::RequestId;
use crate::openapi::MigrateTokenRequest;
use crate::request::account_name::{ACCOUNT_PROBLEMS, NamedAccount, Place, is_account};
use crate::request::body::{self, BODY_PROBLEMS, RequestBody};
use crate::request::prefer::{EntityTag, idempotency_key, precondition, preferences};
use crate::responses::json::Json;
use crate::responses::{CredentialVerdict, MigrateTokenResponse, TokenMigrated};
use crate::state::Api;
use keyferry_sandbox::Verdict;
use keyferry_schema::Input;
use keyferry_service::{Caller, Migrated, Migration, Revision, ServiceError, Stored, counts_as_rejected};
use keyferry_store::IntegrationRecord;

pub(crate) static KEYFERRY_OUTCOME: HeaderName = HeaderName::from_static("keyferry-outcome");
pub(crate) static KEYFERRY_ACTION: HeaderName = HeaderName::from_static("keyferry-action");
static KEYFERRY_WARNINGS: HeaderName = HeaderName::from_static("keyferry-warnings");
/// Characters of all warnings together in a header: proxies take heads of 8 KiB.
const LONGEST_WARNINGS: usize = 2048;
static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What storing a credential fails with, however it is sent.
pub(crate) const CREDENTIAL_PROBLEMS: [&ProblemType; 25] = [
    &problem::SCOPE_MISSING,
    &problem::KEYS_LOCKED,
    &problem::TOO_MANY_FAILED,
    &problem::ACCOUNT_UNKNOWN_TO_MIGRATE,
    &problem::CUSTOM_APP,
    &problem::UNKNOWN_APP,
    &problem::APP_NOT_IN_SERVICE,
    &problem::INVALID_CONTENT,
    &problem::OTHER_ACCOUNT,
    &problem::CONTENDED,
    &problem::CREDENTIAL_TOO_LARGE,
    &problem::NO_SPACE,
    &problem::BUSY,
    &problem::PLUGIN_TIMEOUT,
    &problem::PLUGIN_FAILED,
    &problem::CREDENTIALS_REJECTED,
    &problem::INSUFFICIENT_SCOPE,
    &problem::WRONG_TENANT,
    &problem::ACCOUNT_SUSPENDED,
    &problem::PROVIDER_RATE_LIMITED,
    &problem::PROVIDER_TIMEOUT,
    &problem::PROVIDER_UNREACHABLE,
    &problem::PROVIDER_ERROR,
    &problem::UNEXPECTED_ANSWER,
    &problem::NOT_VERIFIABLE,
];
/// What of that only the headers of a back end can cause.
pub(crate) const PREFERENCE_PROBLEMS: [&ProblemType; 5] = [
    &problem::INVALID_HEADER,
    &problem::PREFERENCE_NOT_ALLOWED,
    &problem::PRECONDITION_FAILED,
    &problem::IDEMPOTENCY_IN_FLIGHT,
    &problem::IDEMPOTENCY_REUSED,
];

/// Handles a migration request.
///
/// The work completes even if the caller disconnects.
#[utoipa::path(
    put, path = "/api/v2/public/migrate-token", operation_id = "migrateTokenForLinkedAccount", tag = "Credentials",
    summary = "Put a credential onto a linked account",
    description = include_str!("../openapi/migrate_token.md"),
    request_body = MigrateTokenRequest,
    responses(
        (status = 200, description = "The credential is stored (`success`), or, with `Prefer: verify=only`, the verdict \
            (`outcome`).", body = MigrateTokenResponse),
    ),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, BODY_PROBLEMS, ACCOUNT_PROBLEMS, problem::SLUG_MISSING, problem::SLUG_INVALID,
        problem::AUTH_OBJECT_MISSING, CREDENTIAL_PROBLEMS, PREFERENCE_PROBLEMS,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Migrate>,
    id: RequestId,
    RawQuery(query): RawQuery,
    body: RequestBody,
) -> Result<Response, ApiError> {
    may_verify(&api, &caller)?;
    let (input, headers): (Input, _) = body.json_and_headers().await?;
    let Input::Object(members) = input else {
        return Err(body::not_an_object(input.kind()));
    };
    let (mut slug, mut auth_object) = (None, None);
    let mut accounts = Vec::new();
    for (name, value) in members {
        match (name.as_str(), value) {
            ("slug", value) => slug = Some(value),
            ("auth_object", value) => auth_object = Some(value),
            (name, value) if is_account(name) => accounts.push(value),
            // The vendor's SDKs send members of their own.
            _ => {}
        }
    }
    let mut account = NamedAccount::in_headers(&headers)?.and_query(query.as_deref())?;
    for value in &accounts {
        account = account.and(Place::Body, account_in_body(value)?)?;
    }
    let migration = Migration {
        caller,
        account: account.account()?,
        slug: match slug {
            Some(Input::Text(text)) if !text.is_empty() => text.expose().to_owned(),
            None | Some(Input::Text(_) | Input::Null) => {
                let message = "slug is required: it names the app, such as `hubspot`";
                return Err(ApiError::new(&problem::SLUG_MISSING, message));
            }
            Some(other) => {
                let message = format!("slug must be a string, and is {}", other.kind());
                return Err(ApiError::new(&problem::SLUG_INVALID, message));
            }
        },
        auth_object: match auth_object {
            None | Some(Input::Null) => {
                let message = "auth_object is required: an object with one key that names the auth type";
                return Err(ApiError::new(&problem::AUTH_OBJECT_MISSING, message));
            }
            Some(value) => value,
        },
        precondition: precondition(&headers)?,
        preferences: preferences(&headers)?,
        idempotency_key: idempotency_key(&headers)?,
        request_id: id.0,
    };
    let migrated = carry_out(&api, migration, failure).await?;
    Ok(success(&migrated, &MigrateTokenResponse::Migrated(TokenMigrated::DONE)))
}

/// The linked account as a body names it. A number is its digits, `null` names nothing.
fn account_in_body(value: &Input) -> Result<&str, ApiError> {
    match value {
        Input::Text(text) | Input::Number(text) => Ok(text.expose()),
        Input::Null => Ok(""),
        other => {
            let message = format!("linked_account_id in the body must be a string, and is {}", other.kind());
            Err(ApiError::new(&problem::ACCOUNT_ID_INVALID, message))
        }
    }
}

/// Refuses a request early, before its body is read, where providers have turned too many credentials away.
pub(crate) fn may_verify(api: &Api, caller: &Caller) -> Result<(), ApiError> {
    api.service.check_rejection_limit(caller).map_err(|error| {
        rate::note_rejections(api.service.rejection_limit(caller));
        failure(error)
    })
}

/// Whether a verification was counted, or refused since too many were.
pub(crate) fn counts(verified: Result<Option<&Verdict>, &ServiceError>) -> bool {
    match verified {
        Ok(Some(Verdict::Failed(failed))) | Err(ServiceError::NotVerified(failed)) => counts_as_rejected(&failed.kind),
        Err(ServiceError::LimitReached(_)) => true,
        Ok(_) | Err(_) => false,
    }
}

/// Performs a migration to completion, even if the caller disconnects.
pub(crate) async fn carry_out(
    api: &Arc<Api>,
    migration: Migration,
    to_error: impl FnOnce(ServiceError) -> ApiError,
) -> Result<Migrated, ApiError> {
    let (service, caller) = (Arc::clone(&api.service), migration.caller.clone());
    let result = to_its_end(async move { service.migrate(migration).await }).await?;
    let verified = result.as_ref().map(|migrated| match migrated {
        Migrated::Checked(verdict) => Some(verdict),
        Migrated::Stored(_) | Migrated::Replayed(_) => None,
    });
    if counts(verified) {
        rate::note_rejections(api.service.rejection_limit(&caller));
    }
    result.map_err(to_error)
}

/// The response to a migration, with `body` if a credential was stored.
pub(crate) fn success(migrated: &Migrated, body: &impl Serialize) -> Response {
    let (stored, replayed) = match migrated {
        Migrated::Stored(stored) => (stored, false),
        Migrated::Replayed(stored) => (stored, true),
        Migrated::Checked(verdict) => return checked(verdict),
    };
    let mut response = Json(body).into_response();
    let headers = response.headers_mut();
    describe(headers, stored);
    if replayed {
        headers.insert(IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true"));
    }
    response
}

fn describe(headers: &mut HeaderMap, stored: &Stored) {
    if let Ok(tag) = HeaderValue::from_str(&EntityTag(stored.revision.clone()).to_string()) {
        headers.insert(header::ETAG, tag);
    }
    for (name, value) in [(&KEYFERRY_OUTCOME, stored.proof.to_string()), (&KEYFERRY_ACTION, stored.action.to_string())]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name.clone(), value);
        }
    }
    warn(headers, &stored.warnings);
}

/// The warnings as a list of strings (RFC 9651); those that do not fit are with the integration. Characters that a string cannot
/// have there are question marks.
pub(crate) fn warn(headers: &mut HeaderMap, warnings: &[String]) {
    let mut list = String::new();
    for warning in warnings {
        let text: String = warning.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        if list.len() + text.len() + 4 > LONGEST_WARNINGS {
            break;
        }
        let separator = if list.is_empty() { "" } else { ", " };
        list.push_str(&format!("{separator}\"{text}\""));
    }
    if !list.is_empty()
        && let Ok(value) = HeaderValue::from_str(&list)
    {
        headers.insert(KEYFERRY_WARNINGS.clone(), value);
    }
}

/// The verdict itself, for `Prefer: verify=only`. Ours, so it has no documented shape.
fn checked(verdict: &Verdict) -> Response {
    let outcome = match verdict {
        Verdict::Verified(_) => "verified",
        Verdict::Failed(_) => "not-verified",
    };
    let mut response = Json(MigrateTokenResponse::Checked(CredentialVerdict::new(verdict))).into_response();
    let headers = response.headers_mut();
    headers.insert(KEYFERRY_OUTCOME.clone(), HeaderValue::from_static(outcome));
    if let Verdict::Verified(verified) = verdict {
        warn(headers, &verified.warnings);
    }
    response
}

/// The entity tag of an integration's revision.
pub(crate) fn revision_tag(record: &IntegrationRecord) -> Option<HeaderValue> {
    let revision = Revision { id: record.id, version: record.version };
    HeaderValue::from_str(&EntityTag(revision).to_string()).ok()
}
