//! What migrate-token takes, for each app that serves.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use keyferry_sandbox::App;
use keyferry_schema::AuthType;

/// The body of migrate-token. It is parsed by hand, so that no secret lies in an ordinary string; this type describes its form,
/// and the plugins say what that is.
pub(crate) struct MigrateTokenRequest;

impl PartialSchema for MigrateTokenRequest {
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::Object(Object::new()))
    }
}

impl ToSchema for MigrateTokenRequest {}

/// The fields of a credential without an auth type; parsed by hand for the same reason.
pub(crate) struct FlatCredential;

impl PartialSchema for FlatCredential {
    fn schema() -> RefOr<Schema> {
        let about = "The credential's fields, as the app's `auth_input_map` and `auth-structure` name them: texts, or numbers and \
                     booleans where the field is one.";
        RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(Type::Object).description(Some(about)).build()))
    }
}

impl ToSchema for FlatCredential {}

/// The schemas that depend on the apps, by their names among the components: the body as a choice by slug, a body for each app,
/// and a credential for each of its auth types.
pub(super) fn schemas(apps: &[Arc<App>]) -> Map<String, Value> {
    let mut schemas = Map::new();
    let mut choices = Vec::with_capacity(apps.len());
    let mut mapping = Map::new();
    for app in apps {
        let (slug, name) = (app.description.slug.as_str(), &app.description.name);
        let types = app.description.schema.types();
        for auth_type in types {
            schemas.insert(credential_name(slug, auth_type), credential(auth_type));
        }
        let body = json!({
            "title": name,
            "description": app.description.about,
            "externalDocs": { "url": app.description.docs },
            "type": "object",
            "required": ["slug", "auth_object"],
            "properties": {
                "slug": { "const": slug, "description": "The app." },
                "auth_object": auth_object(slug, types),
            },
        });
        let reference = format!("#/components/schemas/{}", body_name(slug));
        choices.push(json!({ "$ref": reference }));
        mapping.insert(slug.to_owned(), json!(reference));
        schemas.insert(body_name(slug), without_nulls(body));
    }
    let about = "A credential to migrate. Which form it has depends on the app, named by `slug`; the apps here are those that \
                 this server serves now. Members that are not known are ignored.";
    let body = if apps.is_empty() {
        json!({
            "description": about,
            "type": "object",
            "required": ["slug", "auth_object"],
            "properties": {
                "slug": { "type": "string", "minLength": 1, "description": "The app.", "examples": ["hubspot"] },
                "auth_object": {
                    "type": "object",
                    "description": "One key, the auth type, whose value is an object of that auth type's fields.",
                },
            },
        })
    } else {
        let discriminator = json!({ "propertyName": "slug", "mapping": mapping });
        json!({ "description": about, "oneOf": choices, "discriminator": discriminator })
    };
    schemas.insert("MigrateTokenRequest".to_owned(), body);
    schemas
}

fn body_name(slug: &str) -> String {
    format!("MigrateToken.{slug}")
}

fn credential_name(slug: &str, auth_type: &AuthType) -> String {
    format!("Credential.{slug}.{}", auth_type.name)
}

/// The fields of one auth type, as a part of a larger schema.
fn credential(auth_type: &AuthType) -> Value {
    let mut schema = auth_type.json_schema();
    if let Some(members) = schema.as_object_mut() {
        // Only a separate schema names its dialect.
        members.remove("$schema");
        // Those who generate a client take a title for the name of a type, and many apps have an auth type of the same title.
        members.remove("title");
        let fields = members.get_mut("properties").and_then(Value::as_object_mut);
        for field in fields.into_iter().flat_map(|fields| fields.values_mut()) {
            name_choice(field);
        }
    }
    schema
}

/// A choice that can be left out is one of two kinds, and its kind has no name of its own to be called by.
fn name_choice(field: &mut Value) {
    let title = field.get("title").cloned();
    let kinds = field.get_mut("anyOf").and_then(Value::as_array_mut);
    for kind in kinds.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let (true, Some(title)) = (kind.contains_key("enum"), &title) {
            kind.insert("title".to_owned(), title.clone());
        }
    }
}

/// One key that names the auth type; or the older form, the fields alone, if they fit exactly one auth type.
fn auth_object(slug: &str, types: &[AuthType]) -> Value {
    let reference = |auth_type: &AuthType| format!("#/components/schemas/{}", credential_name(slug, auth_type));
    let wrapped = types.iter().map(|auth_type| {
        let name = auth_type.name.as_str();
        json!({
            "title": auth_type.label,
            "type": "object",
            "required": [name],
            "properties": { name: { "$ref": reference(auth_type) } },
            "additionalProperties": false,
        })
    });
    let flat = types.iter().map(|auth_type| {
        json!({
            "title": format!("{}, without its name", auth_type.label),
            "description": "The older form. It is read where the fields fit exactly one auth type.",
            "deprecated": true,
            "$ref": reference(auth_type),
            "minProperties": 1,
        })
    });
    json!({
        "description": "The credential: one key, the auth type, whose value is an object of that auth type's fields.",
        "oneOf": wrapped.chain(flat).collect::<Vec<_>>(),
    })
}

fn without_nulls(mut schema: Value) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    schema
}
