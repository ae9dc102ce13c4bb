//! `PUT /api/v2/public/migrate-token`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

use super::access::{LINKED_ACCOUNT_ID, caller, linked_account};
use super::body;
use super::failure::{Failure, Rendering, json as json_answer};
use super::prefer::{EntityTag, idempotency_key, precondition, preferences};
use super::routes::Api;
use super::trace::RequestId;
use crate::migrate::{MigrateError, Migrated, Migration, Revision, Stored};
use crate::plugins::{CallError, FailureKind, Unreachable, Verdict};
use crate::schema::Input;
use crate::store::{IntegrationRecord, Scope, StoreError, Timestamp};

static KEYFERRY_OUTCOME: HeaderName = HeaderName::from_static("keyferry-outcome");
static KEYFERRY_ACTION: HeaderName = HeaderName::from_static("keyferry-action");
static KEYFERRY_FAILURE: HeaderName = HeaderName::from_static("keyferry-failure");
static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[derive(Serialize)]
struct Success {
    success: bool,
    message: &'static str,
}

/// Handles the request. The work runs as a task of its own, so that a caller who hangs up does not stop it half-way.
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let rendering = Rendering::of(&headers);
    match migrate(api, id, query, headers, body).await {
        Ok(migrated) => success(&migrated),
        Err(failure) => failure.render(rendering),
    }
}

async fn migrate(
    api: Arc<Api>,
    id: RequestId,
    query: Option<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Migrated, Failure> {
    let key = api.key(&headers).await?;
    let key_hash = key.hash;
    let caller = caller(key, Scope::Migrate)?;
    api.rates.attempt(&key_hash)?;
    let input: Input = body::json(&headers, body, api.body_timeout).await?;
    let Input::Object(members) = input else {
        let message = format!("the request body must be a JSON object, and is {}", input.kind());
        return Err(Failure::new(StatusCode::BAD_REQUEST, "invalid_json", message));
    };
    let (mut slug, mut auth_object, mut account_in_body) = (None, None, None);
    for (name, value) in members {
        match (name.as_str(), value) {
            ("slug", value) => slug = Some(value),
            ("auth_object", value) => auth_object = Some(value),
            (LINKED_ACCOUNT_ID, Input::Text(text)) => account_in_body = Some(text),
            // The vendor's SDKs send members of their own.
            _ => {}
        }
    }
    let account_in_query = query.as_deref().and_then(|query| {
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == LINKED_ACCOUNT_ID).map(|(_, v)| v)
    });
    let account_in_body = account_in_body.as_ref().map(|text| text.expose());
    let migration = Migration {
        caller,
        account: linked_account(&headers, account_in_query.as_deref(), account_in_body)?,
        slug: match slug {
            Some(Input::Text(text)) if !text.is_empty() => text.expose().to_owned(),
            None | Some(Input::Text(_) | Input::Null) => {
                return Err(Failure::content("slug_missing", "slug is required: it names the app, such as `hubspot`"));
            }
            Some(other) => {
                let message = format!("slug must be a string, and is {}", other.kind());
                return Err(Failure::content("slug_invalid", message));
            }
        },
        auth_object: match auth_object {
            None | Some(Input::Null) => {
                let message = "auth_object is required: an object with one key that names the auth type";
                return Err(Failure::content("auth_object_missing", message));
            }
            Some(value) => value,
        },
        precondition: precondition(&headers)?,
        preferences: preferences(&headers)?,
        idempotency_key: idempotency_key(&headers)?,
        request_id: id.0,
    };
    let span = tracing::Span::current();
    let migrator = Arc::clone(&api);
    let work = async move { migrator.migrator.migrate(migration).await };
    let done = tokio::spawn(tracing::Instrument::instrument(work, span)).await;
    let result = done.map_err(|panicked| Failure::internal(&panicked))?;
    if let Err(MigrateError::NotVerified(failed)) | Ok(Migrated::Checked(Verdict::Failed(failed))) = &result {
        api.rates.failed(&key_hash, &failed.kind);
    }
    result.map_err(failure)
}

fn success(migrated: &Migrated) -> Response {
    let (stored, replayed) = match migrated {
        Migrated::Stored(stored) => (stored, false),
        Migrated::Replayed(stored) => (stored, true),
        Migrated::Checked(verdict) => return checked(verdict),
    };
    let body = Success { success: true, message: "Token migrated successfully" };
    let mut response = json_answer(StatusCode::OK, &body);
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
}

/// The verdict itself, for `Prefer: verify=only`. Ours, so it has no documented shape.
fn checked(verdict: &Verdict) -> Response {
    let (outcome, body) = match verdict {
        Verdict::Verified(verified) => (
            "verified",
            json!({
                "outcome": "verified",
                "account_id": verified.account_id,
                "display_name": verified.display_name,
                "scopes": verified.scopes,
                "expires_at": verified.expires_at.map(|ms| Timestamp::from_millis(ms).to_string()),
                "warnings": verified.warnings,
                "config": verified.config.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            }),
        ),
        Verdict::Failed(failed) => {
            let mut body = json!({ "outcome": failed.kind.code(), "detail": failed.detail });
            let more = match &failed.kind {
                FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => Some(("fields", json!(fields))),
                FailureKind::InsufficientScope(scopes) => Some(("missing_scopes", json!(scopes))),
                FailureKind::RateLimited(seconds) => Some(("retry_after", json!(seconds))),
                FailureKind::Unreachable(kind) => Some(("unreachable", json!(kind.code()))),
                FailureKind::ProviderError(status) => Some(("provider_status", json!(status))),
                FailureKind::AccountSuspended | FailureKind::UnexpectedAnswer | FailureKind::NotVerifiable => None,
            };
            if let (Some((name, value)), Some(object)) = (more, body.as_object_mut()) {
                object.insert(name.to_owned(), value);
            }
            ("not-verified", body)
        }
    };
    let mut response = json_answer(StatusCode::OK, &body);
    response.headers_mut().insert(KEYFERRY_OUTCOME.clone(), HeaderValue::from_static(outcome));
    response
}

/// The entity tag of an integration's revision.
pub(super) fn revision_tag(record: &IntegrationRecord) -> Option<HeaderValue> {
    let revision = Revision { id: record.id, version: record.version };
    HeaderValue::from_str(&EntityTag(revision).to_string()).ok()
}

/// Each reason of the use case as an answer.
pub(super) fn failure(error: MigrateError) -> Failure {
    let message = error.to_string();
    match error {
        MigrateError::CustomApp => Failure::content("custom_app", message),
        MigrateError::UnknownApp { .. } => Failure::content("unknown_app", message).with_status(StatusCode::NOT_FOUND),
        MigrateError::AppNotInService { .. } => {
            Failure::content("app_not_in_service", message).with_status(StatusCode::SERVICE_UNAVAILABLE)
        }
        MigrateError::AccountMissing { .. } => Failure::new(StatusCode::NOT_FOUND, "unknown_linked_account", message)
            .documented_status(StatusCode::BAD_REQUEST),
        MigrateError::Content(violations) => Failure::violations(&violations),
        MigrateError::NotVerified(failed) => not_verified(&failed.kind, &failed.detail),
        MigrateError::Plugin(CallError::Busy { retry_after, .. }) => {
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(Some(retry_after))
        }
        MigrateError::Plugin(CallError::Timeout { .. }) => {
            Failure::verification(StatusCode::GATEWAY_TIMEOUT, "plugin_timeout", &message)
        }
        MigrateError::Plugin(_) => Failure::verification(StatusCode::BAD_GATEWAY, "plugin_failed", &message),
        MigrateError::OtherAccount { .. } => Failure::new(StatusCode::CONFLICT, "other_account", message),
        MigrateError::Precondition { .. } => {
            Failure::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", message)
        }
        MigrateError::IdempotencyReuse => {
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", message)
        }
        MigrateError::IdempotencyInFlight => Failure::new(StatusCode::CONFLICT, "idempotency_key_in_flight", message)
            .retry_after(Some(Duration::from_secs(1))),
        MigrateError::NotAllowed { .. } => Failure::new(StatusCode::FORBIDDEN, "preference_not_allowed", message),
        MigrateError::TooLarge { .. } => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "credential_too_large", message),
        MigrateError::Contended => {
            Failure::new(StatusCode::CONFLICT, "contended", message).retry_after(Some(Duration::from_secs(1)))
        }
        MigrateError::Store(error) => store_failure(error),
        MigrateError::Vault(error) => Failure::internal(&error),
    }
}

/// What the store could not do, as an answer.
pub(super) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::NoSpace { .. } => {
            Failure::new(StatusCode::INSUFFICIENT_STORAGE, "no_space", "the server's disk is full; nothing was stored")
                .retry_after(Some(Duration::from_secs(30)))
        }
        other => Failure::internal(&other),
    }
}

fn not_verified(kind: &FailureKind, detail: &str) -> Failure {
    let (status, code) = match kind {
        FailureKind::Rejected(_) => (StatusCode::UNPROCESSABLE_ENTITY, "credentials_rejected"),
        FailureKind::InsufficientScope(_) => (StatusCode::FORBIDDEN, "insufficient_scope"),
        FailureKind::WrongTenant(_) => (StatusCode::UNPROCESSABLE_ENTITY, "wrong_tenant"),
        FailureKind::AccountSuspended => (StatusCode::UNPROCESSABLE_ENTITY, "account_suspended"),
        FailureKind::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "provider_rate_limited"),
        FailureKind::Unreachable(Unreachable::Timeout) => (StatusCode::GATEWAY_TIMEOUT, "provider_timeout"),
        FailureKind::Unreachable(_) => (StatusCode::BAD_GATEWAY, "provider_unreachable"),
        FailureKind::ProviderError(_) => (StatusCode::BAD_GATEWAY, "provider_error"),
        FailureKind::UnexpectedAnswer => (StatusCode::BAD_GATEWAY, "unexpected_answer"),
        FailureKind::NotVerifiable => (StatusCode::UNPROCESSABLE_ENTITY, "not_verifiable"),
    };
    let wait = match kind {
        FailureKind::RateLimited(seconds) => seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
        _ => None,
    };
    // The documented shape is the same for a bad key and for a provider that is down. The header tells them apart.
    Failure::verification(status, code, detail)
        .retry_after(wait)
        .fields(kind_fields(kind))
        .header(KEYFERRY_FAILURE.clone(), HeaderValue::from_static(kind.code()))
}

fn kind_fields(kind: &FailureKind) -> Vec<String> {
    match kind {
        FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => fields.clone(),
        _ => Vec::new(),
    }
}
