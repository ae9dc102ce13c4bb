//! `/api/v2/public/linked-account/default-app/auth-credentials/{key}`: one credential of the organisation's own app.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::auth::access::Identity;
use crate::error::api_error::{ApiError, json as json_answer, rendered};
use crate::error::mapping::failure;
use crate::error::problem_type as kind;
use crate::handlers::linked_account::account_key;
use crate::handlers::linked_account::account_missing;
use crate::middleware::trace::RequestId;
use crate::request::body;
use crate::request::parameters::{self, InPath, InQuery};
use crate::responses::{AuthCredentialDeleted, AuthCredentialPut, PutAction};
use crate::state::Api;
use keyferry_schema::Input;
use keyferry_service::{CustomCredential, DeleteOutcome, PutOutcome, ServiceError};
use keyferry_store::Scope;
use keyferry_types::ids::{FieldName, InvalidName};
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
    security(("org_api_key" = []), ("linked_account_token" = [])),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    key: InPath,
    query: InQuery<OnAccount>,
    RawQuery(raw_query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    rendered(&headers, async {
        let identity = api.identity(&headers, raw_query.as_deref()).await?;
        let asked = asked(&identity, Scope::Migrate, key, query, &headers, id)?;
        let AuthCredentialBody { value } = body::object(&headers, body, api.body_timeout).await?;
        let value = match value {
            Some(Input::Text(text) | Input::Number(text)) => text,
            Some(Input::Bool(flag)) => SharedSecret::new(Secret::new(flag.to_string())),
            _ => {
                let message = "value is required: a string, a number or a boolean";
                return Err(ApiError::new(&kind::AUTH_VALUE_INVALID, message));
            }
        };
        let put = api.migrator.put_own_credential(&asked, &value).await.map_err(|error| told(&asked, error))?;
        let action = match put {
            PutOutcome::Added => PutAction::Added,
            PutOutcome::Updated => PutAction::Updated,
        };
        Ok(json_answer(StatusCode::OK, &AuthCredentialPut::of(asked.name.as_str(), action)))
    })
    .await
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
    security(("org_api_key" = []), ("linked_account_token" = [])),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(id): Extension<RequestId>,
    key: InPath,
    query: InQuery<OnAccount>,
    RawQuery(raw_query): RawQuery,
    headers: HeaderMap,
) -> Response {
    rendered(&headers, async {
        let identity = api.identity(&headers, raw_query.as_deref()).await?;
        let asked = asked(&identity, Scope::Admin, key, query, &headers, id)?;
        let (name, account) = (asked.name.as_str(), &asked.account.account);
        let unknown = |message: String| Err(ApiError::new(&kind::AUTH_CREDENTIAL_UNKNOWN, message));
        match api.migrator.delete_own_credential(&asked).await.map_err(|error| told(&asked, error))? {
            DeleteOutcome::Deleted => Ok(json_answer(StatusCode::OK, &AuthCredentialDeleted::of(name))),
            DeleteOutcome::NoSuchName => unknown(format!("Auth credential key '{name}' not found")),
            DeleteOutcome::NoneAtAll => {
                unknown(format!("Default app integration not found for linked account {account}"))
            }
        }
    })
    .await
}

fn asked(
    identity: &Identity,
    scope: Scope,
    key: InPath,
    query: InQuery<OnAccount>,
    headers: &HeaderMap,
    id: RequestId,
) -> Result<CustomCredential, ApiError> {
    let caller = identity.caller(scope)?;
    let query = parameters::query(query)?;
    let account = account_key(&caller, identity.account(headers, query.linked_account_id.as_deref())?);
    let invalid = |error: InvalidName| ApiError::new(&kind::INVALID_NAME, error.rule());
    let name: FieldName = parameters::path(key)?.parse().map_err(invalid)?;
    Ok(CustomCredential { caller, account, name, request_id: id.0 })
}

fn told(asked: &CustomCredential, error: ServiceError) -> ApiError {
    match error {
        ServiceError::AccountMissing { .. } => account_missing(&asked.caller, asked.account.account.as_str()),
        other => failure(other),
    }
}
