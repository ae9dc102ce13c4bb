//! The headers of requests and responses.

use serde_json::{Map, Value, json};

use crate::openapi::operations::id;

/// What can be a linked account's id: something that is not only white space, and no control characters.
pub(super) const ACCOUNT_ID: &str =
    r"^[^\s\u0000-\u001f\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?$";
/// The same, as far as every client can send it in a header.
const ACCOUNT_ID_IN_HEADER: &str = "^[!-~]([ -~]{0,254}[!-~])?$";
/// As it is, or in quotes.
const IDEMPOTENCY_KEY: &str = r#"^("[ !#-~]{1,255}"|[!#-~]([ !#-~]{0,253}[!#-~])?)$"#;

/// Adds the headers that an operation reads, and sends on success.
pub(super) fn add_to(operation: &mut Map<String, Value>) {
    let mut parameters = match id(operation) {
        "migrateTokenForLinkedAccount" => migration(),
        "saveKeyCredentials" => {
            let mut all = vec![account(
                "The linked account; the same as in the query, if that names one, too. One of the two is needed.",
                false,
            )];
            all.extend(conditions());
            all
        }
        "putOauthClient" | "putNamedOauthClient" => client_conditions("Replace the client").to_vec(),
        "deleteOauthClient" | "deleteNamedOauthClient" => {
            client_conditions("Delete the client").into_iter().take(1).collect()
        }
        "putAuthCredential" | "deleteAuthCredential" => {
            vec![account(
                "The linked account; the same as in the query, if that names one, too. A session token implies it.",
                false,
            )]
        }
        "deleteLinkedAccountIntegration" => {
            vec![account(
                "The linked account; the same as in the query, if that names one, too. One of the two is needed.",
                false,
            )]
        }
        "listApplications" | "getApplication" => {
            vec![account(
                "A linked account, to learn whether it is connected; the same as in the query, if that names one, too.",
                false,
            )]
        }
        _ => Vec::new(),
    };
    for name in ["XRequestId", "TraceParent"] {
        parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
    }
    if let Value::Array(all) = operation.entry("parameters").or_insert_with(|| json!([])) {
        all.extend(parameters);
    }
    let names: &[&str] = match id(operation) {
        "migrateTokenForLinkedAccount" | "saveKeyCredentials" => {
            &["ETag", "KeyferryOutcome", "KeyferryAction", "KeyferryWarnings", "IdempotencyReplayed"]
        }
        "connectApplication" => &["ETag", "KeyferryOutcome", "KeyferryAction", "KeyferryWarnings"],
        "verifyCredentials" => &["ETag", "KeyferryOutcome"],
        "putOauthClient" | "putNamedOauthClient" => &["ETag", "KeyferryAction", "KeyferryWarnings"],
        _ => &[],
    };
    if let Some(Value::Object(stored)) = operation.get_mut("responses").and_then(|all| all.get_mut("200")) {
        names.iter().for_each(|name| refer(stored, name));
    }
}

/// Streamed responses: rows or events, without an entity tag.
const STREAMED: [&str; 3] = ["getImportResults", "watchImport", "exportCredentials"];

/// Adds the conditional request of a read. Health has none, because its present state is the point.
pub(super) fn on_reads(operation: &mut Map<String, Value>) {
    let is_health = operation.get("tags").is_some_and(|tags| *tags == json!(["Health"]));
    if is_health || STREAMED.contains(&id(operation)) {
        return;
    }
    let had = header(
        "If-None-Match",
        "The `ETag` of a response that you have: if it is unchanged, it is not sent again.",
        json!({ "type": "string", "pattern": "^[\\t -~]*$" }),
    );
    if let Value::Array(all) = operation.entry("parameters").or_insert_with(|| json!([])) {
        all.push(had);
    }
    let tag = match id(operation) {
        "getCredentials" | "getOauthClient" | "getNamedOauthClient" => "ETag",
        _ => "ContentETag",
    };
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    responses.insert("304".to_owned(), json!({ "description": "Not modified." }));
    for status in ["200", "304"] {
        if let Some(Value::Object(response)) = responses.get_mut(status) {
            refer(response, tag);
        }
    }
}

/// Adds the headers of every response, and those of requests that count against an API key.
pub(super) fn on_every_response(response: &mut Map<String, Value>, has_key: bool) {
    refer(response, "XRequestId");
    refer(response, "KeyferryIgnoredParameters");
    if has_key {
        refer(response, "RateLimit");
        refer(response, "RateLimitPolicy");
    }
}

/// Adds the headers of some errors.
pub(super) fn on_failures(response: &mut Map<String, Value>, retry_after: bool, verdict: bool) {
    if retry_after {
        refer(response, "RetryAfter");
    }
    if verdict {
        refer(response, "KeyferryFailure");
    }
}

fn refer(response: &mut Map<String, Value>, name: &str) {
    let Some((_, header, _)) = RESPONSE_HEADERS.iter().find(|(component, ..)| *component == name) else { return };
    if let Value::Object(headers) = response.entry("headers").or_insert_with(|| json!({})) {
        headers.insert((*header).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    }
}

/// Name among the components, name in HTTP, what it says.
const RESPONSE_HEADERS: [(&str, &str, &str); 12] = [
    (
        "XRequestId",
        "X-Request-Id",
        "Names this request in the server's log and audit trail: the caller's own id of it, or a new one.",
    ),
    (
        "KeyferryIgnoredParameters",
        "Keyferry-Ignored-Parameters",
        "The names in the request's query that this operation does not have, separated by commas; `***` in place of a name that \
         could be a secret.",
    ),
    ("ETag", "ETag", "The revision of the integration or OAuth client, for `If-Match`. On what is stored."),
    ("ContentETag", "ETag", "The tag of the response's content, for `If-None-Match`: other content has another tag."),
    ("KeyferryOutcome", "Keyferry-Outcome", "Whether the provider confirmed the credential."),
    ("KeyferryAction", "Keyferry-Action", "Whether the integration or OAuth client is new. On what is stored."),
    (
        "KeyferryWarnings",
        "Keyferry-Warnings",
        "Changes of the sent values, and other warnings about a stored or verified credential: a list of strings (RFC 9651). The same as the integration's `warnings`.",
    ),
    ("KeyferryFailure", "Keyferry-Failure", "Why the credential did not verify. On responses to those that did not."),
    (
        "IdempotencyReplayed",
        "Idempotency-Replayed",
        "`true` if the response is that of an earlier request with the same `Idempotency-Key`.",
    ),
    (
        "RateLimit",
        "RateLimit",
        "The remainder of each limit that the request counts against: draft-ietf-httpapi-ratelimit-headers-10.",
    ),
    ("RateLimitPolicy", "RateLimit-Policy", "Those measures: how much, in how many seconds."),
    ("RetryAfter", "Retry-After", "Seconds after which to try again, where waiting helps."),
];

/// Adds the headers that operations refer to.
pub(super) fn components(components: &mut Map<String, Value>) {
    let schema = |name: &str| match name {
        "XRequestId" => json!({ "type": "string", "minLength": 1, "maxLength": 128 }),
        "ETag" => json!({ "type": "string", "pattern": "^\"[0-9a-f]{24}-[0-9]+\"$" }),
        "ContentETag" => json!({ "type": "string", "pattern": "^\"[0-9a-f]{32}\"$" }),
        "KeyferryOutcome" => json!({ "enum": ["verified", "unverified", "not-verified"] }),
        "KeyferryAction" => json!({ "enum": ["created", "updated"] }),
        "KeyferryFailure" => json!({ "$ref": "#/components/schemas/FailedOutcome" }),
        "IdempotencyReplayed" => json!({ "const": "true" }),
        "RateLimit" | "RateLimitPolicy" | "KeyferryWarnings" | "KeyferryIgnoredParameters" => {
            json!({ "type": "string" })
        }
        _ => json!({ "type": "integer", "minimum": 1 }),
    };
    let headers: Map<String, Value> = RESPONSE_HEADERS
        .into_iter()
        .map(|(name, _, about)| {
            let header = json!({ "description": about, "required": name == "XRequestId", "schema": schema(name) });
            (name.to_owned(), header)
        })
        .collect();
    components.insert("headers".to_owned(), Value::Object(headers));
    let request_id = json!({
        "name": "X-Request-Id", "in": "header", "required": false, "schema": { "type": "string" },
        "description": "Your own id of this request: 1 to 128 letters, digits or any of `-_.:/+=`. Anything else is replaced by \
            a new one.",
    });
    let trace_parent = header(
        "traceparent",
        "Makes this request part of your own trace (W3C Trace Context): the server's log names it, and its spans belong to it. \
         One that is not understood is ignored.",
        json!({ "type": "string" }),
    );
    components.insert("parameters".to_owned(), json!({ "XRequestId": request_id, "TraceParent": trace_parent }));
}

fn header(name: &str, about: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "required": false, "description": about, "schema": schema })
}

fn account(about: &str, required: bool) -> Value {
    let mut parameter =
        header("linked_account_id", about, json!({ "type": "string", "pattern": ACCOUNT_ID_IN_HEADER }));
    if let Some(members) = parameter.as_object_mut() {
        members.insert("required".to_owned(), json!(required));
    }
    parameter
}

fn migration() -> Vec<Value> {
    let mut all = vec![
        account("The linked account to put the credential onto. `linked-account-id` is the same header.", true),
        json!({
            "name": "linked_account_id", "in": "query", "required": false, "deprecated": true,
            "description": "The same id as in the header. The documented product's SDK for Node.js sends both.",
            "schema": { "type": "string" },
        }),
    ];
    all.extend(conditions());
    all
}

/// The headers that control how a credential is stored.
fn conditions() -> Vec<Value> {
    vec![
        header(
            "Idempotency-Key",
            "Makes it safe to send a request again: the same key with the same content within 24 hours returns the same \
             response, and nothing is done again; with other content it is refused.",
            json!({ "type": "string", "pattern": IDEMPOTENCY_KEY }),
        ),
        header(
            "If-Match",
            "Replace the credential only if the integration is at this revision (the `ETag` of an earlier response), or, with \
             `*`, only if there is one.",
            json!({ "type": "string", "pattern": "^[\\t -~]*$" }),
        ),
        header(
            "If-None-Match",
            "`*`: only if there is no credential yet. Not together with `If-Match`.",
            json!({ "type": "string", "enum": ["*"] }),
        ),
        header(
            "Prefer",
            "Preferences (RFC 7240), separated by commas, each only where the server's operator allows it: `verify=only` \
             stores nothing and returns the verdict; `verify=skip` stores without asking the provider; \
             `on-unverified=store` keeps a credential that the provider could not judge, never one that it rejected; \
             `account-change=replace` accepts a credential of another account at the provider than the stored one's. What is \
             not known is ignored; a preference with two different values is refused.",
            json!({ "type": "string", "pattern": "^[\\t -~]*$" }),
        ),
    ]
}

/// The headers that make a write of an OAuth client depend on what is stored.
fn client_conditions(write: &str) -> [Value; 2] {
    let about = format!(
        "{write} only if it is at this revision (the `ETag` of an earlier response), or, with `*`, only if there is one."
    );
    [
        header("If-Match", &about, json!({ "type": "string", "pattern": "^[\\t -~]*$" })),
        header(
            "If-None-Match",
            "`*`: only if there is no such client yet. Not together with `If-Match`.",
            json!({ "type": "string", "enum": ["*"] }),
        ),
    ]
}
