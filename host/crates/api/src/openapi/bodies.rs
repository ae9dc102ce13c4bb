//! What derived schemas cannot say of bodies.

use serde_json::{Map, Value, json};

use crate::openapi::headers;
use crate::request::account_body::{MAX_FIELD, MAX_FIELDS};

/// One line without control characters.
const ONE_LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// Completes the schemas. Of linked accounts: one of two members has to be there, and be a string; and how much a field may hold.
pub(super) fn complete(document: &mut Value) {
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
    // Its members are read as a credential's are: one line each, and no others.
    if let Some(Value::Object(client)) = schemas.get_mut("OAuthClientBody") {
        client.insert("additionalProperties".to_owned(), json!(false));
        for (name, pattern) in [
            ("client_id", ONE_LINE),
            ("client_secret", ONE_LINE),
            ("callback_url", r#"^([A-Za-z][A-Za-z0-9+.\-]*:[!"$-~]+)?$"#),
        ] {
            if let Some(Value::Object(member)) = client.get_mut("properties").and_then(|all| all.get_mut(name)) {
                member.insert("pattern".to_owned(), json!(pattern));
            }
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
