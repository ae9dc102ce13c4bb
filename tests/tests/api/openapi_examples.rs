//! The examples of the document: each is a real exchange with the server.

use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::contract::Contract;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ACCOUNT, World};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::openapi::{document, hubspot};

const ACCOUNTS: &str = "/api/v2/public/linked-account";
const WEBHOOKS: &str = "/api/v2/public/webhook";
const OAUTH_CLIENTS: &str = "/api/v2/public/oauth-client";
const IMPORTS: &str = "/api/v2/public/imports";
/// The id in the examples; each exchange has its own.
const EXAMPLE_ID: &str = "6b0647e51763b07c28e8193e";

/// The parts of one exchange, collected from the document: all have the same name.
struct Exchange<'a> {
    operation: &'a Value,
    name: &'a str,
    request: Request,
}

impl<'a> Exchange<'a> {
    fn of(method: &str, path: &str, operation: &'a Value, name: &'a str, example: &Value, is_problem: bool) -> Self {
        let encoded = |value: &Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
        };
        // An example of an invalid request is next to its response.
        let misfit = example.get("x-request");
        let (mut target, mut query, mut headers) = (path.to_owned(), Vec::new(), Vec::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (place, parameter_name) = (parameter["in"].as_str(), parameter["name"].as_str().unwrap_or_default());
            let value = match misfit {
                Some(request) => &request["parameters"][place.unwrap_or_default()][parameter_name],
                None => &parameter["examples"][name]["value"],
            };
            match place {
                _ if value.is_null() => {}
                Some("path") => target = target.replace(&format!("{{{parameter_name}}}"), &encoded(value)),
                Some("query") => query.push(format!("{parameter_name}={}", encoded(value))),
                _ => headers.push((parameter_name.to_owned(), value.as_str().unwrap().to_owned())),
            }
        }
        assert!(!target.contains('{'), "{name} leaves a parameter of {path} open");
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let mut request = Request::new(&method.to_uppercase(), &target);
        request.headers = headers;
        let content = operation["requestBody"]["content"].as_object().into_iter().flatten();
        let mut bodies = content.map(|(media_type, media)| (media_type.as_str(), &media["examples"][name]["value"]));
        let body = match misfit {
            Some(request) => Some(("application/json", &request["body"])),
            None => bodies.find(|(_, body)| !body.is_null()),
        };
        request = match body {
            Some(("application/json", body)) if !body.is_null() => request.json(body),
            Some((media_type, Value::String(text))) => request.body(media_type, text.as_str()),
            _ => request,
        };
        if is_problem {
            request = request.header("accept", "application/problem+json");
        }
        Self { operation, name, request }
    }

    /// Creates the state that the exchange needs: one account, connected to HubSpot where required. Returns the id that
    /// replaces [`EXAMPLE_ID`].
    async fn prepare(&self, world: &World) -> Option<String> {
        for webhook in world.send(Request::new("GET", WEBHOOKS)).await.json().as_array().unwrap() {
            let path = format!("{WEBHOOKS}/{}", webhook["_id"].as_str().unwrap());
            world.send(Request::new("DELETE", &path)).await;
        }
        for name in ["default", "eu"] {
            world.send(Request::new("DELETE", &format!("{OAUTH_CLIENTS}/hubspot/{name}"))).await;
        }
        for account in [ACCOUNT, "user_2"] {
            world.send(Request::new("DELETE", &format!("{ACCOUNTS}/{account}"))).await;
        }
        world.create_account(ACCOUNT).await;
        let operation = self.operation["operationId"].as_str().unwrap();
        let is_connected = matches!(
            (operation, self.name),
            ("migrateTokenForLinkedAccount", "only_if_new" | "other_account")
                | ("getLinkedAccount" | "getApplication", "connected")
                | ("getCredentials", "masked")
                | ("verifyCredentials", "works")
                | ("getApplicationOfSession" | "getActiveLinkedAccount", "connected")
                | ("disconnectApplication", "disconnected")
                | ("exportCredentials", "one")
                | ("deleteLinkedAccountIntegration", "disconnected")
        );
        if is_connected {
            assert_eq!(world.migrate("hubspot", hubspot(demo::HUBSPOT_ACCESS_TOKEN)).await.status, 200);
        }
        if (operation, self.name) == ("listLinkedAccounts", "page") {
            world.create_account("user_2").await;
        }
        let is_of_one = self.request.target.contains(EXAMPLE_ID);
        if (operation, self.name) == ("listWebhooks", "one") || is_of_one && operation.ends_with("Webhook") {
            let webhook = json!({
                "webhook_url": "https://hooks.example.com/keyferry", "webhook_events": ["Connection Expired"],
                "webhook_headers": { "authorization": "Bearer of-the-receiver" },
            });
            let registered = world.send(Request::new("POST", WEBHOOKS).json(&webhook)).await;
            assert_eq!(registered.status, 200);
            return registered.json()["_id"].as_str().map(str::to_owned);
        }
        if operation.contains("OauthClient") && !operation.starts_with("put") {
            let name = if operation.contains("Named") { "eu" } else { "default" };
            let client = json!({
                "client_id": "3f0c9a52-6d1e-4b7a", "client_secret": "b7e1c0d2-55aa-4e0f",
                "callback_url": "https://acme.example.com/oauth/callback",
            });
            let path = format!("{OAUTH_CLIENTS}/hubspot/{name}");
            assert_eq!(world.send(Request::new("PUT", &path).json(&client)).await.status, 200);
        }
        if (operation, self.name) == ("createImport", "known") {
            import(world, &String::from_utf8_lossy(&self.request.body)).await;
        }
        if is_of_one || operation == "listImports" {
            let file = format!(
                "linked_account_id,slug,auth_type,api_key\n{ACCOUNT},stripe,keybased,{}\n",
                demo::STRIPE_SECRET_KEY
            );
            return Some(import(world, &file).await);
        }
        if (operation, self.name) == ("deleteAuthCredential", "deleted") {
            let own = format!("{ACCOUNTS}/default-app/auth-credentials/api_key?linked_account_id={ACCOUNT}");
            assert_eq!(world.send(Request::new("PUT", &own).json(&json!({ "value": "v" }))).await.status, 200);
        }
        None
    }

    async fn replay(mut self, world: &World) -> Response {
        if let Some(id) = self.prepare(world).await {
            self.request.target = self.request.target.replace(EXAMPLE_ID, &id);
        }
        match self.name {
            "no_api_key" | "no_token" => world.send_as_it_is(self.request).await,
            _ if self.operation["security"] == json!([{ "linked_account_token": [] }]) => {
                let request = Request::new("POST", "/api/v2/public/session-token");
                let issued = world.send(request.json(&json!({ "linked_account_id": ACCOUNT }))).await.json();
                let is_refresh = self.operation["operationId"] == "refreshSessionToken";
                let token = issued[if is_refresh { "refresh_token" } else { "token" }].as_str().unwrap();
                world.send_as_it_is(self.request.header("authorization", &format!("Bearer {token}"))).await
            }
            _ if self.operation["operationId"] == "exportCredentials" => {
                let flags = ["--org", "acme", "--environment", "test", "--scope", "read_credentials"];
                let (_, key, said) = world.command(&[&["api-key", "create"][..], &flags].concat()).await;
                assert!(!key.is_empty(), "{said}");
                world.send_as_it_is(self.request.header("x-api-key", key.trim())).await
            }
            _ => world.send(self.request).await,
        }
    }
}

/// Imports a file, even if it was imported before, and waits for its end. Returns the import's id.
async fn import(world: &World, file: &str) -> String {
    let sent = world.send(Request::new("POST", &format!("{IMPORTS}?again=true")).body("text/csv", file)).await;
    assert_eq!(sent.status, 202, "{}", sent.text());
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(60);
    while world.send(Request::new("GET", &format!("{IMPORTS}/{id}"))).await.json()["state"] != "finished" {
        assert!(Instant::now() < deadline, "the import {id} has not ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    id
}

/// The part of a body that is shown: of NDJSON the first line, of events the last, and of a list as much as `example`
/// has.
fn shown(answer: &Response, media_type: &str, example: &Value) -> Value {
    match media_type {
        "application/x-ndjson" => serde_json::from_str(answer.text().lines().next().unwrap()).unwrap(),
        "text/event-stream" => {
            let text = answer.text();
            let event = text.trim_end().rsplit("\n\n").next().unwrap();
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            json!({ "event": field("event: "), "data": field("data: ") })
        }
        _ => {
            let mut body = answer.json();
            if let (Some(Value::Array(imports)), true) = (body.get_mut("imports"), example["imports"].is_array()) {
                imports.truncate(1);
            }
            body
        }
    }
}

/// Replaces ids and timestamps, which differ in each run, but keeps their presence and type. The progress of an import
/// is removed.
fn masked(value: &Value) -> Value {
    const AS_IT_GOES: [&str; 8] =
        ["state", "counts", "outcomes", "apps", "rate", "seconds_left", "started_at", "ended_at"];
    const EACH_TIME: [&str; 19] = [
        "checked_at",
        "created_at",
        "id",
        "shown",
        "signing_secret",
        "_id",
        "createdAt",
        "updatedAt",
        "connectedAt",
        "verified_at",
        "expires_at",
        "revision",
        "token",
        "refresh_token",
        "expires_in",
        "refresh_expires_in",
        "settled_at",
        "took_ms",
        "updated_at",
    ];
    let kind = |value: &Value| match value {
        Value::String(_) => json!("(text)"),
        Value::Number(_) => json!("(number)"),
        other => other.clone(),
    };
    let member = |(name, value): (&String, &Value)| {
        let seen = match name.as_str() {
            name if EACH_TIME.contains(&name) => kind(value),
            name if AS_IT_GOES.contains(&name) => json!("(as it goes)"),
            "data" => {
                masked(&serde_json::from_str(value.as_str().unwrap_or_default()).unwrap_or_else(|_| value.clone()))
            }
            _ => masked(value),
        };
        (name.clone(), seen)
    };
    match value {
        Value::Object(members) => Value::Object(members.iter().map(member).collect()),
        Value::Array(items) => Value::Array(items.iter().map(masked).collect()),
        Value::String(text) => {
            let is_revision = |word: &&str| {
                let (id, version) = word.split_once('-').unwrap_or_default();
                id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()) && version.parse::<u64>().is_ok()
            };
            let is_id = |word: &str| word.len() == 24 && word.bytes().all(|b| b.is_ascii_hexdigit());
            let words = text.split(' ').map(|word| match word.trim_end_matches(':') {
                word if is_revision(&word) => "(revision)",
                word if is_id(word) => "(id)",
                _ => word,
            });
            json!(words.collect::<Vec<_>>().join(" "))
        }
        other => other.clone(),
    }
}

/// With `KEYFERRY_WRITE_EXAMPLES` set, the server's responses are written into the file of examples instead of
/// compared.
#[tokio::test]
async fn every_example_is_an_exchange_that_takes_place() {
    let world = World::start().await;
    let document = document(&world).await;
    let contract = Contract::of(document.clone());
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/crates/api/src/openapi/examples.json");
    let mut written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let writes = std::env::var_os("KEYFERRY_WRITE_EXAMPLES").is_some();
    let (mut replayed, mut wrong) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let body = &operation["requestBody"]["content"]["application/json"];
            for (name, example) in body["examples"].as_object().into_iter().flatten() {
                let validator = contract.validator(id, &body["schema"]);
                if !validator.is_valid(&example["value"]) {
                    wrong.push(format!("{id} {name}: the request is not of the body's schema"));
                }
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                for (media_type, media) in response["content"].as_object().into_iter().flatten() {
                    for (name, example) in media["examples"].as_object().into_iter().flatten() {
                        let is_problem = media_type == "application/problem+json";
                        let exchange = Exchange::of(method, path, operation, name, example, is_problem);
                        let place = format!("{id} {name} {status} {media_type}");
                        let answer = exchange.replay(&world).await;
                        assert_eq!(answer.status.to_string(), *status, "{place}: {}", answer.text());
                        let of_type = answer.header("content-type").unwrap().split(';').next().unwrap();
                        assert_eq!(of_type, media_type, "{place}");
                        let body = shown(&answer, media_type, &example["value"]);
                        replayed += 1;
                        if writes {
                            let responses = written[id][name]["responses"].as_array_mut().unwrap();
                            let of = (json!(answer.status), is_problem);
                            let kept = responses
                                .iter_mut()
                                .find(|kept| (kept["status"].clone(), kept["problem"] == json!(true)) == of);
                            kept.unwrap()["body"] = body;
                        } else if masked(&body) != masked(&example["value"]) {
                            wrong.push(format!("{place}:\n{body:#}\ninstead of\n{:#}", example["value"]));
                        }
                        let validator = contract.validator(&place, &media["schema"]);
                        if !writes && !validator.is_valid(&example["value"]) {
                            wrong.push(format!("{place}: it is not of the answer's schema"));
                        }
                    }
                }
            }
        }
    }
    if writes {
        std::fs::write(&file, format!("{written:#}\n")).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let shown: usize = written
        .as_object()
        .unwrap()
        .values()
        .flat_map(|all| all.as_object().unwrap().values())
        .map(|exchange| exchange["responses"].as_array().unwrap().len())
        .sum();
    assert_eq!(replayed, shown, "every example of the file is in the document");
}
