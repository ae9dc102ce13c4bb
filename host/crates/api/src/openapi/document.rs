//! The document as a whole.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi as Document;
use utoipa::{Modify, OpenApi, ToSchema};

use crate::error::api_error::FieldError;
use crate::error::rendering::{BareBody, EnvelopeBody, ProblemBody, ShortBody};
use crate::openapi::apps;
use crate::openapi::bodies;
use crate::openapi::examples;
use crate::openapi::failures;
use crate::openapi::headers;
use crate::openapi::operations::{operations, operations_of};
use crate::openapi::values;
use keyferry_sandbox::App;

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
        (name = "OAuth clients", description = "Your app registrations at providers, which renew your customers' tokens."),
        (name = "Webhooks", description = "Receive connection events."),
        (name = "Sessions", description = "Let a front end act for one linked account."),
        (name = "Front ends", description = "What the documented product's SDK for browsers asks for, with a session token."),
        (name = "Applications", description = "Which apps credentials can be migrated to, and what those consist of."),
        (name = "API keys", description = "What an API key stands for."),
        (name = "Health", description = "Probes for the operator."),
        (name = "Description", description = "This document."),
    ),
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

/// Adds what depends on the apps to a document: the forms of their credentials, and the examples of them.
pub(crate) fn add_apps(document: &mut Value, apps: &[Arc<App>]) {
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.extend(apps::schemas(apps));
    }
    examples::insert(document, |slug| apps.iter().any(|app| app.description.slug.as_str() == slug));
}

/// Completes a document that has the operations of the router. The result is the same whichever apps serve.
pub(crate) fn complete(document: Document) -> Value {
    // Every part of it is of a type that becomes JSON.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        // The router's word for "and all that follows", which OpenAPI does not have.
        let written = std::mem::take(paths).into_iter().map(|(path, item)| (path.replace("{*", "{"), item));
        paths.extend(written.collect::<Vec<_>>());
        name_verification(paths);
    }
    bodies::complete(&mut document);
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
    values::complete(&mut document);
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
