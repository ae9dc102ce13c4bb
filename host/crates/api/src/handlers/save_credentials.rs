//! `PUT /api/v2/public/linked-account/integration/save-key-credentials/{slug}`: migrate-token with a flat body.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::api_error::{ApiError, rendered};
use crate::error::mapping::failure;
use crate::handlers::migrate_token::{carry_out, may_verify, success};
use crate::middleware::trace::RequestId;
use crate::openapi::FlatCredential;
use crate::request::account_name::linked_account;
use crate::request::body;
use crate::request::parameters::{self, InPath, InQuery};
use crate::request::prefer::{idempotency_key, precondition, preferences};
use crate::responses::{CredentialSaved, SaveAnswer};
use crate::state::Api;
use keyferry_sandbox::App;
use keyferry_schema::Input;
use keyferry_service::{Migration, ServiceError};
use keyferry_store::Scope;

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
            (`outcome`).", body = SaveAnswer),
    ),
    security(("org_api_key" = [])),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    slug: InPath,
    query: InQuery<SaveQuery>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    rendered(&headers, async {
        let caller = api.caller(&headers, Scope::Migrate).await?;
        may_verify(&api, &caller)?;
        let query = parameters::query(query)?;
        let account = linked_account(&headers, query.linked_account_id.as_deref())?;
        let slug = parameters::path(slug)?;
        let fields = fields(&api, &headers, body).await?;
        let (auth_type, auth_object) = auth_object(&api, &slug, query.auth_type, fields)?;
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
    })
    .await
}

/// A credential's fields, as a body has them.
pub(crate) async fn fields(api: &Api, headers: &HeaderMap, body: Body) -> Result<Input, ApiError> {
    let fields: Input = body::json(headers, body, api.body_timeout).await?;
    match fields {
        Input::Object(_) => Ok(fields),
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
    let app = api.migrator.app(slug).map_err(failure)?;
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
    let told = |error| match error {
        ServiceError::Content(violations) => ApiError::flat_violations(&violations, auth_type),
        other => failure(other),
    };
    let migrated = carry_out(api, migration, told).await?;
    Ok(success(&migrated, &SaveAnswer::Saved(CredentialSaved::ANSWER)))
}
