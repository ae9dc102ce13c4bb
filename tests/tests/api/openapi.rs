//! `GET /openapi.json`: a valid document, of all that the server does and of nothing else, whose examples are real.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::contract::Contract;
use keyferry_tests::http::{Request, Response, get};
use keyferry_tests::{ACCOUNT, World, binary, run, tools};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

const ACCOUNTS: &str = "/api/v2/public/linked-account";
const WEBHOOKS: &str = "/api/v2/public/webhook";
const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"];

async fn document(world: &World) -> Value {
    let answer = world.send_as_it_is(Request::new("GET", "/openapi.json")).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

fn hubspot(token: &str) -> Value {
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
    // Nothing is granted by printing, so without a grant there are no apps.
    let printed = run(["openapi", "--data", &data, "--plugins", &plugins]).await;
    let without = serde_json::from_slice::<Value>(&printed.stdout).unwrap();
    assert!(without["components"]["schemas"]["MigrateTokenRequest"]["oneOf"].is_null());
}

/// The router and the document are made of one list. What is not in it is neither.
#[tokio::test]
async fn every_route_is_in_the_document_with_its_methods_and_no_other() {
    let world = World::start().await;
    let contract = Contract::of(document(&world).await);
    let paths = contract.paths();
    assert_eq!(paths.len(), 33);
    for (path, mut described) in paths {
        if path.ends_with("/credentials") {
            // Below an id that can have slashes: other methods take all of it for the id.
            described.push("DELETE".to_owned());
        }
        if path.ends_with("/verify") {
            described.extend(["GET", "DELETE"].map(str::to_owned));
        }
        let target = path.replace("{slug}", "stripe").replace("{account}", "somebody").replace("{id}", "0123");
        let target = target.replace("{key}", "api_key").replace("{change}", "pause");
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

/// The parts of one exchange, collected from where the document has them: all under one name.
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
        // One whose request is not of the form that the document asks for stands with its answer.
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
        let body = match misfit {
            Some(request) => &request["body"],
            None => &operation["requestBody"]["content"]["application/json"]["examples"][name]["value"],
        };
        if !body.is_null() {
            request = request.json(body);
        }
        if is_problem {
            request = request.header("accept", "application/problem+json");
        }
        Self { operation, name, request }
    }

    /// Makes the world such as the exchange takes place in: one account, connected to HubSpot where it has to be.
    async fn prepare(&self, world: &World) {
        for webhook in world.send(Request::new("GET", WEBHOOKS)).await.json().as_array().unwrap() {
            let path = format!("{WEBHOOKS}/{}", webhook["_id"].as_str().unwrap());
            world.send(Request::new("DELETE", &path)).await;
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
                | ("deleteLinkedAccountIntegration", "disconnected")
        );
        if is_connected {
            assert_eq!(world.migrate("hubspot", hubspot(demo::HUBSPOT_ACCESS_TOKEN)).await.status, 200);
        }
        if (operation, self.name) == ("listLinkedAccounts", "page") {
            world.create_account("user_2").await;
        }
        if (operation, self.name) == ("listWebhooks", "one") {
            let webhook = json!({
                "webhook_url": "https://hooks.example.com/keyferry", "webhook_events": ["Connection Expired"],
                "webhook_headers": { "authorization": "Bearer of-the-receiver" },
            });
            assert_eq!(world.send(Request::new("POST", WEBHOOKS).json(&webhook)).await.status, 200);
        }
        if (operation, self.name) == ("deleteAuthCredential", "deleted") {
            let own = format!("{ACCOUNTS}/default-app/auth-credentials/api_key?linked_account_id={ACCOUNT}");
            assert_eq!(world.send(Request::new("PUT", &own).json(&json!({ "value": "v" }))).await.status, 200);
        }
    }

    async fn replay(self, world: &World) -> Response {
        self.prepare(world).await;
        match self.name {
            "no_api_key" | "no_token" => world.send_as_it_is(self.request).await,
            _ if self.operation["security"] == json!([{ "linked_account_token": [] }]) => {
                let request = Request::new("POST", "/api/v2/public/session-token");
                let issued = world.send(request.json(&json!({ "linked_account_id": ACCOUNT }))).await.json();
                let is_refresh = self.operation["operationId"] == "refreshSessionToken";
                let token = issued[if is_refresh { "refresh_token" } else { "token" }].as_str().unwrap();
                world.send_as_it_is(self.request.header("authorization", &format!("Bearer {token}"))).await
            }
            _ => world.send(self.request).await,
        }
    }
}

/// Without what is another one each time: ids and moments. Whether they are there, and of which kind, stays.
fn masked(value: &Value) -> Value {
    const EACH_TIME: [&str; 13] = [
        "checked_at",
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
    ];
    let kind = |value: &Value| match value {
        Value::String(_) => json!("(text)"),
        Value::Number(_) => json!("(number)"),
        other => other.clone(),
    };
    let member = |(name, value): (&String, &Value)| {
        let is_masked = EACH_TIME.contains(&name.as_str());
        (name.clone(), if is_masked { kind(value) } else { masked(value) })
    };
    match value {
        Value::Object(members) => Value::Object(members.iter().map(member).collect()),
        Value::Array(items) => Value::Array(items.iter().map(masked).collect()),
        Value::String(text) => {
            let is_revision = |word: &&str| {
                let (id, version) = word.split_once('-').unwrap_or_default();
                id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()) && version.parse::<u64>().is_ok()
            };
            let words = text.split(' ').map(|word| if is_revision(&word) { "(revision)" } else { word });
            json!(words.collect::<Vec<_>>().join(" "))
        }
        other => other.clone(),
    }
}

/// With `KEYFERRY_WRITE_EXAMPLES` set, what the server answers is written into the file of examples instead of compared.
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
                        replayed += 1;
                        if writes {
                            let responses = written[id][name]["responses"].as_array_mut().unwrap();
                            let of = (json!(answer.status), is_problem);
                            let kept = responses
                                .iter_mut()
                                .find(|kept| (kept["status"].clone(), kept["problem"] == json!(true)) == of);
                            kept.unwrap()["body"] = answer.json();
                        } else if masked(&answer.json()) != masked(&example["value"]) {
                            wrong.push(format!("{place}:\n{:#}\ninstead of\n{:#}", answer.json(), example["value"]));
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

/// The body of migrate-token is read by hand. What the document says of it is what is read: whatever fits the schema is no
/// error of content, and whatever does not is one.
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
