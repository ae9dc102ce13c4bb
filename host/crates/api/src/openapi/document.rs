//! The document as a whole.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi as Document;
use utoipa::{Modify, OpenApi, ToSchema};

use crate::error::api_error::{BareBody, EnvelopeBody, FieldError, ProblemBody, ShortBody};
use crate::handlers::linked_account::{MAX_FIELD, MAX_FIELDS};
use crate::openapi::apps;
use crate::openapi::examples;
use crate::openapi::failures;
use crate::openapi::headers;
use crate::routes::routes;
use crate::state::Api;
use keyferry_sandbox::{App, Digest};

/// What the API's description consists of: an OpenAPI document.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "a document is not put together from a type")]
pub(crate) struct OpenApiDocument(Value);

/// The document without its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keyferry",
        description = include_str!("info.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "The server that serves this document.")),
    tags(
        (name = "Credentials", description = "Put a credential that you already hold onto a linked account."),
        (name = "Imports", description = "Put many credentials onto linked accounts from one file, with a result for each row."),
        (name = "Linked accounts", description = "Your customers, as far as credentials are concerned: each is one linked \
            account, under your own id of it."),
        (name = "Webhooks", description = "Receive connection events."),
        (name = "Sessions", description = "Let a front end act for one linked account."),
        (name = "Front ends", description = "What the documented product's SDK for browsers asks for, with a session token."),
        (name = "Applications", description = "Which apps credentials can be migrated to, and what those consist of."),
        (name = "Health", description = "Probes for the operator."),
        (name = "Description", description = "This document."),
    ),
    // Below the path that takes an account's id with slashes in it, so the router has no path for it.
    paths(crate::handlers::credentials::show),
    components(schemas(EnvelopeBody, ShortBody, BareBody, ProblemBody, FieldError)),
    modifiers(&Schemes),
)]
struct Preface;

/// The two ways to say who is calling.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Document) {
        use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
        let description = "An API key of your organisation. It selects the environment: `tk_...` is `test`, `pk_...` is \
                           `production`. The operator makes it with `keyferry api-key create`.";
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("x-api-key", description)));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("org_api_key", scheme);
        let description = "A session token of one linked account, for front ends: `POST /api/v2/public/session-token`. It is \
                           accepted only by operations that list it here.";
        let token =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(description));
        components.add_security_scheme("linked_account_token", SecurityScheme::Http(token.build()));
    }
}

/// The document before the paths are in it.
pub(crate) fn preface() -> Document {
    Preface::openapi()
}

/// The document, kept until other apps serve.
#[derive(Default)]
pub(crate) struct Description(ArcSwapOption<Kept>);

struct Kept {
    /// Which components it is made of, by slug. A folder that changed, a grant that ended: either makes another list.
    apps: Vec<Digest>,
    json: Bytes,
}

impl Description {
    /// The document for these apps, which are in the order of their slugs.
    fn of(&self, apps: &[Arc<App>]) -> Bytes {
        let digests: Vec<_> = apps.iter().map(|app| app.digest).collect();
        if let Some(kept) = self.0.load_full().filter(|kept| kept.apps == digests) {
            return kept.json.clone();
        }
        let json = Bytes::from(description_of(apps).to_string());
        self.0.store(Some(Arc::new(Kept { apps: digests, json: json.clone() })));
        json
    }
}

/// `GET /openapi.json`.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "Description",
    summary = "This document",
    description = "The API as this server serves it now, in OpenAPI 3.1: an app appears as soon as its plugin serves. \
        Takes no API key.",
    responses((status = 200, description = "An OpenAPI document.", body = OpenApiDocument)),
    security(()),
)]
pub(crate) async fn show(State(api): State<Arc<Api>>) -> Response {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    ([(header::CONTENT_TYPE, json)], api.description.of(&api.migrator.apps())).into_response()
}

/// The OpenAPI document of the public API, with these apps' credentials in it.
pub fn description_of(apps: &[Arc<App>]) -> Value {
    static FIXED: OnceLock<Value> = OnceLock::new();
    let mut document = FIXED.get_or_init(fixed).clone();
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.extend(apps::schemas(apps));
    }
    examples::insert(&mut document, |slug| apps.iter().any(|app| app.description.slug.as_str() == slug));
    document
}

/// What is the same whichever apps serve.
fn fixed() -> Value {
    // Every part of it is of a type that becomes JSON.
    let mut document = serde_json::to_value(routes().into_openapi()).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        // The router's word for "and all that follows", which OpenAPI does not have.
        let written = std::mem::take(paths).into_iter().map(|(path, item)| (path.replace("{*", "{"), item));
        paths.extend(written.collect::<Vec<_>>());
        name_verification(paths);
    }
    bodies(&mut document);
    for read in operations_of(&mut document, "get") {
        headers::on_reads(read);
    }
    for operation in operations(&mut document) {
        headers::add_to(operation);
        failures::add_to(operation);
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        headers::components(components);
    }
    document
}

/// To the router, what is below an account's id is the id. `POST` is taken at one kind of such paths only.
fn name_verification(paths: &mut Map<String, Value>) {
    let account = "/api/v2/public/linked-account/{account}";
    let post = paths.get_mut(account).and_then(Value::as_object_mut).and_then(|item| item.remove("post"));
    if let Some(post) = post {
        paths.insert(format!("{account}/integration/{{slug}}/verify"), json!({ "post": post }));
    }
}

/// What derived schemas cannot say of the bodies of linked accounts: one of two members has to be there, and be a string; and
/// how much a field may hold.
fn bodies(document: &mut Value) {
    let names = |name: &str| json!({ "required": [name], "properties": { name: { "type": "string" } } });
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let Some(Value::Object(account)) = schemas.get_mut("AccountBody") else { return };
    // Said in this way, which those who generate a client skip: a choice of two bare lists would be all that they see of it.
    account.insert("if".to_owned(), names("account_id"));
    account.insert("else".to_owned(), names("linked_account_id"));
    for id in ["account_id", "linked_account_id"] {
        if let Some(Value::Object(schema)) = account.get_mut("properties").and_then(|all| all.get_mut(id)) {
            schema.insert("pattern".to_owned(), json!(headers::ACCOUNT_ID));
        }
    }
    if let Some(Value::Object(fields)) = account.get_mut("properties").and_then(|all| all.get_mut("udf")) {
        fields.insert("maxProperties".to_owned(), json!(MAX_FIELDS));
        fields.insert("propertyNames".to_owned(), json!({ "maxLength": MAX_FIELD }));
        fields.insert("additionalProperties".to_owned(), json!({ "type": "string", "maxLength": MAX_FIELD }));
    }
    if let Some(Value::Object(own)) = schemas.get_mut("YourApp") {
        own.insert("required".to_owned(), json!(["auth_credentials"]));
        if let Some(Value::Object(fields)) = own.get_mut("properties").and_then(|all| all.get_mut("auth_credentials")) {
            fields.insert("type".to_owned(), json!("object"));
            fields.insert("minProperties".to_owned(), json!(1));
            fields.insert("maxProperties".to_owned(), json!(64));
            fields.insert("propertyNames".to_owned(), json!({ "pattern": "^[A-Za-z0-9_]{1,64}$" }));
            fields.insert("writeOnly".to_owned(), json!(true));
        }
    }
    let account = "#/components/schemas/AccountBody";
    let nested = json!({
        "title": "AccountInPayload", "type": "object", "required": ["payload"], "properties": { "payload": { "$ref": account } },
    });
    let flat = json!({ "$ref": account, "properties": { "payload": { "type": "null" } } });
    for (owner, member, name) in [
        ("AccountBody", "udf", "UserFields"),
        ("WebhookBody", "webhook_headers", "WebhookHeaders"),
        ("WebhookChangeBody", "webhook_headers", "WebhookHeadersChange"),
    ] {
        name_what_can_be_null(schemas, owner, member, name);
    }
    // Without it, those who generate a client take them for objects that have nothing in them.
    for open in ["FlatCredential", "OpenApiDocument"] {
        if let Some(Value::Object(schema)) = schemas.get_mut(open) {
            schema.insert("additionalProperties".to_owned(), json!(true));
        }
    }
    let description = schemas.get("UpsertBody").and_then(|schema| schema.get("description")).cloned();
    schemas.insert("UpsertBody".to_owned(), json!({ "description": description, "anyOf": [flat, nested] }));
}

/// Gives a member that is an object or null a component of its own: those who generate a client would make up a name for it.
fn name_what_can_be_null(schemas: &mut Map<String, Value>, owner: &str, member: &str, name: &str) {
    let Some(Value::Object(member)) =
        schemas.get_mut(owner).and_then(|owner| owner.get_mut("properties")?.get_mut(member))
    else {
        return;
    };
    let mut named = std::mem::take(member);
    named.insert("type".to_owned(), json!("object"));
    if let Some(description) = named.get("description") {
        member.insert("description".to_owned(), description.clone());
    }
    let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
    member.insert("anyOf".to_owned(), json!([reference, { "type": "null" }]));
    schemas.insert(name.to_owned(), Value::Object(named));
}

/// Every operation of a document.
pub(super) fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths =
        document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(|paths| paths.values_mut());
    paths
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.values_mut())
        .filter_map(Value::as_object_mut)
        .filter(|operation| operation.contains_key("operationId"))
}

/// The operations of one HTTP method.
fn operations_of<'a>(document: &'a mut Value, method: &'a str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let paths =
        document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(|paths| paths.values_mut());
    paths.filter_map(move |item| item.get_mut(method)).filter_map(Value::as_object_mut)
}

/// What an operation is called.
pub(super) fn id(operation: &Map<String, Value>) -> &str {
    operation.get("operationId").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_document_points_at_is_in_it() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = description_of(&[]);
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50, "{}", found.len());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn the_document_is_made_once_for_the_same_apps() {
        let description = Description::default();
        assert_eq!(description.of(&[]).as_ptr(), description.of(&[]).as_ptr());
    }

    #[test]
    fn every_operation_is_told_in_words_and_none_is_named_twice() {
        let mut document = description_of(&[]);
        let mut ids = Vec::new();
        for operation in operations(&mut document) {
            for member in ["summary", "description", "tags", "security"] {
                assert!(operation.contains_key(member), "{} has no {member}", id(operation));
            }
            ids.push(id(operation).to_owned());
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), count), (43, 43), "{ids:?}");
    }
}
