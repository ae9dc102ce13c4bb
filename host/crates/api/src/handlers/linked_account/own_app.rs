//! `/api/v2/public/linked-account/default-app/auth-credentials/{key}`: one credential of the organisation's own app.

use std::sync::Arc;

use axum::extract::State;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::auth::access::{Identity, KEY_PROBLEMS, TOKEN_PROBLEMS};
use crate::auth::caller::{Admin, Authorized, Migrate};
use crate::error::api_error::ApiError;
use crate::error::mapping::failure;
use crate::error::problem::{self, ProblemType};
use crate::handlers::linked_account::account::{account_key, account_missing};
use crate::middleware::trace::RequestId;
use crate::request::account_name::ACCOUNT_PROBLEMS;
use crate::request::body::{BODY_PROBLEMS, RequestBody};
use crate::request::parameters::{InPath, InQuery};
use crate::responses::json::Json;
use crate::responses::{AuthCredentialDeleted, AuthCredentialPut, PutAction};
use crate::state::Api;
use keyferry_schema::Input;
use keyferry_service::{Caller, CustomCredential, DeleteOutcome, PutOutcome, ServiceError};
use keyferry_types::ids::{FieldName, InvalidName, LinkedAccountId};
use keyferry_types::secret::{Secret, SharedSecret};

/// The linked account of the request.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OnAccount {
    /// The linked account. The header of this name does the same; an API key needs one of the two, and both have to agree.
    #[param(max_length = 256, example = "user_1")]
    linked_account_id: Option<String>,
}

/// The body with a credential's value.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AuthCredentialBody {
    /// The value. A number or a boolean is kept as its text.
    #[schema(schema_with = value_schema, required = true)]
    value: Option<Input>,
}

fn value_schema() -> utoipa::openapi::schema::Object {
    use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
    let types = SchemaType::from_iter([Type::String, Type::Number, Type::Boolean]);
    ObjectBuilder::new().schema_type(types).write_only(true).build()
}

/// What writing a credential of the organisation's own app fails with.
const OWN_APP_PROBLEMS: [&ProblemType; 9] = [
    &problem::SCOPE_MISSING,
    &problem::KEYS_LOCKED,
    &problem::INVALID_PATH,
    &problem::INVALID_QUERY,
    &problem::INVALID_NAME,
    &problem::ACCOUNT_HEADER_MISSING,
    &problem::ACCOUNT_UNKNOWN,
    &problem::CONTENDED,
    &problem::NO_SPACE,
];

/// `PUT`
#[utoipa::path(
    put, path = "/api/v2/public/linked-account/default-app/auth-credentials/{key}", operation_id = "putAuthCredential",
    tag = "Linked accounts",
    summary = "Set a credential of your own app",
    description = "Encrypts a credential that your own app needs to act for this customer, and stores it on the linked account, in \
        place of the former one of this name. No provider is asked about it. It is read back like those of other apps, under the \
        slug `custom`. Takes an API key with the scope `migrate`, or a session token.",
    params(
        ("key" = String, Path, description = "Its name.", pattern = "^[A-Za-z0-9_]{1,64}$", example = "api_key"), OnAccount,
    ),
    request_body = AuthCredentialBody,
    responses((status = 200, description = "The credential is stored.", body = AuthCredentialPut)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, TOKEN_PROBLEMS, BODY_PROBLEMS, ACCOUNT_PROBLEMS, OWN_APP_PROBLEMS, problem::AUTH_VALUE_INVALID,
        problem::CREDENTIAL_TOO_LARGE,
    ]))),
    security(("org_api_key" = []), ("linked_account_token" = [])),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: identity, .. }: Authorized<Identity, Migrate>,
    id: RequestId,
    key: Result<InPath<String>, ApiError>,
    InQuery(query): InQuery<OnAccount>,
    headers: HeaderMap,
    body: RequestBody,
) -> Result<Json<AuthCredentialPut>, ApiError> {
    let account = identity.account(&headers, query.linked_account_id.as_deref())?;
    let asked = asked(caller, account, key?, id)?;
    let AuthCredentialBody { value } = body.object().await?;
    let value = match value {
        Some(Input::Text(text) | Input::Number(text)) => text,
        Some(Input::Bool(flag)) => SharedSecret::new(Secret::new(flag.to_string())),
        _ => {
            let message = "value is required: a string, a number or a boolean";
            return Err(ApiError::new(&problem::AUTH_VALUE_INVALID, message));
        }
    };
    let put = api.service.put_own_credential(&asked, &value).await.map_err(|error| own_app_failure(&asked, error))?;
    let action = match put {
        PutOutcome::Added => PutAction::Added,
        PutOutcome::Updated => PutAction::Updated,
    };
    Ok(Json(AuthCredentialPut::new(asked.name.as_str(), action)))
}

/// `DELETE`
#[utoipa::path(
    delete, path = "/api/v2/public/linked-account/default-app/auth-credentials/{key}",
    operation_id = "deleteAuthCredential", tag = "Linked accounts",
    summary = "Delete a credential of your own app",
    description = "Deletes it, for good. Takes an API key with the scope `admin`, or a session token.",
    params(
        ("key" = String, Path, description = "Its name.", pattern = "^[A-Za-z0-9_]{1,64}$", example = "api_key"), OnAccount,
    ),
    responses((status = 200, description = "The credential was deleted.", body = AuthCredentialDeleted)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, TOKEN_PROBLEMS, ACCOUNT_PROBLEMS, OWN_APP_PROBLEMS, problem::AUTH_CREDENTIAL_UNKNOWN,
        problem::CREDENTIAL_TOO_LARGE,
    ]))),
    security(("org_api_key" = []), ("linked_account_token" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Authorized { caller, credential: identity, .. }: Authorized<Identity, Admin>,
    id: RequestId,
    key: Result<InPath<String>, ApiError>,
    InQuery(query): InQuery<OnAccount>,
    headers: HeaderMap,
) -> Result<Json<AuthCredentialDeleted>, ApiError> {
    let account = identity.account(&headers, query.linked_account_id.as_deref())?;
    let asked = asked(caller, account, key?, id)?;
    let (name, account) = (asked.name.as_str(), &asked.account.account);
    let unknown = |message: String| Err(ApiError::new(&problem::AUTH_CREDENTIAL_UNKNOWN, message));
    match api.service.delete_own_credential(&asked).await.map_err(|error| own_app_failure(&asked, error))? {
        DeleteOutcome::Deleted => Ok(Json(AuthCredentialDeleted::new(name))),
        DeleteOutcome::NoSuchName => unknown(format!("Auth credential key '{name}' not found")),
        DeleteOutcome::NoneAtAll => unknown(format!("Default app integration not found for linked account {account}")),
    }
}

fn asked(
    caller: Caller,
    account: LinkedAccountId,
    InPath(key): InPath<String>,
    id: RequestId,
) -> Result<CustomCredential, ApiError> {
    let account = account_key(&caller, account);
    let name: FieldName =
        key.parse().map_err(|error: InvalidName| ApiError::new(&problem::INVALID_NAME, error.rule()))?;
    Ok(CustomCredential { caller, account, name, request_id: id.0 })
}

fn own_app_failure(asked: &CustomCredential, error: ServiceError) -> ApiError {
    match error {
        ServiceError::AccountMissing { .. } => account_missing(&asked.caller, asked.account.account.as_str()),
        other => failure(other),
    }
}
