//! What can go wrong with each operation, in both renderings.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::error::api_error::{PROBLEM_JSON, error_type};
use crate::error::problem_type::{self as k, Documented, ProblemType};
use crate::openapi::document::id;
use crate::openapi::headers;

/// Errors of API-key authentication.
const KEY: [&ProblemType; 3] = [&k::INVALID_API_KEY, &k::TOO_MANY_REQUESTS, &k::INTERNAL];
/// What can be wrong with a body.
const BODY: [&ProblemType; 5] =
    [&k::INVALID_JSON, &k::BODY_INCOMPLETE, &k::BODY_TIMEOUT, &k::BODY_TOO_LARGE, &k::UNSUPPORTED_MEDIA_TYPE];
/// What can be wrong with naming a linked account by header or query.
const ACCOUNT: [&ProblemType; 3] = [&k::ACCOUNT_NOT_NAMED, &k::ACCOUNT_ID_INVALID, &k::ACCOUNT_CONFLICT];
/// The same for a session token.
const TOKEN: [&ProblemType; 7] = [
    &k::TOKEN_MISSING,
    &k::TOKEN_INVALID,
    &k::ACCOUNT_ID_INVALID,
    &k::ACCOUNT_CONFLICT,
    &k::TOO_MANY_REQUESTS,
    &k::KEYS_LOCKED,
    &k::INTERNAL,
];
/// What can be wrong with a linked account to make or update.
const ACCOUNT_BODY: [&ProblemType; 12] = [
    &k::SCOPE_MISSING,
    &k::ACCOUNT_CONFLICT,
    &k::BODY_NAMES_NO_ACCOUNT,
    &k::BODY_ACCOUNT_ID_INVALID,
    &k::ACCOUNT_TOO_LARGE,
    &k::YOUR_APP_EMPTY,
    &k::DUPLICATE_AUTH_KEY,
    &k::INVALID_NAME,
    &k::KEYS_LOCKED,
    &k::CREDENTIAL_TOO_LARGE,
    &k::CONTENDED,
    &k::NO_SPACE,
];
/// What can be wrong with a webhook to register or to change.
const WEBHOOK: [&ProblemType; 6] = [
    &k::SCOPE_MISSING,
    &k::INVALID_EVENT,
    &k::WEBHOOK_INVALID,
    &k::WEBHOOK_NOT_SUPPORTED,
    &k::KEYS_LOCKED,
    &k::NO_SPACE,
];
/// What can be wrong with a credential of the organisation's own app.
const OWN_APP: [&ProblemType; 9] = [
    &k::SCOPE_MISSING,
    &k::KEYS_LOCKED,
    &k::INVALID_PATH,
    &k::INVALID_QUERY,
    &k::INVALID_NAME,
    &k::ACCOUNT_HEADER_MISSING,
    &k::ACCOUNT_UNKNOWN,
    &k::CONTENDED,
    &k::NO_SPACE,
];
/// What can be wrong with a credential that is to be stored, however it is sent.
const CREDENTIAL: [&ProblemType; 25] = [
    &k::SCOPE_MISSING,
    &k::KEYS_LOCKED,
    &k::TOO_MANY_FAILED,
    &k::ACCOUNT_UNKNOWN_TO_MIGRATE,
    &k::CUSTOM_APP,
    &k::UNKNOWN_APP,
    &k::APP_NOT_IN_SERVICE,
    &k::INVALID_CONTENT,
    &k::OTHER_ACCOUNT,
    &k::CONTENDED,
    &k::CREDENTIAL_TOO_LARGE,
    &k::NO_SPACE,
    &k::BUSY,
    &k::PLUGIN_TIMEOUT,
    &k::PLUGIN_FAILED,
    &k::CREDENTIALS_REJECTED,
    &k::INSUFFICIENT_SCOPE,
    &k::WRONG_TENANT,
    &k::ACCOUNT_SUSPENDED,
    &k::PROVIDER_RATE_LIMITED,
    &k::PROVIDER_TIMEOUT,
    &k::PROVIDER_UNREACHABLE,
    &k::PROVIDER_ERROR,
    &k::UNEXPECTED_ANSWER,
    &k::NOT_VERIFIABLE,
];
/// What of that only the headers of a back end can bring about.
const PREFERRING: [&ProblemType; 5] = [
    &k::INVALID_HEADER,
    &k::PREFERENCE_NOT_ALLOWED,
    &k::PRECONDITION_FAILED,
    &k::IDEMPOTENCY_IN_FLIGHT,
    &k::IDEMPOTENCY_REUSED,
];
/// What can be wrong with how a migration names app and credential.
const MIGRATION: [&ProblemType; 3] = [&k::SLUG_MISSING, &k::SLUG_INVALID, &k::AUTH_OBJECT_MISSING];

/// The failures of an operation; none for one that cannot fail, `None` for one that is not known.
fn of(operation: &str) -> Option<Vec<&'static ProblemType>> {
    let parts: &[&[&'static ProblemType]] = match operation {
        "migrateTokenForLinkedAccount" => &[&KEY, &BODY, &ACCOUNT, &MIGRATION, &CREDENTIAL, &PREFERRING],
        "createLinkedAccount" => &[&KEY, &BODY, &ACCOUNT_BODY, &[&k::ACCOUNT_EXISTS]],
        "upsertLinkedAccount" => &[&KEY, &TOKEN, &BODY, &ACCOUNT_BODY, &[&k::ACCOUNT_UNKNOWN]],
        "saveKeyCredentials" => {
            &[&KEY, &BODY, &ACCOUNT, &CREDENTIAL, &PREFERRING, &[&k::INVALID_PATH, &k::INVALID_QUERY]]
        }
        "putAuthCredential" => {
            &[&KEY, &TOKEN, &BODY, &ACCOUNT, &OWN_APP, &[&k::AUTH_VALUE_INVALID, &k::CREDENTIAL_TOO_LARGE]]
        }
        "deleteAuthCredential" => {
            &[&KEY, &TOKEN, &ACCOUNT, &OWN_APP, &[&k::AUTH_CREDENTIAL_UNKNOWN, &k::CREDENTIAL_TOO_LARGE]]
        }
        "createSessionToken" => &[
            &KEY,
            &BODY,
            &[
                &k::SCOPE_MISSING,
                &k::INVALID_QUERY,
                &k::ACCOUNT_CONFLICT,
                &k::SESSION_NAMES_NO_ACCOUNT,
                &k::SESSION_ACCOUNT_UNKNOWN,
                &k::KEYS_LOCKED,
                &k::CONTENDED,
                &k::NO_SPACE,
            ],
        ],
        "refreshSessionToken" => &[&TOKEN, &[&k::SCOPE_MISSING, &k::CONTENDED, &k::NO_SPACE]],
        "revokeSessionToken" => &[&TOKEN, &[&k::NO_SPACE]],
        "getActiveLinkedAccount" | "getOrgBasics" | "listApplicationsOfSession" => {
            &[&TOKEN, &[&k::SCOPE_MISSING, &k::ACCOUNT_UNKNOWN]]
        }
        "getApplicationOfSession" => {
            &[&TOKEN, &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::ACCOUNT_UNKNOWN, &k::APPLICATION_UNKNOWN]]
        }
        "connectApplication" => &[&TOKEN, &BODY, &CREDENTIAL, &[&k::INVALID_PATH]],
        "disconnectApplication" => &[
            &TOKEN,
            &[
                &k::SCOPE_MISSING,
                &k::INVALID_PATH,
                &k::INVALID_QUERY,
                &k::INVALID_NAME,
                &k::ACCOUNT_UNKNOWN,
                &k::NO_SPACE,
            ],
        ],
        "integrateApplication" | "integrateApplicationByPost" => &[&TOKEN, &[&k::NO_CONNECT_FLOW]],
        "getOauthUrl" => &[&KEY, &[&k::NO_CONNECT_FLOW]],
        "createImport" => &[
            &KEY,
            &[
                &k::SCOPE_MISSING,
                &k::INVALID_QUERY,
                &k::BODY_INCOMPLETE,
                &k::BODY_TIMEOUT,
                &k::FILE_INVALID,
                &k::FILE_KNOWN,
                &k::TOO_MANY_UPLOADS,
                &k::SERVER_STOPPING,
                &k::PREFERENCE_NOT_ALLOWED,
                &k::KEYS_LOCKED,
                &k::CONTENDED,
                &k::NO_SPACE,
            ],
        ],
        "exportCredentials" => &[&KEY, &[&k::SCOPE_MISSING, &k::KEYS_LOCKED, &k::NO_SPACE]],
        "listImports" => &[&KEY, &[&k::SCOPE_MISSING]],
        "getImport" | "watchImport" => &[&KEY, &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::IMPORT_UNKNOWN]],
        "getImportResults" => {
            &[&KEY, &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::INVALID_QUERY, &k::INVALID_HEADER, &k::IMPORT_UNKNOWN]]
        }
        "changeImport" | "deleteImport" => &[
            &KEY,
            &[
                &k::SCOPE_MISSING,
                &k::INVALID_PATH,
                &k::NO_SUCH_ROUTE,
                &k::IMPORT_UNKNOWN,
                &k::IMPORT_STATE,
                &k::CONTENDED,
                &k::NO_SPACE,
            ],
        ],
        "listLinkedAccounts" => &[&KEY, &[&k::SCOPE_MISSING, &k::INVALID_QUERY]],
        "getLinkedAccount" => {
            &[&KEY, &TOKEN, &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::ACCOUNT_CONFLICT, &k::ACCOUNT_UNKNOWN]]
        }
        "getCredentials" => {
            const CREDENTIALS: [&ProblemType; 7] = [
                &k::SCOPE_MISSING,
                &k::ACCOUNT_CONFLICT,
                &k::KEYS_LOCKED,
                &k::INVALID_PATH,
                &k::ACCOUNT_UNKNOWN,
                &k::NO_SUCH_INTEGRATION,
                &k::NO_SPACE,
            ];
            &[&KEY, &CREDENTIALS]
        }
        "verifyCredentials" => {
            const VERIFICATION: [&ProblemType; 14] = [
                &k::SCOPE_MISSING,
                &k::ACCOUNT_CONFLICT,
                &k::KEYS_LOCKED,
                &k::TOO_MANY_FAILED,
                &k::INVALID_PATH,
                &k::ACCOUNT_UNKNOWN,
                &k::NO_SUCH_INTEGRATION,
                &k::APP_AWAY,
                &k::CREDENTIAL_OUTDATED,
                &k::CONTENDED,
                &k::NO_SPACE,
                &k::BUSY,
                &k::PLUGIN_TIMEOUT,
                &k::PLUGIN_FAILED,
            ];
            &[&KEY, &VERIFICATION]
        }
        "createWebhook" => &[&KEY, &BODY, &WEBHOOK, &[&k::TOO_MANY_WEBHOOKS, &k::CONTENDED]],
        "listWebhooks" => &[&KEY, &[&k::SCOPE_MISSING]],
        "getWebhook" => &[&KEY, &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::WEBHOOK_UNKNOWN]],
        "updateWebhook" => &[&KEY, &BODY, &WEBHOOK, &[&k::INVALID_PATH, &k::WEBHOOK_UNKNOWN, &k::CONTENDED]],
        "deleteWebhook" => &[&KEY, &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::WEBHOOK_UNKNOWN, &k::NO_SPACE]],
        "deleteLinkedAccount" => {
            &[&KEY, &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::ACCOUNT_CONFLICT, &k::ACCOUNT_UNKNOWN, &k::NO_SPACE]]
        }
        "deleteLinkedAccountIntegration" => &[
            &KEY,
            &ACCOUNT,
            &[
                &k::SCOPE_MISSING,
                &k::INVALID_PATH,
                &k::INVALID_QUERY,
                &k::INVALID_NAME,
                &k::ACCOUNT_UNKNOWN,
                &k::NO_SPACE,
            ],
        ],
        "listApplications" => &[&KEY, &[&k::SCOPE_MISSING, &k::INVALID_QUERY], &ACCOUNT, &[&k::ACCOUNT_UNKNOWN]],
        "getApplication" => &[
            &KEY,
            &[&k::SCOPE_MISSING, &k::INVALID_PATH, &k::INVALID_QUERY],
            &ACCOUNT,
            &[&k::ACCOUNT_UNKNOWN, &k::APPLICATION_UNKNOWN],
        ],
        "getAuthStructure" => &[&[&k::INVALID_PATH, &k::NO_SCHEMA]],
        "getLiveness" | "getReadiness" | "getOpenApi" => &[],
        _ => return None,
    };
    Some(parts.concat())
}

/// The documentation of one status.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    /// The values of the envelope's `type`.
    types: BTreeSet<String>,
    errors: BTreeSet<&'static str>,
    has_short: bool,
    has_bare: bool,
    /// The problems' codes.
    codes: BTreeSet<&'static str>,
    has_retry_after: bool,
    has_verdict: bool,
}

/// Adds all failures of an operation to its responses.
pub(super) fn add_to(operation: &mut Map<String, Value>) {
    let mut told: BTreeMap<u16, Told> = BTreeMap::new();
    for kind in of(id(operation)).unwrap_or_default() {
        let documented = match kind.documented {
            Documented::Bare => StatusCode::OK,
            Documented::Envelope { status, .. } | Documented::Short { status, .. } => status,
        };
        let (line, other) = (format!("- `{}`: {}", kind.code, kind.about), documented != kind.status);
        let note = |is_problem: bool| match (other, is_problem) {
            (false, _) => line.clone(),
            (true, false) => format!("{line} As a problem: {}.", kind.status.as_u16()),
            (true, true) => format!("{line} In the documented shape: {}.", documented.as_u16()),
        };
        let entry = told.entry(documented.as_u16()).or_default();
        entry.note(kind, note(false));
        match kind.documented {
            Documented::Bare => entry.has_bare = true,
            Documented::Short { .. } => entry.has_short = true,
            Documented::Envelope { status, kind: http_error_type, error } => {
                entry.types.insert(http_error_type.map_or_else(|| error_type(status), str::to_owned));
                entry.errors.insert(error);
            }
        }
        let entry = told.entry(kind.status.as_u16()).or_default();
        entry.codes.insert(kind.code);
        entry.note(kind, note(true));
    }
    let has_key = told.contains_key(&StatusCode::UNAUTHORIZED.as_u16());
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, told) in told {
        let response = responses.entry(status.to_string()).or_insert_with(|| json!({ "description": "" }));
        if let Value::Object(response) = response {
            told.add_to(status, response);
        }
    }
    for response in responses.values_mut().filter_map(Value::as_object_mut) {
        headers::on_every_answer(response, has_key);
    }
}

impl Told {
    fn note(&mut self, kind: &ProblemType, line: String) {
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
        self.has_retry_after |= kind.has_retry_after();
        self.has_verdict |= kind.has_verdict();
    }

    fn add_to(self, status: u16, response: &mut Map<String, Value>) {
        let before = response.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let lead = match (before.as_str(), status) {
            ("", _) => String::new(),
            (text, 200) => {
                format!("{text} Or the content is not valid (`error`), which the documented product says so:\n\n")
            }
            (text, _) => format!("{text}\n\n"),
        };
        response.insert("description".to_owned(), json!(lead + &self.lines.join("\n")));
        let mut shapes = Vec::new();
        if self.has_bare {
            shapes.push(reference("ContentError"));
        }
        if self.has_short {
            shapes.push(reference("ShortError"));
        }
        if !self.types.is_empty() {
            shapes.push(narrowed(
                "Error",
                json!({
                    "status_code": { "const": status },
                    "http_error_type": { "enum": self.types },
                    "error": { "enum": self.errors },
                }),
            ));
        }
        let Value::Object(content) = response.entry("content").or_insert_with(|| json!({})) else { return };
        if let Some(success) = content.get("application/json").and_then(|media| media.get("schema")).cloned() {
            shapes.insert(0, success);
        }
        let schema = match shapes.len() {
            0 => None,
            1 => shapes.pop(),
            _ => Some(json!({ "anyOf": shapes })),
        };
        if let Some(schema) = schema {
            content.insert("application/json".to_owned(), json!({ "schema": schema }));
        }
        if !self.codes.is_empty() {
            let problem = narrowed("Problem", json!({ "status": { "const": status }, "code": { "enum": self.codes } }));
            content.insert(PROBLEM_JSON.to_owned(), json!({ "schema": problem }));
        }
        headers::on_failures(response, self.has_retry_after, self.has_verdict);
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A component with more said of its members. Keywords beside a reference count for validators; generators of a client look
/// past it, and have one type of failure instead of one for each operation and status.
fn narrowed(name: &str, properties: Value) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}"), "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::document::{description_of, operations};

    #[test]
    fn it_is_known_of_every_operation_how_it_fails_and_no_kind_is_left_out() {
        let mut document = description_of(&[]);
        let mut told = Vec::new();
        for operation in operations(&mut document) {
            told.extend(of(id(operation)).unwrap_or_else(|| panic!("{} is not known", id(operation))));
        }
        // These are no operation's: a path that is not there, a method that a path does not take, a request with two readings.
        told.extend([&k::NO_SUCH_ROUTE, &k::METHOD_NOT_ALLOWED]);
        told.extend([&k::INVALID_HOST, &k::UNSUPPORTED_TRANSFER_ENCODING]);
        for kind in k::ALL {
            assert!(
                told.iter().any(|other| std::ptr::eq(*other, *kind)),
                "{} ({}) is documented nowhere",
                kind.code,
                kind.about
            );
        }
    }
}
