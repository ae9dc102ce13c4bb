//! `/api/v2/public/application` and `/api/v2/public/auth-structure`: which apps there are, and what each one's credentials
//! consist of. All of it is what the plugins that serve now say of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::access::{Credential as _, KEY_PROBLEMS};
use crate::auth::caller::Key;
use crate::auth::known_keys::KnownKey;
use crate::error::api_error::ApiError;
use crate::error::mapping::store_failure;
use crate::error::problem;
use crate::handlers::linked_account::account::{account_key, account_missing};
use crate::request::account_name::{ACCOUNT_PROBLEMS, is_in_headers, linked_account};
use crate::request::parameters::{InPath, InQuery};
use crate::responses::json::Json;
use crate::responses::{Application, AuthStructure, FieldShape};
use crate::state::Api;
use keyferry_sandbox::App;
use keyferry_schema::AuthType;
use keyferry_service::ServiceError;
use keyferry_store::{IntegrationRecord, Scope};

/// The linked account for which to show an app.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForAccount {
    /// A linked account, to learn whether it is connected. The header of this name does the same; both have to agree.
    #[param(max_length = 256)]
    linked_account_id: Option<String>,
}

/// A filter of the list of apps, and the linked account for which to list them.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApplicationQuery {
    /// A linked account, to learn whether it is connected. The header of this name does the same; both have to agree.
    #[param(max_length = 256)]
    linked_account_id: Option<String>,
    /// Only the apps with one of these slugs, separated by commas.
    #[param(example = "hubspot,slack")]
    slug: Option<String>,
    /// Only the apps with one of these tags, separated by commas.
    #[param(example = "crm")]
    tags: Option<String>,
    /// `true` or `false`: only the apps that are on offer to end users, which all are, or only the others.
    ecosystem: Option<String>,
    /// Only the apps with one of these auth types, separated by commas.
    #[param(example = "oauth2")]
    auth_type: Option<String>,
}

impl ApplicationQuery {
    fn covers(&self, app: &App) -> bool {
        let app = &app.description;
        let any = |wanted: &Option<String>, has: &dyn Fn(&str) -> bool| {
            wanted.as_deref().is_none_or(|list| list.split(',').map(str::trim).any(has))
        };
        any(&self.slug, &|slug| app.slug.as_str() == slug)
            && any(&self.tags, &|tag| app.tags.iter().any(|known| known == tag))
            && any(&self.auth_type, &|name| app.schema.auth_type(name).is_some())
            && any(&self.ecosystem, &|flag| flag == "true")
    }
}

/// `GET application`: those that the query does not leave out, by slug.
#[utoipa::path(
    get, path = "/api/v2/public/application", operation_id = "listApplications", tag = "Applications",
    summary = "List the apps",
    description = "Every app that credentials can be migrated to now, by slug. An app appears as soon as its plugin serves. \
        With a linked account (which takes an API key with the scope `read`), each entry states whether it is connected.",
    params(ApplicationQuery), responses((status = 200, description = "The apps.", body = Vec<Application>)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_QUERY, ACCOUNT_PROBLEMS, problem::ACCOUNT_UNKNOWN,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Key(key): Key,
    InQuery(query): InQuery<ApplicationQuery>,
    headers: HeaderMap,
) -> Result<Json<Vec<Application>>, ApiError> {
    let asked = Asked::read(&api, &key, query.linked_account_id.as_deref(), &headers).await?;
    let apps = api.service.apps();
    Ok(Json(apps.iter().filter(|app| query.covers(app)).map(|app| asked.application(app)).collect()))
}

/// `GET application/{slug}`.
#[utoipa::path(
    get, path = "/api/v2/public/application/{slug}", operation_id = "getApplication", tag = "Applications",
    summary = "Show an app",
    description = "One app: what to ask a person for, and, with a linked account (which takes an API key with the scope \
        `read`), whether it is connected.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot"), ForAccount),
    responses((status = 200, description = "The app.", body = Application)),
    extensions(("x-problems" = json!([
        KEY_PROBLEMS, problem::SCOPE_MISSING, problem::INVALID_PATH, problem::INVALID_QUERY, ACCOUNT_PROBLEMS,
        problem::ACCOUNT_UNKNOWN, problem::APPLICATION_UNKNOWN,
    ]))),
    security(("org_api_key" = [])),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Key(key): Key,
    slug: Result<InPath<String>, ApiError>,
    InQuery(query): InQuery<ForAccount>,
    headers: HeaderMap,
) -> Result<Json<Application>, ApiError> {
    let asked = Asked::read(&api, &key, query.linked_account_id.as_deref(), &headers).await?;
    let InPath(slug) = slug?;
    let app = api.service.app(&slug).map_err(|error| unknown_app(&slug, &asked.org, &error))?;
    Ok(Json(asked.application(&app)))
}

/// An app that is not there, or does not serve.
pub(crate) fn unknown_app(slug: &str, org: &str, error: &ServiceError) -> ApiError {
    let message = format!("Application with app_type '{}' not found for org {org}", shown(slug));
    ApiError::new(&problem::APPLICATION_UNKNOWN, message).detail(error.to_string())
}

/// `GET auth-structure/{slug}`: each auth type with its fields. It needs no key, as documented.
#[utoipa::path(
    get, path = "/api/v2/public/auth-structure/{slug}", operation_id = "getAuthStructure", tag = "Applications",
    summary = "Describe the fields of an app's credentials",
    description = "Which fields `auth_object` of migrate-token takes, for each auth type of the app. Takes no API key.",
    params(("slug" = String, Path, description = "The app.", min_length = 1, example = "hubspot")),
    responses((status = 200, description = "The auth types by name, each with its fields by name.", body = AuthStructure)),
    extensions(("x-problems" = json!([problem::INVALID_PATH, problem::NO_SCHEMA]))),
    security(()),
)]
pub(crate) async fn auth_structure(
    State(api): State<Arc<Api>>,
    InPath(slug): InPath<String>,
) -> Result<Json<AuthStructure>, ApiError> {
    match api.service.app(&slug) {
        Ok(app) => Ok(Json(structure(&app))),
        Err(ServiceError::CustomApp) => Ok(Json(AuthStructure(BTreeMap::new()))),
        Err(error) => {
            let message = format!("Schema not found for integration type: {}", shown(&slug));
            Err(ApiError::new(&problem::NO_SCHEMA, message).detail(error.to_string()))
        }
    }
}

fn structure(app: &App) -> AuthStructure {
    let auth_type = |one: &AuthType| {
        let fields = one.fields.iter().map(|field| (field.name.to_string(), FieldShape::new(field)));
        (one.name.to_string(), fields.collect())
    };
    AuthStructure(app.description.schema.types().iter().map(auth_type).collect())
}

/// A slug of the caller's in a message.
fn shown(slug: &str) -> String {
    slug.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The linked account for which apps are shown.
struct Asked {
    org: String,
    /// Of the linked account that the request names, if it names one.
    integrations: Option<Vec<IntegrationRecord>>,
}

impl Asked {
    async fn read(api: &Api, key: &KnownKey, in_query: Option<&str>, headers: &HeaderMap) -> Result<Self, ApiError> {
        let org = key.org.to_string();
        let in_query = in_query.filter(|text| !text.is_empty());
        if in_query.is_none() && !is_in_headers(headers) {
            return Ok(Self { org, integrations: None });
        }
        let account = linked_account(headers, in_query)?;
        let caller = key.caller(Scope::Read)?;
        let key = account_key(&caller, account);
        let view = api.store.account(&key).await.map_err(store_failure)?;
        let view = view.ok_or_else(|| account_missing(&caller, key.account.as_str()))?;
        Ok(Self { org, integrations: Some(view.integrations) })
    }

    fn application(&self, app: &App) -> Application {
        Application::new(app, self.integrations.as_deref())
    }
}
