//! The operator's API on its socket: all responses agree with its own description.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::contract::Contract;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ORG, World, tools};
use serde_json::{Value, json};

async fn ask(world: &World, method: &str, target: &str, body: Option<Value>) -> Response {
    let request = Request::new(method, target);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    request.send_to_socket(&world.data().join("admin.sock")).await
}

async fn document(world: &World) -> Value {
    let answer = ask(world, "GET", "/admin/v1/openapi.json", None).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// The path, the method, and the description of an operation.
fn operation<'a>(document: &'a Value, id: &str) -> (String, String, &'a Value) {
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["operationId"] == id {
                return (method.to_uppercase(), path.clone(), operation);
            }
        }
    }
    panic!("{id} is not described")
}

/// An operation's id, its path parameters, its query, and its body.
type Asked = (&'static str, Vec<(&'static str, &'static str)>, &'static str, Option<Value>);

/// Each operation, in an order in which each succeeds.
fn requests() -> Vec<Asked> {
    let org = || vec![("org", ORG)];
    let slack = || vec![("target", "slack")];
    vec![
        ("showHealth", vec![], "", None),
        ("listPlugins", vec![], "", None),
        ("showPlugin", slack(), "", None),
        ("grantPlugin", slack(), "", Some(json!({"days": 7}))),
        ("revokePlugin", slack(), "", None),
        ("listOrganisations", vec![], "", None),
        ("createApiKey", org(), "", Some(json!({"environment": "test", "label": "x", "scopes": ["read"], "days": 1}))),
        ("listApiKeys", org(), "", None),
        ("listKeys", org(), "", None),
        ("rotateKey", org(), "", None),
        ("resealCredentials", org(), "", Some(json!({"after": null}))),
        ("disableKey", org(), "", Some(json!({"key_id": 1}))),
        ("destroyKey", org(), "", Some(json!({"key_id": 1}))),
        ("listRoots", vec![], "", None),
        ("rewrapRoots", vec![], "", Some(json!({"roots": []}))),
        ("readAudit", org(), "?after=2", None),
        ("verifyAudit", org(), "", None),
    ]
}

fn fill(path: &str, place: &[(&str, &str)]) -> String {
    place.iter().fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
}

#[tokio::test]
async fn every_operation_takes_and_answers_what_the_document_says() {
    let world = World::start().await;
    let object = json!({"oauth2": {
        "access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN,
    }});
    assert_eq!(world.migrate("hubspot", object).await.status, 200);
    let document = document(&world).await;
    let contract = Contract::of(document.clone());
    let mut asked = BTreeSet::new();
    for (id, place, query, body) in requests() {
        let (method, path, described) = operation(&document, id);
        if let Some(body) = &body {
            let schema = &described["requestBody"]["content"]["application/json"]["schema"];
            assert!(contract.validator(&format!("{id} body"), schema).is_valid(body), "{id} {body} {schema}");
        }
        let answer = ask(&world, &method, &(fill(&path, &place) + query), body).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        let schema = &described["responses"]["200"]["content"]["application/json"]["schema"];
        let validator = contract.validator(id, schema);
        let wrong: Vec<_> = validator.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{id}: {wrong:?}\n{}\n{schema}", answer.text());
        assert!(!answer.text().contains(demo::HUBSPOT_ACCESS_TOKEN), "{id}");
        asked.insert(id.to_owned());
    }
    // A key is revoked by its id from `createApiKey`; a fresh folder has no earlier version for a rollback; a backup is no JSON; plugins are
    // pushed into a database.
    let mut all = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        all.extend(item.as_object().unwrap().values().map(|op| op["operationId"].as_str().unwrap().to_owned()));
    }
    let left: Vec<_> = all.difference(&asked).map(String::as_str).collect();
    assert_eq!(left, ["pushPlugin", "putPluginPart", "revokeApiKey", "rollbackPlugin", "takeBackup"]);
    let sha256 = "0".repeat(64);
    for (path, body) in [
        ("/admin/v1/plugin-parts", json!({"sha256": sha256, "part": 0, "content": "AA=="})),
        ("/admin/v1/plugins/stripe.wasm/push", json!({"sha256": sha256, "parts": 1})),
    ] {
        let refused = ask(&world, "POST", path, Some(body)).await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("own_plugins")), "{}", refused.text());
    }
    let backup = ask(&world, "GET", "/admin/v1/backup", None).await;
    assert_eq!((backup.status, backup.header("content-type")), (200, Some("application/octet-stream")));
    assert!(backup.body.starts_with(b"KEYFERRY-BACKUP 1\n"));
    let refused = ask(&world, "GET", "/admin/v1/backup?surprise=1", None).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("invalid_request")));

    let listed = ask(&world, "GET", &format!("/admin/v1/organisations/{ORG}/api-keys"), None).await.json();
    let id = listed.as_array().unwrap().iter().find(|key| key["label"] == "x").unwrap()["id"].clone();
    let revoke = format!("/admin/v1/organisations/{ORG}/api-keys/revoke");
    assert_eq!(ask(&world, "POST", &revoke, Some(json!({"key": id}))).await.json()["state"], "revoked");
    let audit = ask(&world, "GET", &format!("/admin/v1/organisations/{ORG}/audit?after=1"), None).await.json();
    assert_eq!(audit[0]["seq"], 2, "the query counts");
}

#[tokio::test]
async fn the_document_is_valid_openapi() {
    let Some(programs) = tools::openapi() else { return };
    let world = World::start().await;
    let mut python = Command::new(programs.join("python"))
        .arg(tools::openapi_folder().join("validate.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(document(&world).await.to_string().as_bytes()).unwrap();
    let judged = python.wait_with_output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
}

#[tokio::test]
async fn what_is_not_known_is_refused_and_nothing_is_done() {
    let world = World::start().await;
    let document = document(&world).await;
    for (id, place, query, body) in requests() {
        let (method, path, _) = operation(&document, id);
        let target = fill(&path, &place) + query;
        let (target, body) = if method == "GET" {
            (format!("{target}{}surprise=1", if query.is_empty() { "?" } else { "&" }), None)
        } else {
            let mut body = body.unwrap_or(json!({}));
            body["surprise"] = json!(1);
            (target, Some(body))
        };
        let answer = ask(&world, &method, &target, body).await;
        assert_eq!(answer.status, 400, "{id}: {}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["code"], "invalid_request", "{id}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("surprise"), "{id}: {problem}");
    }
    let keys = ask(&world, "GET", &format!("/admin/v1/organisations/{ORG}/keys"), None).await.json();
    assert_eq!(keys.as_array().unwrap().len(), 1, "nothing was rotated");
}

#[tokio::test]
async fn every_failure_is_a_problem() {
    let world = World::start().await;
    let contract = Contract::of(document(&world).await);
    let org = format!("/admin/v1/organisations/{ORG}");
    let cases = [
        ("GET", "/admin/v1/nothing".to_owned(), None, 404, "no_such_route"),
        ("GET", "/api/v2/public/linked-account".to_owned(), None, 404, "no_such_route"),
        ("POST", "/admin/v1/plugins".to_owned(), None, 405, "method_not_allowed"),
        ("GET", "/admin/v1/plugins/nothing".to_owned(), None, 404, "no_such_plugin"),
        ("GET", "/admin/v1/organisations/%20/keys".to_owned(), None, 400, "invalid_request"),
        ("GET", "/admin/v1/organisations/another/keys".to_owned(), None, 404, "no_such_organisation"),
        ("GET", "/admin/v1/organisations/another/audit/verify".to_owned(), None, 404, "no_such_organisation"),
        ("GET", format!("{org}/audit?after=x"), None, 400, "invalid_request"),
        ("GET", format!("{org}/audit?after=1&after=2"), None, 400, "invalid_request"),
        ("GET", format!("{org}/audit?org=another"), None, 400, "invalid_request"),
        ("GET", format!("{org}/audit"), Some(json!({"after": 1})), 400, "invalid_request"),
        ("POST", format!("{org}/keys/rotate"), Some(json!({"org": "another"})), 400, "invalid_request"),
        ("POST", format!("{org}/keys/rotate?x=1"), None, 400, "invalid_request"),
        ("POST", format!("{org}/keys/disable"), Some(json!({})), 400, "invalid_request"),
        ("POST", format!("{org}/keys/disable"), Some(json!([])), 400, "invalid_request"),
        ("POST", format!("{org}/keys/disable"), Some(json!({"key_id": 1})), 409, "key_refused"),
        ("POST", format!("{org}/api-keys/revoke"), Some(json!({"key": "tk_nothing"})), 404, "no_such_api_key"),
        ("POST", "/admin/v1/plugins/slack/rollback".to_owned(), None, 409, "no_earlier_version"),
    ];
    for (method, target, body, status, code) in cases {
        let answer = ask(&world, method, &target, body).await;
        let shown = format!("{method} {target}: {}", answer.text());
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some("application/problem+json")),
            "{shown}"
        );
        let problem = answer.json();
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)), "{shown}");
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        assert!(contract.validator("problem", &schema).is_valid(&problem), "{shown}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{shown}");
    }
}
