//! Which values the texts of the document can have: the choices, and an example of each text.
//!
//! Without an example, pages that show the document make one up from the pattern. Generated clients have a type for choices.

use serde_json::{Map, Value, json};

use crate::openapi::operations::{id, operations};
use keyferry_imports::input::Preset;
use keyferry_store::{AccountChange, ImportMode, MissingAccounts, OnExisting, OnUnverified, RowState};

/// Members of a schema that say which value it can have.
const SAYS_A_VALUE: [&str; 6] = ["example", "examples", "enum", "const", "default", "$ref"];

/// The changes of an import, as its path has them.
pub(super) const CHANGES: [&str; 6] = ["pause", "resume", "cancel", "retry-failed", "undo", "confirm"];

/// Adds choices and examples to a document.
pub(super) fn complete(document: &mut Value) {
    for operation in operations(document) {
        let owner = id(operation).to_owned();
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        parameters.into_iter().flatten().for_each(|parameter| in_parameter(&owner, parameter));
    }
    let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) else { return };
    let parameters = components.get_mut("parameters").and_then(Value::as_object_mut);
    parameters.into_iter().flat_map(|all| all.values_mut()).for_each(|parameter| in_parameter("", parameter));
    let schemas = components.get_mut("schemas").and_then(Value::as_object_mut);
    schemas.into_iter().flatten().for_each(|(owner, schema)| in_schema(owner, "", schema));
}

fn in_parameter(owner: &str, parameter: &mut Value) {
    let Some(parameter) = parameter.as_object_mut() else { return };
    let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_said = says_a_value(parameter);
    let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut) else { return };
    choose(owner, &name, schema);
    if !is_said
        && !says_a_value(schema)
        && is_text(schema)
        && let Some(example) = example(owner, &name, schema)
    {
        parameter.insert("example".to_owned(), example);
    }
}

/// A schema and those in it. `name` is the member that it describes, if it is one.
fn in_schema(owner: &str, name: &str, schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    choose(owner, name, schema);
    let is_map = schema.get("additionalProperties").is_some_and(Value::is_object);
    if !says_a_value(schema)
        && (is_text(schema) || is_map)
        && let Some(example) = example(owner, name, schema)
    {
        schema.insert("examples".to_owned(), json!([example]));
    }
    let members = schema.get_mut("properties").and_then(Value::as_object_mut);
    members.into_iter().flatten().for_each(|(name, member)| in_schema(owner, name, member));
    if let Some(item) = schema.get_mut("items") {
        in_schema(owner, name, item);
    }
    for kinds in ["anyOf", "oneOf", "allOf"] {
        let kinds = schema.get_mut(kinds).and_then(Value::as_array_mut);
        kinds.into_iter().flatten().for_each(|kind| in_schema(owner, name, kind));
    }
}

fn says_a_value(schema: &Map<String, Value>) -> bool {
    SAYS_A_VALUE.iter().any(|member| schema.contains_key(*member))
}

fn is_text(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        kind => kind.is_some_and(|kind| kind == "string"),
    }
}

/// Lists the values of a text that is one of a few.
fn choose(owner: &str, name: &str, schema: &mut Map<String, Value>) {
    if let Some(choices) = choices(owner, name) {
        schema.insert("enum".to_owned(), json!(choices));
    }
}

/// The values of a text that is one of a few, by its operation or component, and its name.
fn choices(owner: &str, name: &str) -> Option<Vec<&'static str>> {
    use RowState::{Done, Failed, Kept, Queued, Skipped, Undone};
    let states = [Queued, Done, Skipped, Failed, Undone, Kept].map(RowState::as_str);
    Some(match (owner, name) {
        ("createImport", "from") => Preset::ALL.map(Preset::as_str).to_vec(),
        ("createImport" | "ImportPolicy", "on_unverified") => OnUnverified::CHOICES.to_vec(),
        ("createImport" | "ImportPolicy", "on_existing") => OnExisting::CHOICES.to_vec(),
        ("createImport" | "ImportPolicy", "account_change") => AccountChange::CHOICES.to_vec(),
        ("ImportPolicy", "mode") => ImportMode::CHOICES.to_vec(),
        ("ImportPolicy", "accounts") => MissingAccounts::CHOICES.to_vec(),
        ("getImportResults", "state") => states.to_vec(),
        ("ImportRow", "state") => ["waiting"].into_iter().chain(states).collect(),
        ("ImportWaiting", "reason") => vec!["rate_limit", "provider", "server"],
        ("changeImport", "change") => CHANGES.to_vec(),
        ("ImportEvent", "event") => vec!["progress", "end"],
        _ => return None,
    })
}

/// An example of a text or of an object of texts: that of this operation or component, else that of any of the name.
fn example(owner: &str, name: &str, schema: &Map<String, Value>) -> Option<Value> {
    let text = |of: &str| EXAMPLES.iter().find(|(known, member, _)| (*known, *member) == (of, name));
    if let Some((.., text)) = text(owner).or_else(|| text("")) {
        return Some(json!(text));
    }
    if schema.get("format").is_some_and(|format| format == "date-time") {
        return Some(json!("2026-11-25T02:28:54.969Z"));
    }
    Some(match name {
        "auth_object" => json!({ "keybased": { "api_key": "sk_test_demoStripeKeyWorks" } }),
        "config" => json!({ "data_hosting_location": "eu1", "ui_domain": "app-eu1.hubspot.com" }),
        "outcomes" => json!({ "created": 180, "updated": 20, "rejected": 2 }),
        _ if owner == "WebhookHeadersChange" => json!({ "authorization": "***" }),
        _ => return None,
    })
}

/// Owner (empty for any), name, example.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("", "_id", "6b0647e51763b07c28e8193e"),
    ("", "id", "6b0647e51763b07c28e8193e"),
    ("", "revision", "6b0647e51763b07c28e8193e-1"),
    ("", "account_id", "user_1"),
    ("CredentialVerified", "account_id", "48600123"),
    ("", "linked_account_id", "user_1"),
    ("", "account", "user_1"),
    ("", "search", "user_1"),
    ("", "associated_org", "acme"),
    ("", "org_id", "acme"),
    ("", "org", "acme"),
    ("KeyName", "id", "0a1b2c3d4e5f"),
    ("KeyName", "shown", "tk_4f7c"),
    ("KeyName", "label", "back end"),
    ("", "name", "Ada"),
    ("Integration", "name", "HubSpot"),
    ("InputField", "name", "access_token"),
    ("Index", "name", "Keyferry"),
    ("", "account_name", "Ada"),
    ("", "linked_account_name", "Ada"),
    ("", "key_name", "plan"),
    ("", "key_value", "gold"),
    ("", "slug", "hubspot"),
    ("Application", "type", "hubspot"),
    ("Application", "description", "Customers and marketing"),
    ("", "tags", "crm"),
    ("", "ecosystem", "true"),
    ("", "icon", "https://cdn.example.com/hubspot.svg"),
    ("", "auth_type", "oauth2"),
    ("", "identifier", "48600123"),
    ("", "display_name", "HubSpot account 48600123"),
    ("", "scopes", "crm.objects.contacts.read"),
    ("", "missing_scopes", "oauth"),
    ("Integration", "warnings", "`access_token` was taken without the blanks around it"),
    ("CredentialVerified", "warnings", "`access_token` was taken without the blanks around it"),
    ("ImportRow", "warnings", "`access_token` was taken without the blanks around it"),
    ("Health", "warnings", "the certificate expires at 2027-01-01T00:00:00Z, in 13 days; renew it"),
    ("Health", "obstacles", "shutting down"),
    ("", "outcome_reason", "not asked to verify"),
    ("ImportRow", "outcome", "rejected"),
    ("", "detail", "HubSpot says: The OAuth token used to make this call expired"),
    ("FieldError", "detail", "access_token is missing"),
    ("ImportWaiting", "detail", "connect ECONNREFUSED api.hubapi.com:443"),
    ("", "fields", "access_token"),
    ("Problem", "type", "urn:keyferry:problem:credentials_rejected"),
    ("AccountDeleted", "message", "User deleted successfully"),
    ("", "message", "No linked account found for account id : user_99999 in environment test"),
    ("ContentError", "error", "auth_object.oauth2.access_token is missing"),
    ("", "value", "your-own-key"),
    (
        "",
        "token",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcmdfaWQiOiJhY21lIn0.mwWS_4GjexhtA9JTKSgCk_2QKWLVQ5LzRc3aXMN8o5E",
    ),
    (
        "",
        "refresh_token",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl91c2UiOiJyZWZyZXNoIn0.qywITAbbr1O0yMh8ntrEFcCCtIY-EvsTxyDe7AeszH4",
    ),
    ("InputField", "label", "Access token"),
    ("InputField", "placeholder", "pat-na1-00000000-1111-2222-3333-444444444444"),
    ("InputField", "help_text", "HubSpot > Development > Keys > Service keys"),
    ("InputField", "options", "eu"),
    ("", "file", "customers.csv"),
    ("", "digest", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("ImportAbout", "reason", "5% rows have failed, which is the limit; resume the import to continue"),
    ("", "ending_soon_advice", "export with `include_credentials=true`"),
    ("", "max_failures", "5%"),
    ("ImportEvent", "data", "{\"id\":\"6b0647e51763b07c28e8193e\",\"state\":\"running\"}"),
    ("DeliveryFailed", "reason", "hooks.example.com responded with 503 Service Unavailable, and 200 is needed"),
    ("", "webhook_url", "https://hooks.example.com/keyferry"),
    ("", "webhook_description", "Connections of our customers"),
    ("", "description", "Connections of our customers"),
    ("", "signing_secret", "whsec_QqUJo-fyaZ-PlMSbej8GG0x-_JExUp3cTQyndZerE_I"),
    ("Index", "docs", "/docs"),
    ("Index", "openapi", "/openapi.json"),
    ("Index", "readyz", "/readyz"),
    ("getCredentials", "If-None-Match", "\"6b0647e51763b07c28e8193e-1\""),
    ("", "If-None-Match", "\"9f86d081884c7d659a2feaa0c55ad015\""),
    ("", "If-Match", "\"6b0647e51763b07c28e8193e-1\""),
    ("", "Idempotency-Key", "migration-2026-11-25-user_1"),
    ("", "Prefer", "on-unverified=store"),
    ("", "X-Request-Id", "migration-42"),
    ("", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];
