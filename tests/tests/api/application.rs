//! `GET application` and `GET auth-structure`: the plugins' descriptions of their apps, in the documented shapes.
use std::time::{Duration, Instant};

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::{Request, Response, get};
use keyferry_tests::{World, WorldOptions, binary};
use serde_json::{Value, json};

const APPLICATION: &str = "/api/v2/public/application";
const STRUCTURE: &str = "/api/v2/public/auth-structure";

async fn ask(world: &World, path: &str) -> Response {
    world.send(Request::new("GET", path)).await
}

fn slugs(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|app| app["slug"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_structure_of_a_credential_is_told_without_a_key_in_the_documented_shape() {
    let options = WorldOptions {
        server: Some(Box::new(|server| {
            let config = server.data.with_file_name("keyferry.toml");
            std::fs::write(&config, "[migrate]\ncustom-apps = [\"house-crm\"]\n").unwrap();
            server.arguments.extend(["--config".to_owned(), config.display().to_string()]);
        })),
        ..WorldOptions::default()
    };
    let world = World::start_with(options).await;
    let cases = [
        (
            "netsuite",
            200,
            json!({
                "keybased": {
                    "account_id": "string", "consumer_key": "string", "consumer_secret": "string", "token_id": "string",
                    "token_secret": "string",
                },
                "oauth2": {
                    "account_id": "string", "access_token": "string",
                    "refresh_token": {"type": "string", "required": false},
                    "expires_at": {"type": "string", "required": false},
                    "callback_url": {"type": "string", "required": false}, "oauth_client": {"type": "string", "required": false},
                    "client_id": {"type": "string", "required": false},
                    "client_secret": {"type": "string", "required": false},
                },
            }),
        ),
        (
            "stripe",
            200,
            json!({
                "keybased": {
                    "api_key": "string", "stripe_account": {"type": "string", "required": false},
                    "stripe_context": {"type": "string", "required": false},
                },
            }),
        ),
        ("custom", 200, json!({})),
        ("house-crm", 200, json!({})),
        (
            "test-app",
            500,
            json!({"error": "SERVER_ERROR", "message": "Schema not found for integration type: test-app"}),
        ),
        (
            "..%2F..%2Fetc",
            500,
            json!({"error": "SERVER_ERROR", "message": "Schema not found for integration type: ../../etc"}),
        ),
    ];
    for (slug, status, body) in cases {
        let answer = get(world.server.address(), &format!("{STRUCTURE}/{slug}")).await;
        assert_eq!((answer.status, answer.json()), (status, body), "{slug}");
    }
    let problem = Request::new("GET", &format!("{STRUCTURE}/test-app"))
        .header("accept", "application/problem+json")
        .send(world.server.address())
        .await;
    assert_eq!((problem.status, &problem.json()["code"]), (404, &json!("unknown_app")));
}

/// A migration requires exactly the fields that `auth-structure` calls required.
#[tokio::test]
async fn what_the_structure_requires_is_what_a_migration_requires() {
    let world = World::start().await;
    for slug in ["hubspot", "netsuite", "slack", "stripe"] {
        let structure = get(world.server.address(), &format!("{STRUCTURE}/{slug}")).await.json();
        for (auth_type, fields) in structure.as_object().unwrap() {
            let required = fields.as_object().unwrap().iter().filter(|(_, shape)| shape.as_str() == Some("string"));
            let required: Vec<_> = required.map(|(name, _)| name.as_str()).collect();
            let error = world.migrate(slug, json!({ auth_type: {} })).await.json()["error"].to_string();
            for name in fields.as_object().unwrap().keys() {
                let is_missed = error.contains(&format!("{auth_type}.{name} is required"));
                assert_eq!(is_missed, required.contains(&name.as_str()), "{slug} {auth_type}.{name}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_application_tells_how_to_connect_and_who_is_connected() {
    let world = World::start().await;
    let key = json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}});
    assert_eq!(world.migrate("stripe", key).await.status, 200);

    let mut stripe = ask(&world, &format!("{APPLICATION}/stripe?linked_account_id=user_1")).await.json();
    let connected = stripe["connected_accounts"][0].take();
    assert!(connected["connectedAt"].as_str().unwrap().ends_with('Z'), "{connected}");
    let id = stripe["_id"].take();
    assert!(id.as_str().is_some_and(|id| id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit())), "{id}");
    let account = connected["identifier"].as_str().unwrap();
    assert!(account.starts_with("acct_"), "{account}");
    assert_eq!(
        connected,
        json!({
            "identifier": account, "connectedAt": connected["connectedAt"], "status": "active",
            "auth_type": "keybased", "defaultCredentials": false,
        })
    );
    let inputs = json!([
        {
            "name": "api_key", "label": "API key", "placeholder": "rk_test_example", "required": true,
            "type": "password",
            "help_text": "Stripe Dashboard > Developers > API keys: a secret key, or better a restricted one.",
        },
        {
            "name": "stripe_account", "label": "Connected account", "placeholder": "acct_0example0", "required": false,
            "type": "text",
            "help_text": "For a platform's key: the connected account to act for. Sent as `Stripe-Account`.",
        },
        {
            "name": "stripe_context", "label": "Context", "placeholder": "acct_0example0", "required": false,
            "type": "text",
            "help_text": "For an organisation's key: its account, and a connected one after `/`. Sent as `Stripe-Context`.",
        },
    ]);
    let expected = json!({
        "_id": null, "name": "Stripe", "icon": null, "description": "Payments and billing", "auth_type": "keybased",
        "type": "stripe", "kind": "native", "app_id": null, "tags": ["payments", "billing"], "ecosystem": true,
        "slug": "stripe", "auth_type_options": {"keybased": inputs}, "auth_input_map": inputs, "connected": true,
        "connected_accounts": [null], "reauth_required": false,
    });
    assert_eq!(stripe, expected);

    // The header has the same effect as the query, and both have to agree.
    let both = |query: &str| {
        let request = Request::new("GET", &format!("{APPLICATION}/slack?linked_account_id={query}"));
        world.send(request.header("linked_account_id", "user_1"))
    };
    assert_eq!(both("nobody").await.status, 400);
    let slack = both("user_1").await.json();
    assert_eq!((&slack["connected"], &slack["connected_accounts"]), (&json!(false), &json!([])));
    // A user is never asked for the tokens of a connect flow.
    assert_eq!(slack["auth_type_options"]["oauth2"], json!([]));
    let netsuite = ask(&world, &format!("{APPLICATION}/netsuite")).await.json();
    assert_eq!(netsuite["auth_type_options"]["oauth2"][0]["name"], "account_id");
    assert_eq!(netsuite["auth_type_options"]["oauth2"].as_array().unwrap().len(), 1);
    assert_eq!(netsuite["auth_input_map"], netsuite["auth_type_options"]["keybased"]);
    assert_eq!((netsuite.get("connected"), &netsuite["connected_accounts"]), (None, &json!([])));
}

#[tokio::test]
async fn the_list_holds_what_the_query_asks_for() {
    let world = World::start().await;
    let cases: [(&str, &[&str]); 9] = [
        ("", &["hubspot", "netsuite", "slack", "stripe"]),
        ("?auth_type=oauth2", &["hubspot", "netsuite", "slack"]),
        ("?tags=crm,payments", &["hubspot", "stripe"]),
        ("?tags=crm&auth_type=keybased", &["hubspot"]),
        ("?slug=slack", &["slack"]),
        ("?slug=no-such-app", &[]),
        ("?ecosystem=true", &["hubspot", "netsuite", "slack", "stripe"]),
        ("?ecosystem=false", &[]),
        ("?linked_account_id=user_1&slug=stripe", &["stripe"]),
    ];
    for (query, expected) in cases {
        let list = ask(&world, &format!("{APPLICATION}{query}")).await;
        assert_eq!((list.status, slugs(&list.json())), (200, expected.to_vec()), "{query}");
    }
}

#[tokio::test]
async fn who_and_what_is_not_known_is_told_in_the_documented_words() {
    let world = World::start().await;
    let address = world.server.address();
    let unknown = "Linked Account with account id nobody for org acme in environment test not found";
    let cases = [
        (
            format!("{APPLICATION}/test-app"),
            json!({
                "status_code": 404, "http_error_type": "EXTERNAL_API_ERROR", "error": "EXTERNAL_API_FAILURE",
                "message": "Application with app_type 'test-app' not found for org acme",
            }),
        ),
        (
            format!("{APPLICATION}?linked_account_id=nobody"),
            json!({"status_code": 404, "http_error_type": "NOT_FOUND", "error": "SERVER_ERROR", "message": unknown}),
        ),
        (
            format!("{APPLICATION}/stripe?linked_account_id=nobody"),
            json!({"status_code": 404, "http_error_type": "NOT_FOUND", "error": "SERVER_ERROR", "message": unknown}),
        ),
    ];
    for (path, body) in cases {
        let answer = ask(&world, &path).await;
        assert_eq!((answer.status, answer.json()), (404, body), "{path}");
    }
    for path in [APPLICATION.to_owned(), format!("{APPLICATION}/stripe")] {
        let answer = get(address, &path).await;
        assert_eq!((answer.status, &answer.json()["message"]), (401, &json!("Invalid Credentials")), "{path}");
    }
    assert_eq!(ask(&world, &format!("{APPLICATION}?slug=a&slug=b")).await.status, 400);
    assert_eq!(world.send(Request::new("POST", APPLICATION)).await.status, 405);
}

#[tokio::test]
async fn a_dropped_in_app_shows_up_at_once_and_goes_when_its_file_goes() {
    let world = World::start().await;
    let file = world.plugins().join("linear.wasm");
    let shows = |wanted: bool| {
        let world = &world;
        async move {
            let deadline = Instant::now() + Duration::from_secs(60);
            loop {
                let listed = slugs(&ask(world, APPLICATION).await.json()).contains(&"linear");
                let shown = ask(world, &format!("{APPLICATION}/linear")).await.status == 200;
                let structure = get(world.server.address(), &format!("{STRUCTURE}/linear")).await.status == 200;
                if [listed, shown, structure] == [wanted; 3] {
                    return;
                }
                assert!(Instant::now() < deadline, "listed {listed}, shown {shown}, structure {structure}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    shows(false).await;
    binary::copy(["linear"], &world.plugins());
    shows(true).await;
    std::fs::remove_file(file).unwrap();
    shows(false).await;
}
