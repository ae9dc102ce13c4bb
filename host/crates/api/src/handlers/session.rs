//! `/api/v2/public/session-token`: what lets a front end act for one linked account.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::auth::access::{FrontEnd, KEY_PROBLEMS, TOKEN_PROBLEMS};
use crate::auth::caller::{Authorized, Key, Migrate, Read, Refreshing};
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem;
use crate::handlers::linked_account::account::{account_key, shown};
use crate::middleware::trace::RequestId;
use crate::request::account_name::{Place, check_body, conflict};
use crate::request::body::{BODY_PROBLEMS, RequestBody};
use crate::request::parameters::InQuery;
use crate::request::repeated::{self, Conflict};
use crate::responses::json::Json;
use crate::responses::secret_json::secret_json;
use crate::responses::{LinkedAccount, SessionIssued, SessionRevoked};
use crate::state::Api;
use keyferry_service::{Freshness, OpenSession, ServiceError};
use keyferry_store::StoreError;
use keyferry_types::ids::LinkedAccountId;

/// The linked account for which to open a session.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SessionBody {
    /// Your own id of it.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 256, example = "user_1")]
    linked_account_id: Option<String>,
    /// As other bodies and queries may spell it.
    #[serde(rename = "linkedAccountId")]
    #[schema(ignore)]
    camel_case_id: Option<String>,
    /// The same id in the spelling with hyphens.
    #[serde(rename = "linked-account-id")]
    #[schema(ignore)]
    hyphened_id: Option<String>,
}

impl SessionBody {
    /// The id that the body names, if it names one.
    fn id(self) -> Result<Option<String>, ApiError> {
        let mut named = None;
        let all = [self.linked_account_id, self.camel_case_id, self.hyphened_id];
        for text in all.into_iter().flatten().filter(|text| !text.is_empty()) {
            repeated::set(&mut named, text).map_err(|Conflict| conflict(Place::Body, Place::Body))?;
        }
        Ok(named)
    }
}

/// Whether a session that is there will do.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionQuery {
    /// `true`: open a new session even if one exists. Existing sessions stay valid.
    force_refresh: Option<bool>,
}

/// `POST`
#[utoipa::path(
    post, path = "/api/v2/public/session-token", operation_id = "createSessionToken", tag = "Sessions",
    summary = "Have a session of a linked account",
    description = "Tokens with which a front end acts for this one linked account: sees which apps there are, connects and \
        disconnects them. It can do no more than the API key that the session was made with, and no longer: a session ends by its \
        time, by `session-token/revoke`, with its linked account, and when that key is revoked. A session that this key has \
        made before and that counts for five more minutes is handed out again. An account has at most 32; then the oldest one \
        ends. Takes an API key with the scope `migrate`.",
    params(SessionQuery), request_body = SessionBody,
    responses((status = 200, description = "The tokens.", body = SessionIssued)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, BODY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_QUERY, problem::ACCOUNT_CONFLICT,
        problem::SESSION_NAMES_NO_ACCOUNT, problem::SESSION_ACCOUNT_UNKNOWN, problem::KEYS_LOCKED, problem::CONTENDED,
        problem::NO_SPACE,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: Key(key), .. }: Authorized<Key, Migrate>,
    id: RequestId,
    InQuery(query): InQuery<SessionQuery>,
    RawQuery(raw_query): RawQuery,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, ApiError> {
    let freshness = match query.force_refresh {
        Some(true) => Freshness::New,
        Some(false) | None => Freshness::Reuse,
    };
    let sent: SessionBody = body.object().await?;
    let text =
        sent.id()?.ok_or_else(|| ApiError::new(&problem::SESSION_NAMES_NO_ACCOUNT, "linked_account_id is required"))?;
    let unknown = || {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(256).collect();
        let environment = key.environment;
        let message = format!("No linked account found for account id : {shown} in environment {environment}");
        ApiError::new(&problem::SESSION_ACCOUNT_UNKNOWN, message)
    };
    let account: LinkedAccountId = text.parse().map_err(|_| unknown())?;
    check_body(&headers, raw_query.as_deref(), account.as_str())?;
    let asked = OpenSession { caller, made_by: key.hash, account, freshness, request_id: id.0 };
    let tokens = api.service.open_session(asked).await.map_err(|error| match error {
        ServiceError::AccountMissing { .. } => unknown(),
        other => failure(other),
    })?;
    secret_json(&SessionIssued::new(&tokens))
}

/// `POST refresh`
#[utoipa::path(
    post, path = "/api/v2/public/session-token/refresh", operation_id = "refreshSessionToken", tag = "Sessions",
    summary = "Have another session in the place of one",
    description = "Takes a `refresh_token` as the bearer, once: its session ends and a new one begins.",
    responses((status = 200, description = "The tokens of the new session.", body = SessionIssued)),
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, problem::SCOPE_MISSING, problem::CONTENDED, problem::NO_SPACE]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn refresh(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: Refreshing(front_end), .. }: Authorized<Refreshing, Migrate>,
    id: RequestId,
) -> Result<Response, ApiError> {
    let refreshed = api.service.refresh_session(&front_end.session, &caller, &id.0).await;
    let tokens = refreshed.map_err(|error| match error {
        ServiceError::Store(StoreError::SessionEnded) | ServiceError::AccountMissing { .. } => {
            ApiError::new(&problem::TOKEN_INVALID, "Invalid token")
        }
        other => failure(other),
    })?;
    secret_json(&SessionIssued::new(&tokens))
}

/// `POST revoke`
#[utoipa::path(
    post, path = "/api/v2/public/session-token/revoke", operation_id = "revokeSessionToken", tag = "Sessions",
    summary = "End a session",
    description = "Ends the session that the token is of, for good: none of its tokens counts from then on. Takes a session token.",
    responses((status = 200, description = "The session has ended.", body = SessionRevoked)),
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, problem::NO_SPACE]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn revoke(
    State(api): State<Arc<Api>>,
    front_end: FrontEnd,
    id: RequestId,
) -> Result<Json<SessionRevoked>, ApiError> {
    let ended = api.service.end_session(&front_end.session, &front_end.actor(), &id.0).await.map_err(failure)?;
    Ok(Json(SessionRevoked { success: true, revoked_count: u8::from(ended) }))
}

/// `GET active-linked-account`
#[utoipa::path(
    get, path = "/api/v2/public/session/active-linked-account", operation_id = "getActiveLinkedAccount", tag = "Sessions",
    summary = "Show the linked account of a session",
    description = "The linked account that the session token is of, and the apps that are connected to it.",
    responses((status = 200, description = "The account.", body = LinkedAccount)),
    extensions(("x-problems" = json!([TOKEN_PROBLEMS, problem::SCOPE_MISSING, problem::ACCOUNT_UNKNOWN]))),
    security(("linked_account_token" = [])),
)]
pub(crate) async fn active_linked_account(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: front_end, .. }: Authorized<FrontEnd, Read>,
) -> Result<Json<LinkedAccount>, ApiError> {
    let key = account_key(&caller, front_end.account().clone());
    Ok(Json(shown(&api, &caller, &key).await?))
}
