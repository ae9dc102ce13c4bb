//! `/api/v2/public/application` and `/api/v2/public/auth-structure`: which apps there are, and what each one's credentials
//! consist of. All of it is what the plugins that serve now say of themselves.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::access::{self, linked_account};
use super::failure::{Failure, Rendering, json as json_answer};
use super::linked_account::account_missing;
use super::migrate_token::store_failure;
use super::routes::Api;
use crate::migrate::MigrateError;
use crate::plugins::{App, Digest};
use crate::schema::{AuthType, Field, FieldKind, Necessity, Secrecy, Supplier};
use crate::store::{AccountKey, IntegrationRecord, Reauth, Scope};

/// The auth type whose values come out of a connect flow, not out of a form.
const OAUTH2: &str = "oauth2";
/// What a token endpoint answers (RFC 6749, section 5.1), and the moment that `expires_in` stands for.
const TOKEN_ANSWER: [&str; 6] = ["access_token", "refresh_token", "token_type", "expires_in", "expires_at", "scope"];

/// Which apps to list, and for whom.
#[derive(Deserialize)]
pub(super) struct ApplicationQuery {
    linked_account_id: Option<String>,
    slug: Option<String>,
    tags: Option<String>,
    ecosystem: Option<String>,
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
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<ApplicationQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let asked = Asked::read(&api, query, &headers).await?;
        let apps = api.migrator.apps();
        let shown = apps.iter().filter(|app| asked.query.covers(app)).map(|app| asked.application(app));
        Ok(json_answer(StatusCode::OK, &Value::Array(shown.collect())))
    };
    answer.await.unwrap_or_else(|failure: Failure| failure.render(rendering))
}

/// `GET application/{slug}`.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(slug): Path<String>,
    query: Result<Query<ApplicationQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let rendering = Rendering::of(&headers);
    let answer = async {
        let asked = Asked::read(&api, query, &headers).await?;
        let app = api.migrator.app(&slug).map_err(|error| {
            let message = format!("Application with app_type '{}' not found for org {}", shown(&slug), asked.org);
            Failure::new(StatusCode::NOT_FOUND, "unknown_app", message)
                .documented_kind("EXTERNAL_API_ERROR")
                .documented_error("EXTERNAL_API_FAILURE")
                .detail(error.to_string())
        })?;
        Ok(json_answer(StatusCode::OK, &asked.application(&app)))
    };
    answer.await.unwrap_or_else(|failure: Failure| failure.render(rendering))
}

/// `GET auth-structure/{slug}`: each auth type with its fields. It needs no key, as documented.
pub(super) async fn auth_structure(
    State(api): State<Arc<Api>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Response {
    let app = match api.migrator.app(&slug) {
        Ok(app) => app,
        Err(MigrateError::CustomApp) => return json_answer(StatusCode::OK, &json!({})),
        Err(error) => {
            return Failure::no_schema(&shown(&slug)).detail(error.to_string()).render(Rendering::of(&headers));
        }
    };
    let field = |field: &Field| {
        let shape = match field.necessity {
            Necessity::Required => json!("string"),
            Necessity::Optional => json!({ "type": "string", "required": false }),
        };
        (field.name.to_string(), shape)
    };
    let auth_type = |one: &AuthType| (one.name.to_string(), Value::Object(one.fields.iter().map(field).collect()));
    json_answer(StatusCode::OK, &app.description.schema.types().iter().map(auth_type).collect::<Map<_, _>>())
}

/// A slug of the caller's in a message.
fn shown(slug: &str) -> String {
    slug.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// What a request asks for: which apps, and with whose integrations.
struct Asked {
    query: ApplicationQuery,
    org: String,
    /// Of the linked account that the request names, if it names one.
    integrations: Option<Vec<IntegrationRecord>>,
}

impl Asked {
    async fn read(
        api: &Api,
        query: Result<Query<ApplicationQuery>, QueryRejection>,
        headers: &HeaderMap,
    ) -> Result<Self, Failure> {
        let key = api.key(headers).await?;
        let Query(query) = query.map_err(|rejection| {
            Failure::new(StatusCode::BAD_REQUEST, "invalid_query", format!("the query is not valid: {rejection}"))
        })?;
        let org = key.org.to_string();
        let in_query = query.linked_account_id.as_deref().filter(|text| !text.is_empty());
        if in_query.is_none() && !headers.contains_key(access::LINKED_ACCOUNT_ID) {
            return Ok(Self { query, org, integrations: None });
        }
        let account = linked_account(headers, in_query, None)?;
        let caller = access::caller(key, Scope::Read)?;
        let key = AccountKey { org: caller.org.clone(), environment: caller.environment, account };
        let view = api.store.account(&key).await.map_err(store_failure)?;
        let view = view.ok_or_else(|| account_missing(&caller, key.account.as_str()))?;
        Ok(Self { query, org, integrations: Some(view.integrations) })
    }

    /// One app, as documented.
    fn application(&self, app: &App) -> Value {
        let app = &app.description;
        let slug = app.slug.as_str();
        let integration =
            self.integrations.as_ref().map(|all| all.iter().find(|integration| integration.slug == app.slug));
        let types = app.schema.types();
        let inputs = |one: &AuthType| (one.name.to_string(), Value::Array(inputs(one)));
        let form = types.iter().find(|one| one.name.as_str() != OAUTH2);
        let mut shown = json!({
            "_id": application_id(slug),
            "name": app.name,
            "icon": app.icon,
            "description": app.about,
            "auth_type": types.first().map(|one| one.name.as_str()),
            "type": slug,
            "kind": "native",
            "app_id": null,
            "tags": app.tags,
            // Whether it is on offer to end users: whatever serves, is.
            "ecosystem": true,
            "slug": slug,
            "auth_type_options": types.iter().map(inputs).collect::<Map<_, _>>(),
            "auth_input_map": form.map(self::inputs).unwrap_or_default(),
            "connected_accounts": integration.flatten().map(connected).into_iter().collect::<Vec<_>>(),
            "reauth_required": integration.flatten().is_some_and(|one| one.reauth == Reauth::Required),
        });
        // Without a linked account there is nobody to be connected.
        if let (Some(integration), Some(object)) = (integration, shown.as_object_mut()) {
            object.insert("connected".to_owned(), json!(integration.is_some()));
        }
        shown
    }
}

/// 24 hex digits, as the product's ids: the same for an app at any time and on any server.
fn application_id(slug: &str) -> String {
    Digest::of(format!("keyferry application {slug}").as_bytes()).to_string().chars().take(24).collect()
}

/// The account that an integration is connected to.
fn connected(integration: &IntegrationRecord) -> Value {
    json!({
        "identifier": integration.provider_account_id.as_deref().unwrap_or("NA"),
        "connectedAt": integration.created_at.to_string(),
        "status": if integration.reauth == Reauth::Required { "expired" } else { "active" },
        "auth_type": integration.auth_type.as_str(),
        "defaultCredentials": false,
    })
}

/// What a form asks a person for. For OAuth that is what is needed beforehand (a shop, an instance), not the tokens.
fn inputs(auth_type: &AuthType) -> Vec<Value> {
    let is_oauth = auth_type.name.as_str() == OAUTH2;
    let is_asked_for = |field: &&Field| {
        let comes_later = is_oauth && (TOKEN_ANSWER.contains(&field.name.as_str()) || field.secrecy == Secrecy::Secret);
        field.spec.supplier == Supplier::Caller && !comes_later
    };
    auth_type.fields.iter().filter(is_asked_for).map(input).collect()
}

/// One field of a form, in the product's words.
fn input(field: &Field) -> Value {
    let spec = &field.spec;
    let kind = match (field.secrecy, spec.kind) {
        (Secrecy::Secret, _) => "password",
        (_, FieldKind::Number) => "number",
        (_, FieldKind::Boolean) => "boolean",
        (_, FieldKind::Select) => "select",
        (_, FieldKind::Text | FieldKind::Url | FieldKind::Multiline) => "text",
    };
    let mut shown = json!({
        "name": field.name.as_str(),
        "label": spec.label,
        "placeholder": spec.placeholder.as_ref().or(spec.example.as_ref()).map_or("", String::as_str),
        "required": field.necessity == Necessity::Required,
        "type": kind,
    });
    if let Some(object) = shown.as_object_mut() {
        if spec.kind == FieldKind::Select {
            let values: Vec<_> = spec.options.iter().map(|option| option.value.as_str()).collect();
            object.insert("options".to_owned(), json!(values));
        }
        if let Some(help) = &spec.help {
            object.insert("help_text".to_owned(), json!(help));
        }
    }
    shown
}
