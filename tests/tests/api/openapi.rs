//! `GET /openapi.json`: a valid document, of exactly the operations of the server.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::contract::Contract;
use keyferry_tests::http::{Request, get};
use keyferry_tests::{World, binary, run, tools};
use serde_json::{Map, Value, json};

const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"];

pub(crate) async fn document(world: &World) -> Value {
    let answer = world.send_as_it_is(Request::new("GET", "/openapi.json")).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

pub(crate) fn hubspot(token: &str) -> Value {
    json!({"oauth2": {"access_token": token, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN}})
}

#[tokio::test]
async fn the_document_is_valid_openapi_and_the_command_prints_the_same() {
    let Some(programs) = tools::openapi() else { return };
    let world = World::start().await;
    let served = document(&world).await;
    let mut python = Command::new(programs.join("python"))
        .arg(tools::openapi_folder().join("validate.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(served.to_string().as_bytes()).unwrap();
    let judged = python.wait_with_output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));

    let (data, plugins) = (world.data().display().to_string(), world.plugins().display().to_string());
    let printed = run(["openapi", "--grant-on-drop", "--data", &data, "--plugins", &plugins]).await;
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).unwrap(), served);
    // Printing grants nothing, so without a grant there are no apps.
    let printed = run(["openapi", "--data", &data, "--plugins", &plugins]).await;
    let without = serde_json::from_slice::<Value>(&printed.stdout).unwrap();
    assert!(without["components"]["schemas"]["MigrateTokenRequest"]["oneOf"].is_null());
}

/// One list produces the router and the document. A path outside the list is in neither.
#[tokio::test]
async fn every_route_is_in_the_document_with_its_methods_and_no_other() {
    let world = World::start().await;
    let contract = Contract::of(document(&world).await);
    let paths = contract.paths();
    assert_eq!(paths.len(), 38);
    for (path, mut described) in paths {
        if path.ends_with("/credentials") {
            // Below an id that can have slashes: other methods take the whole rest for the id.
            described.push("DELETE".to_owned());
        }
        if path.ends_with("/verify") {
            described.extend(["GET", "DELETE"].map(str::to_owned));
        }
        let target = path.replace("{slug}", "stripe").replace("{account}", "somebody").replace("{id}", "0123");
        let target = target.replace("{key}", "api_key").replace("{change}", "pause").replace("{name}", "eu");
        for method in METHODS {
            let answer = world.send(Request::new(method, &target).json(&json!({}))).await;
            let is_described = described.iter().any(|known| known == method);
            let is_refused = answer.status == if method == "OPTIONS" { 204 } else { 405 };
            assert_eq!(!is_refused, is_described, "{method} {target}: {}", answer.status);
            if is_refused {
                let mut allowed: Vec<_> = answer.header("allow").expect("Allow").split(',').map(str::trim).collect();
                allowed.retain(|method| *method != "HEAD");
                allowed.sort_unstable();
                described.sort();
                assert_eq!(allowed, described, "{method} {target}");
            }
        }
        if described.iter().any(|method| method == "GET") {
            let (head, whole) = (Request::new("HEAD", &target), Request::new("GET", &target));
            let (head, whole) = (world.send(head).await, world.send(whole).await);
            assert_eq!((head.status, head.body.len()), (whole.status, 0), "{target}");
            assert_eq!(head.header("content-type"), whole.header("content-type"), "{target}");
        }
    }
}

/// A schema and its parts that describe a text, each with the examples around it.
fn texts<'a>(
    place: &str,
    schema: &'a Value,
    around: &[&'a Value],
    found: &mut Vec<(String, &'a Value, Vec<&'a Value>)>,
) {
    let own = schema["examples"].as_array().into_iter().flatten();
    let own = own.chain(["example", "default", "const"].iter().filter_map(|member| schema.get(member)));
    let values: Vec<&Value> = own.chain(schema["enum"].as_array().into_iter().flatten()).collect();
    // The types of one value share its examples.
    let values = if values.is_empty() { around.to_vec() } else { values };
    let is_text = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "string"),
        kind => kind == "string",
    };
    if is_text {
        found.push((place.to_owned(), schema, values.clone()));
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        texts(&format!("{place}.{name}"), member, &[], found);
    }
    if schema["items"].is_object() {
        texts(&format!("{place}[]"), &schema["items"], &[], found);
    }
    for kinds in ["anyOf", "oneOf", "allOf"] {
        for kind in schema[kinds].as_array().into_iter().flatten() {
            texts(place, kind, &values, found);
        }
    }
}

/// Examples with dots in place of a value.
fn elided(place: &str, value: &Value, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        match name.as_str() {
            "example" | "examples" if member.to_string().contains("...") => found.push(place),
            _ => elided(&place, member, found),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        elided(place, item, found);
    }
}

/// Without an example, a page makes one up from the pattern. All shipped apps are loaded, so that their fields are
/// checked, too.
#[tokio::test]
async fn every_text_of_the_document_has_an_example_of_its_own_schema() {
    let world = World::start().await;
    let document = document(&world).await;
    let contract = Contract::of(document.clone());
    let mut found = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        texts(name, schema, &[], &mut found);
    }
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let of_operations = operations.flat_map(|operation| {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        parameters.map(|parameter| (operation["operationId"].as_str().unwrap(), parameter))
    });
    let shared = document["components"]["parameters"].as_object().unwrap().values().map(|parameter| ("", parameter));
    for (operation, parameter) in of_operations.chain(shared) {
        let examples = parameter["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        let examples: Vec<&Value> = examples.chain(parameter.get("example")).collect();
        texts(&format!("{operation}({})", parameter["name"]), &parameter["schema"], &examples, &mut found);
    }
    assert!(found.len() > 200, "{}", found.len());
    let mut dots = Vec::new();
    elided("", &document["components"], &mut dots);
    assert!(dots.is_empty(), "{dots:?}");
    let (mut none, mut unfit) = (Vec::new(), Vec::new());
    for (place, schema, values) in found {
        let validator = contract.validator(&format!("{place} {schema}"), schema);
        // An example of a value of several types fits one of them.
        match values.iter().any(|value| validator.is_valid(value)) {
            _ if values.is_empty() => none.push(place),
            true => {}
            false => unfit.push(format!("{place}: {values:?} {schema}")),
        }
    }
    assert_eq!((none, unfit), (Vec::new(), Vec::new()), "texts without an example, and with one that does not fit");
}

/// The body of migrate-token has a hand-written parser. The document agrees with it: the parser accepts every body that
/// fits the schema, and rejects every other body.
#[tokio::test]
async fn what_fits_the_schema_of_a_migration_is_what_the_server_takes() {
    let world = World::start().await;
    let contract = Contract::of(document(&world).await);
    let schema = json!({ "$ref": "#/components/schemas/MigrateTokenRequest" });
    let validator = contract.validator("body", &schema);
    let slack = |auth_object: Value| json!({ "slug": "slack", "auth_object": auth_object });
    let stripe = |auth_object: Value| json!({ "slug": "stripe", "auth_object": auth_object });
    let key = json!({ "api_key": demo::STRIPE_SECRET_KEY });
    let netsuite = |more: Value| {
        let mut fields = json!({
            "account_id": demo::NETSUITE_ACCOUNT_ID, "consumer_key": "a", "consumer_secret": "b", "token_id": "c",
            "token_secret": "d",
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "slug": "netsuite", "auth_object": { "keybased": fields } })
    };
    let cases = [
        (json!({ "slug": "hubspot", "auth_object": hubspot("t") }), true),
        (json!({ "slug": "hubspot", "auth_object": hubspot("t"), "more": [1, { "a": null }] }), true),
        (json!({ "slug": "HubSpot", "auth_object": hubspot("t") }), false),
        (json!({ "slug": ["hubspot"], "auth_object": hubspot("t") }), false),
        (json!({ "slug": null, "auth_object": hubspot("t") }), false),
        (json!({ "auth_object": hubspot("t") }), false),
        (json!({ "slug": "hubspot", "auth_object": null }), false),
        (json!({ "slug": "hubspot", "auth_object": "t" }), false),
        (json!({ "slug": "hubspot", "auth_object": [] }), false),
        (json!({ "slug": "hubspot", "auth_object": {} }), false),
        (json!({ "slug": "hubspot", "auth_object": { "oauth2": {} } }), false),
        (json!({ "slug": "hubspot", "auth_object": { "oauth2": [] } }), false),
        (json!({ "slug": "hubspot", "auth_object": { "saml": { "a": "b" } } }), false),
        (json!({ "slug": "hubspot", "auth_object": { "oauth2": { "access_token": 7 } } }), false),
        (json!({ "slug": "hubspot", "auth_object": { "oauth2": { "access_token": "" } } }), false),
        (json!({ "slug": "hubspot", "auth_object": { "oauth2": { "access_token": "t", "expires_at": null } } }), true),
        (json!({ "slug": "hubspot", "auth_object": { "oauth2": { "access_token": "t" }, "keybased": {} } }), false),
        (stripe(json!({ "keybased": key })), true),
        (stripe(key.clone()), true),
        (stripe(json!({ "keybased": key, "api_key": "x" })), false),
        (stripe(json!({ "keybased": { "api_key": "sk_test_a\nb" } })), false),
        (stripe(json!({ "keybased": { "api_key": demo::STRIPE_SECRET_KEY, "stripe_account": "0" } })), false),
        (stripe(json!({ "keybased": { "api_key": demo::STRIPE_SECRET_KEY, "stripe_account": "acct_0" } })), true),
        (stripe(json!({ "keybased": { "api_key": demo::STRIPE_SECRET_KEY, "other": "x" } })), false),
        (slack(json!({ "bot_token": demo::SLACK_BOT_TOKEN })), true),
        (slack(json!({ "bot_token": demo::SLACK_BOT_TOKEN, "user_token": demo::SLACK_USER_TOKEN })), true),
        (slack(json!({ "access_token": demo::SLACK_BOT_TOKEN })), true),
        (slack(json!({ "client_id": "x" })), false),
        (json!({ "slug": "hubspot", "auth_object": { "access_token": "t" } }), false),
        (slack(json!({ "keybased": { "bot_token": 1 } })), false),
        (netsuite(json!({})), true),
        (netsuite(json!({ "account_id": "not an account" })), false),
        (netsuite(json!({ "token_secret": null })), false),
    ];
    const OF_CONTENT: [&str; 6] =
        ["slug_missing", "slug_invalid", "auth_object_missing", "custom_app", "unknown_app", "invalid_content"];
    for (body, expected) in cases {
        let request = world.migrate_request(&body).header("accept", "application/problem+json");
        let answer = world.send(request.header("prefer", "verify=only")).await;
        let refused = answer.json()["code"].as_str().is_some_and(|code| OF_CONTENT.contains(&code));
        assert_eq!((validator.is_valid(&body), !refused), (expected, expected), "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_dropped_in_app_is_in_the_document_at_once_with_its_secrets_write_only() {
    let world = World::start().await;
    let slugs = |document: &Value| -> Vec<String> {
        let mapping = &document["components"]["schemas"]["MigrateTokenRequest"]["discriminator"]["mapping"];
        mapping.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(slugs(&document(&world).await), ["hubspot", "netsuite", "slack", "stripe"]);
    let comes_to = |wanted: bool| {
        let world = &world;
        async move {
            let deadline = Instant::now() + Duration::from_secs(60);
            loop {
                let document = document(world).await;
                let is_served = get(world.server.address(), "/api/v2/public/auth-structure/linear").await.status == 200;
                let is_described = slugs(&document).iter().any(|slug| slug == "linear");
                if (is_served, is_described) == (wanted, wanted) {
                    return document;
                }
                assert!(Instant::now() < deadline, "served {is_served}, described {is_described}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    binary::copy(["linear"], &world.plugins());
    let document = comes_to(true).await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let credentials: Map<String, Value> = schemas
        .iter()
        .filter(|(name, _)| name.starts_with("Credential."))
        .map(|(n, s)| (n.clone(), s.clone()))
        .collect();
    assert!(credentials.len() >= 8, "{:?}", credentials.keys());
    assert_eq!(credentials["Credential.linear.oauth2"]["properties"]["access_token"]["writeOnly"], json!(true));
    assert_eq!(credentials["Credential.netsuite.keybased"]["properties"]["token_secret"]["writeOnly"], json!(true));
    assert!(credentials["Credential.netsuite.keybased"]["properties"]["account_id"].get("writeOnly").is_none());
    std::fs::remove_file(world.plugins().join("linear.wasm")).unwrap();
    comes_to(false).await;
}
