//! `PUT /api/v2/public/linked-account/integration/save-key-credentials/{slug}`: migrate-token with a flat body.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::access::KEY_PROBLEMS;
use crate::auth::caller::{Authorized, Key, Migrate};
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem;
use crate::handlers::migrate_token::{CREDENTIAL_PROBLEMS, PREFERENCE_PROBLEMS, carry_out, may_verify, success};
use crate::middleware::trace::RequestId;
use crate::openapi::FlatCredential;
use crate::request::account_name::{ACCOUNT_PROBLEMS, linked_account};
use crate::request::body::{self, BODY_PROBLEMS, RequestBody};
use crate::request::parameters::{InPath, InQuery};
use crate::request::prefer::{idempotency_key, precondition, preferences};
use crate::responses::{CredentialSaved, SaveResponse};
use crate::state::Api;
use keyferry_sandbox::App;
use keyferry_schema::Input;
use keyferry_service::{Migration, ServiceError};

/// The auth type whose values come out of a connect flow, not out of a form.
const OAUTH2: &str = "oauth2";

/// Of which auth type the credential is, and on which linked account.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SaveQuery {
    /// The auth type. Without, it is the one that `auth_input_map` asks a person for: the first that needs no connect flow.
    #[param(example = "keybased")]
    auth_type: Option<String>,
    /// The linked account. The header of this name does the same; one of the two is needed, and both have to agree.
    #[param(max_length = 256, example = "user_1")]
    linked_account_id: Option<String>,
}

/// `PUT`
#[utoipa::path(
    put, path = "/api/v2/public/linked-account/integration/save-key-credentials/{slug}", operation_id = "saveKeyCredentials",
    tag = "Credentials",
    summary = "Put a credential, given as its fields, onto a linked account",
    description = "Like migrate-token: verifies, encrypts and stores the credential, or changes nothing. The body is the credential's \
        fields. Takes an API key with the scope `migrate`, and the same headers as migrate-token.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "stripe"), SaveQuery),
    request_body = FlatCredential,
    responses(
        (status = 200, description = "The credential is stored (`success`), or, with `Prefer: verify=only`, the verdict \
            (`outcome`).", body = SaveResponse),
    ),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, BODY_PROBLEMS, ACCOUNT_PROBLEMS, CREDENTIAL_PROBLEMS, PREFERENCE_PROBLEMS, problem::INVALID_PATH,
        problem::INVALID_QUERY,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Authorized { caller, .. }: Authorized<Key, Migrate>,
    id: RequestId,
    slug: Result<InPath<String>, ApiError>,
    query: Result<InQuery<SaveQuery>, ApiError>,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Response, ApiError> {
    may_verify(&api, &caller)?;
    let InQuery(query) = query?;
    let account = linked_account(&headers, query.linked_account_id.as_deref())?;
    let InPath(slug) = slug?;
    let (auth_type, auth_object) = auth_object(&api, &slug, query.auth_type, fields(body).await?)?;
    let migration = Migration {
        caller,
        account,
        slug,
        auth_object,
        precondition: precondition(&headers)?,
        preferences: preferences(&headers)?,
        idempotency_key: idempotency_key(&headers)?,
        request_id: id.0,
    };
    save(&api, migration, &auth_type).await
}

/// A credential's fields, as a body has them.
pub(crate) async fn fields(body: RequestBody) -> Result<Input, ApiError> {
    match body.json().await? {
        fields @ Input::Object(_) => Ok(fields),
        other => Err(body::not_an_object(other.kind())),
    }
}

/// The fields as migrate-token takes them, and of which auth type they are.
pub(crate) fn auth_object(
    api: &Api,
    slug: &str,
    auth_type: Option<String>,
    fields: Input,
) -> Result<(String, Input), ApiError> {
    let app = api.service.app(slug).map_err(failure)?;
    let auth_type = auth_type.or_else(|| asked_of_a_person(&app)).unwrap_or_default();
    Ok((auth_type.clone(), Input::Object(vec![(auth_type, fields)])))
}

/// The auth type behind `auth_input_map`; for an app that has none but OAuth, that.
fn asked_of_a_person(app: &App) -> Option<String> {
    let types = app.description.schema.types();
    let form = types.iter().find(|one| one.name.as_str() != OAUTH2).or(types.first());
    form.map(|one| one.name.to_string())
}

/// Performs the migration and renders the response.
pub(crate) async fn save(api: &Arc<Api>, migration: Migration, auth_type: &str) -> Result<Response, ApiError> {
    let to_error = |error| match error {
        ServiceError::Content(violations) => ApiError::flat_violations(&violations, auth_type),
        other => failure(other),
    };
    let migrated = carry_out(api, migration, to_error).await?;
    Ok(success(&migrated, &SaveResponse::Saved(CredentialSaved::DONE)))
}
