//! `PUT /api/v2/public/migrate-token`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::access::{LINKED_ACCOUNT_ID, caller, linked_account};
use super::answers::{CredentialVerdict, MigrateTokenAnswer, TokenMigrated};
use super::body;
use super::failure::{Failure, json as json_answer, rendered};
use super::kind;
use super::openapi::MigrateTokenRequest;
use super::prefer::{EntityTag, idempotency_key, precondition, preferences};
use super::routes::Api;
use super::to_its_end::to_its_end;
use super::trace::RequestId;
use crate::migrate::{MigrateError, Migrated, Migration, Revision, Stored};
use crate::plugins::{CallError, FailureKind, Unreachable, Verdict};
use crate::schema::Input;
use crate::store::{IntegrationRecord, Scope, StoreError};
use crate::vault::VaultError;

pub(super) static KEYFERRY_OUTCOME: HeaderName = HeaderName::from_static("keyferry-outcome");
static KEYFERRY_ACTION: HeaderName = HeaderName::from_static("keyferry-action");
static KEYFERRY_FAILURE: HeaderName = HeaderName::from_static("keyferry-failure");
static KEYFERRY_WARNINGS: HeaderName = HeaderName::from_static("keyferry-warnings");
/// Characters of all warnings together in a header: proxies take heads of 8 KiB.
const LONGEST_WARNINGS: usize = 2048;
static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Handles the request.
///
/// The work is done to its end, so that a caller who hangs up does not stop it half-way.
#[utoipa::path(
    put, path = "/api/v2/public/migrate-token", operation_id = "migrateTokenForLinkedAccount", tag = "Credentials",
    summary = "Put a credential onto a linked account",
    description = include_str!("openapi/migrate_token.md"),
    request_body = MigrateTokenRequest,
    responses(
        (status = 200, description = "It is stored (`success`), or, with `Prefer: verify=only`, this is the verdict \
            (`outcome`).", body = MigrateTokenAnswer),
    ),
    security(("org_api_key" = [])),
)]
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    rendered(&headers, migrate(&api, id, query, &headers, body)).await
}

async fn migrate(
    api: &Arc<Api>,
    id: RequestId,
    query: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let key = api.key(headers).await?;
    let key_hash = key.hash;
    let caller = caller(key, Scope::Migrate)?;
    api.rates.attempt(&key_hash)?;
    let input: Input = body::json(headers, body, api.body_timeout).await?;
    let Input::Object(members) = input else {
        return Err(body::not_an_object(input.kind()));
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
        account: linked_account(headers, account_in_query.as_deref(), account_in_body)?,
        slug: match slug {
            Some(Input::Text(text)) if !text.is_empty() => text.expose().to_owned(),
            None | Some(Input::Text(_) | Input::Null) => {
                let message = "slug is required: it names the app, such as `hubspot`";
                return Err(Failure::new(&kind::SLUG_MISSING, message));
            }
            Some(other) => {
                let message = format!("slug must be a string, and is {}", other.kind());
                return Err(Failure::new(&kind::SLUG_INVALID, message));
            }
        },
        auth_object: match auth_object {
            None | Some(Input::Null) => {
                let message = "auth_object is required: an object with one key that names the auth type";
                return Err(Failure::new(&kind::AUTH_OBJECT_MISSING, message));
            }
            Some(value) => value,
        },
        precondition: precondition(headers)?,
        preferences: preferences(headers)?,
        idempotency_key: idempotency_key(headers)?,
        request_id: id.0,
    };
    let migrated = carry_out(api, &key_hash, migration, failure).await?;
    Ok(success(&migrated, &MigrateTokenAnswer::Migrated(TokenMigrated::ANSWER)))
}

/// Carries a migration out to its end. `measure` is what a credential that is turned away is counted under.
pub(super) async fn carry_out(
    api: &Arc<Api>,
    measure: &[u8; 32],
    migration: Migration,
    told: impl FnOnce(MigrateError) -> Failure,
) -> Result<Migrated, Failure> {
    let migrator = Arc::clone(api);
    let result = to_its_end(async move { migrator.migrator.migrate(migration).await }).await?;
    if let Err(MigrateError::NotVerified(failed)) | Ok(Migrated::Checked(Verdict::Failed(failed))) = &result {
        api.rates.failed(measure, &failed.kind);
    }
    result.map_err(told)
}

/// The answer to what was done, with `body` where something is stored.
pub(super) fn success(migrated: &Migrated, body: &impl Serialize) -> Response {
    let (stored, replayed) = match migrated {
        Migrated::Stored(stored) => (stored, false),
        Migrated::Replayed(stored) => (stored, true),
        Migrated::Checked(verdict) => return checked(verdict),
    };
    let mut response = json_answer(StatusCode::OK, body);
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
fn warn(headers: &mut HeaderMap, warnings: &[String]) {
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
    let mut response = json_answer(StatusCode::OK, &MigrateTokenAnswer::Checked(CredentialVerdict::of(verdict)));
    let headers = response.headers_mut();
    headers.insert(KEYFERRY_OUTCOME.clone(), HeaderValue::from_static(outcome));
    if let Verdict::Verified(verified) = verdict {
        warn(headers, &verified.warnings);
    }
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
        MigrateError::CustomApp => Failure::new(&kind::CUSTOM_APP, message),
        MigrateError::UnknownApp { .. } => Failure::new(&kind::UNKNOWN_APP, message),
        MigrateError::AppNotInService { .. } => Failure::new(&kind::APP_NOT_IN_SERVICE, message),
        MigrateError::AccountMissing { .. } => Failure::new(&kind::ACCOUNT_UNKNOWN_TO_MIGRATE, message),
        MigrateError::Content(violations) => Failure::violations(&violations),
        MigrateError::Outdated(_) => Failure::new(&kind::CREDENTIAL_OUTDATED, message),
        MigrateError::NotVerified(failed) => not_verified(&failed.kind, &failed.detail),
        MigrateError::Plugin(CallError::Busy { retry_after, .. }) => {
            Failure::new(&kind::BUSY, message).retry_after(Some(retry_after))
        }
        MigrateError::Plugin(CallError::Timeout { .. }) => Failure::verification(&kind::PLUGIN_TIMEOUT, &message),
        MigrateError::Plugin(_) => Failure::verification(&kind::PLUGIN_FAILED, &message),
        MigrateError::OtherAccount { .. } => Failure::new(&kind::OTHER_ACCOUNT, message),
        // Of rows of imports alone.
        MigrateError::NoTime | MigrateError::InvisibleId(_) => Failure::internal(&error),
        MigrateError::Precondition { .. } => Failure::new(&kind::PRECONDITION_FAILED, message),
        MigrateError::IdempotencyReuse => Failure::new(&kind::IDEMPOTENCY_REUSED, message),
        MigrateError::IdempotencyInFlight => {
            Failure::new(&kind::IDEMPOTENCY_IN_FLIGHT, message).retry_after(Some(Duration::from_secs(1)))
        }
        MigrateError::NotAllowed { .. } => Failure::new(&kind::PREFERENCE_NOT_ALLOWED, message),
        MigrateError::TooLarge(_) | MigrateError::RecordTooLarge { .. } => {
            Failure::new(&kind::CREDENTIAL_TOO_LARGE, message)
        }
        MigrateError::Contended => Failure::new(&kind::CONTENDED, message).retry_after(Some(Duration::from_secs(1))),
        MigrateError::Store(error) => store_failure(error),
        MigrateError::Vault(error) => vault_failure(&error),
    }
}

/// Keys that cannot be had are no fault of the request, and none that a caller can do something about. Which key it is and
/// what is wrong with it is for the operator.
pub(super) fn vault_failure(error: &VaultError) -> Failure {
    let Some((why, wait)) = error.locked() else { return Failure::internal(error) };
    tracing::error!(%error, "an organisation's keys cannot be unlocked");
    let message = format!("this organisation's keys cannot be unlocked: {why}; nothing was changed, try again later");
    Failure::new(&kind::KEYS_LOCKED, message).retry_after(Some(wait))
}

/// What the store could not do, as an answer.
pub(super) fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::NoSpace { .. } => Failure::new(&kind::NO_SPACE, "the server's disk is full; nothing was stored")
            .retry_after(Some(Duration::from_secs(30))),
        other => Failure::internal(&other),
    }
}

fn not_verified(verdict: &FailureKind, detail: &str) -> Failure {
    let failed = match verdict {
        FailureKind::Rejected(_) => &kind::CREDENTIALS_REJECTED,
        FailureKind::InsufficientScope(_) => &kind::INSUFFICIENT_SCOPE,
        FailureKind::WrongTenant(_) => &kind::WRONG_TENANT,
        FailureKind::AccountSuspended => &kind::ACCOUNT_SUSPENDED,
        FailureKind::RateLimited(_) => &kind::PROVIDER_RATE_LIMITED,
        FailureKind::Unreachable(Unreachable::Timeout) => &kind::PROVIDER_TIMEOUT,
        FailureKind::Unreachable(_) => &kind::PROVIDER_UNREACHABLE,
        FailureKind::ProviderError(_) => &kind::PROVIDER_ERROR,
        FailureKind::UnexpectedAnswer => &kind::UNEXPECTED_ANSWER,
        FailureKind::NotVerifiable => &kind::NOT_VERIFIABLE,
    };
    let wait = match verdict {
        FailureKind::RateLimited(seconds) => seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
        _ => None,
    };
    // The documented shape is the same for a bad key and for a provider that is down. The header tells them apart.
    Failure::verification(failed, detail)
        .retry_after(wait)
        .fields(fields_of(verdict))
        .header(KEYFERRY_FAILURE.clone(), HeaderValue::from_static(verdict.code()))
}

fn fields_of(verdict: &FailureKind) -> Vec<String> {
    match verdict {
        FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => fields.clone(),
        _ => Vec::new(),
    }
}
