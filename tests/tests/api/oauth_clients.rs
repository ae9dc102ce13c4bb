//! OAuth clients: stored, shown without their secrets, replaced, deleted; and where their secrets are not.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;

use keyferry_tests::http::{Request, Response};
use keyferry_tests::leaks::{Canary, Haystack, Searcher};
use keyferry_tests::terminal::at_terminal;
use keyferry_tests::{ORG, Server, ServerOptions, World, WorldOptions, create_api_key, run_in};
use serde_json::{Value, json};

const CLIENTS: &str = "/api/v2/public/oauth-client";

fn path(of: &str) -> String {
    format!("{CLIENTS}/{of}")
}

async fn put(world: &World, of: &str, body: &Value) -> Response {
    let answer = world.send(Request::new("PUT", &path(of)).json(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json().get("error").is_none(), "{}", answer.text());
    answer
}

async fn listed(world: &World, key: &str) -> Vec<String> {
    let answer = world.send_as_it_is(Request::new("GET", CLIENTS).header("x-api-key", key)).await;
    let one = |client: &Value| format!("{}/{}", client["slug"].as_str().unwrap(), client["name"].as_str().unwrap());
    answer.json().as_array().unwrap().iter().map(one).collect()
}

fn problem(request: Request) -> Request {
    request.header("accept", "application/problem+json")
}

#[tokio::test]
async fn a_client_is_stored_shown_without_its_secrets_replaced_and_deleted() {
    let world = World::start().await;
    let body = json!({
        "client_id": "  3f0c9a52-6d1e-4b7a\n", "client_secret": "s3cr3t-of-hubspot",
        "callback_url": "https://acme.example.com/oauth/callback",
    });
    let made = put(&world, "hubspot", &body).await;
    assert_eq!(made.header("keyferry-action"), Some("created"));
    assert!(made.header("keyferry-warnings").is_some_and(|warnings| warnings.contains("client_id")));
    let (tag, shown) = (made.header("etag").unwrap().to_owned(), made.json());
    let of_time = |name: &str| shown[name].clone();
    let expected = json!({
        "slug": "hubspot", "name": "default", "environment": "test", "client_id_ends_with": "4b7a",
        "has_client_secret": true, "callback_url": "https://acme.example.com/oauth/callback", "refused": null,
        "revision": tag.trim_matches('"'), "created_at": of_time("created_at"), "updated_at": of_time("updated_at"),
    });
    assert_eq!(shown, expected);
    for of in ["hubspot", "hubspot/default"] {
        let again = world.send(Request::new("GET", &path(of))).await;
        assert_eq!((again.header("etag"), again.json()), (Some(tag.as_str()), expected.clone()));
        let had = world.send(Request::new("GET", &path(of)).header("if-none-match", &tag)).await;
        assert_eq!(had.status, 304);
    }
    assert_eq!(world.send(Request::new("GET", CLIENTS)).await.json(), json!([expected]));

    // What is left out of a later form is gone, and a short id is not shown at all.
    let replaced = put(&world, "hubspot", &json!({"client_id": "12345"})).await;
    assert_eq!(replaced.header("keyferry-action"), Some("updated"));
    let now = replaced.json();
    assert_eq!((&now["client_id_ends_with"], &now["has_client_secret"]), (&Value::Null, &json!(false)));
    assert_eq!((&now["callback_url"], &now["created_at"]), (&Value::Null, &shown["created_at"]));

    let deleted = world.send(Request::new("DELETE", &path("hubspot"))).await.json();
    assert_eq!(deleted, json!({"success": true, "slug": "hubspot", "name": "default"}));
    assert_eq!(world.send(Request::new("GET", CLIENTS)).await.json(), json!([]));
    for method in ["GET", "DELETE"] {
        let answer = world.send(Request::new(method, &path("hubspot"))).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("RESOURCE_NOT_FOUND")));
        let answer = world.send(problem(Request::new(method, &path("hubspot")))).await;
        assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("unknown_oauth_client")));
    }
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    for (operation, times) in [("oauth_client_put", 2), ("oauth_client_deleted", 1)] {
        assert_eq!(trail.matches(&format!("\"operation\":\"{operation}\"")).count(), times, "{operation}");
    }
}

#[tokio::test]
async fn a_write_of_a_client_can_depend_on_what_is_stored() {
    let world = World::start().await;
    let write = async |method: &str, condition: (&str, &str)| {
        let request = Request::new(method, &path("hubspot")).header(condition.0, condition.1);
        let request = if method == "PUT" { request.json(&json!({"client_id": "0123456789"})) } else { request };
        let answer = world.send(problem(request)).await;
        (answer.status, answer.header("etag").unwrap_or_default().to_owned(), answer.text().to_owned())
    };
    assert_eq!(write("PUT", ("if-match", "*")).await.0, 412);
    let (status, first, said) = write("PUT", ("if-none-match", "*")).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(write("PUT", ("if-none-match", "*")).await.0, 412);
    let (status, second, said) = write("PUT", ("if-match", &first)).await;
    assert!(status == 200 && first != second, "{said}");
    let (status, _, said) = write("PUT", ("if-match", &first)).await;
    let revision = second.trim_matches('"');
    assert!(status == 412 && said.contains("the OAuth client is not at the revision"), "{said}");
    assert!(said.contains(revision), "{said}");
    assert_eq!(write("DELETE", ("if-match", &first)).await.0, 412);
    assert_eq!(write("DELETE", ("if-match", &second)).await.0, 200);
    let (_, again, _) = write("PUT", ("if-none-match", "*")).await;
    assert!(again.ends_with("-1\"") && again != first, "a client that is made anew has another revision: {again}");
    assert_eq!(write("PUT", ("if-match", &first)).await.0, 412);
    assert_eq!(write("PUT", ("if-none-match", &first)).await.0, 400);
}

#[tokio::test]
async fn an_app_has_several_clients_and_another_organisation_or_environment_sees_none() {
    let world = World::start().await;
    for (of, id) in [("hubspot", "0123456789"), ("hubspot/eu", "0123456780"), ("stripe/a_b-7", "0123456781")] {
        put(&world, of, &json!({ "client_id": id })).await;
    }
    let all = ["hubspot/default", "hubspot/eu", "stripe/a_b-7"];
    assert_eq!(listed(&world, &world.api_key).await, all);
    let eu = world.send(Request::new("GET", &path("hubspot/eu"))).await.json();
    assert_eq!((&eu["name"], &eu["client_id_ends_with"]), (&json!("eu"), &json!("6780")));
    let wrong = world.send(Request::new("GET", &path("hubspot/ue"))).await.json();
    assert!(wrong["message"].as_str().unwrap().contains("; is `eu` meant?"), "{wrong}");
    let wrong = world.send(Request::new("GET", &path("stripe"))).await.json();
    assert!(wrong["message"].as_str().unwrap().contains("; the app has `a_b-7`"), "{wrong}");
    for (org, environment) in [(ORG, "production"), ("rival", "test")] {
        let (_, key, said) = world.command(&["api-key", "create", "--org", org, "--environment", environment]).await;
        let key = key.trim();
        assert_eq!(listed(&world, key).await, [""; 0], "{said}");
        for method in ["GET", "DELETE"] {
            let request = Request::new(method, &path("hubspot")).header("x-api-key", key);
            assert_eq!(world.send_as_it_is(problem(request)).await.status, 404);
        }
        let request = Request::new("PUT", &path("hubspot")).header("x-api-key", key);
        let answer = world.send_as_it_is(request.json(&json!({"client_id": "of-another"}))).await;
        assert_eq!(answer.header("keyferry-action"), Some("created"));
    }
    assert_eq!(listed(&world, &world.api_key).await, all);
}

#[tokio::test]
async fn clients_take_the_scope_admin() {
    let world = World::start().await;
    put(&world, "hubspot", &json!({"client_id": "0123456789"})).await;
    let arguments = ["api-key", "create", "--org", ORG, "--environment", "test"];
    let scopes = ["--scope", "migrate", "--scope", "read", "--scope", "read_credentials"];
    let (_, weak, _) = world.command(&[arguments.as_slice(), &scopes].concat()).await;
    let body = json!({"client_id": "0123456789"});
    for request in [
        Request::new("GET", CLIENTS),
        Request::new("GET", &path("hubspot")),
        Request::new("DELETE", &path("hubspot")),
        Request::new("PUT", &path("hubspot")).json(&body),
        Request::new("GET", &path("hubspot/eu")),
        Request::new("DELETE", &path("hubspot/eu")),
        Request::new("PUT", &path("hubspot/eu")).json(&body),
    ] {
        let answer = world.send_as_it_is(problem(request.clone().header("x-api-key", weak.trim()))).await;
        let told = answer.json();
        assert_eq!((answer.status, &told["code"]), (403, &json!("scope_missing")), "{request:?}");
        let answer = world.send_as_it_is(request.header("x-api-key", "tk_0123")).await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(listed(&world, &world.api_key).await, ["hubspot/default"]);
}

#[tokio::test]
async fn what_is_no_client_is_refused_and_nothing_of_it_is_repeated() {
    let world = World::start().await;
    let long = "s3cr3t".repeat(2000);
    let cases = [
        ("hubspot", json!({}), 422, "client_id is required"),
        ("hubspot", json!({"client_id": " \n"}), 422, "client_id is required, and is empty"),
        ("hubspot", json!({"client_id": {"s3cr3t": 1}}), 422, "client_id must be a string"),
        ("hubspot", json!({"client_id": "s3cr3t\nid"}), 422, "client_id must be a single line"),
        ("hubspot", json!({"client_id": "x", "client_secret": long}), 422, "client_secret is too long"),
        (
            "hubspot",
            json!({"client_id": "x", "client_secrt": "s3cr3t"}),
            422,
            "which has client_id, client_secret, callback_url",
        ),
        ("hubspot", json!({"client_id": "x", "callback_url": "s3cr3t"}), 422, "callback_url must match"),
        ("hubspot", json!(["s3cr3t"]), 400, "the request body must be a JSON object, and is an array"),
        ("hubspt", json!({"client_id": "s3cr3t"}), 404, "there is no app with the slug `hubspt`; is `hubspot` meant?"),
        ("custom", json!({"client_id": "s3cr3t"}), 422, "Custom apps are not supported"),
        ("hubspot/EU", json!({"client_id": "s3cr3t"}), 400, "lower-case letters, digits, `-` or `_`"),
    ];
    for (of, body, status, message) in cases {
        let request = Request::new("PUT", &path(of)).json(&body);
        let plain = world.send(request.clone()).await;
        let answer = world.send(problem(request)).await;
        let told = answer.json();
        assert_eq!(answer.status, status, "{of} {body}: {told}");
        assert!(told["detail"].as_str().unwrap().contains(message), "{of} {body}: {told}");
        assert!(!answer.text().contains("s3cr3t") && !plain.text().contains("s3cr3t"), "{told}");
        if status != 400 {
            assert_eq!((plain.status, plain.json().get("error").is_some()), (200, true), "the documented form");
        }
    }
    assert_eq!(listed(&world, &world.api_key).await, [""; 0]);
    for number in 0..100 {
        put(&world, &format!("hubspot/n{number}"), &json!({"client_id": "0123456789"})).await;
    }
    let full = world.send(Request::new("PUT", &path("hubspot")).json(&json!({"client_id": "x"}))).await;
    assert!(full.status == 400 && full.text().contains("there are 100 OAuth clients"), "{}", full.text());
    put(&world, "hubspot/n7", &json!({"client_id": "9876543210"})).await;
}

#[tokio::test]
async fn an_app_that_is_installed_and_not_in_service_can_have_a_client() {
    let world = World::start().await;
    let plugins = world.plugins().display().to_string();
    let (code, said, err) = world.command(&["plugin", "revoke", "hubspot", "--plugins", &plugins]).await;
    assert_eq!(code, Some(0), "{said}{err}");
    let body = json!({"slug": "hubspot", "auth_object": {"keybased": {"x": "y"}}});
    let gone = world.send(problem(world.migrate_request(&body))).await;
    assert_eq!(gone.json()["code"], "app_not_in_service", "{}", gone.text());
    put(&world, "hubspot", &json!({"client_id": "0123456789"})).await;
    assert_eq!(listed(&world, &world.api_key).await, ["hubspot/default"]);
}

#[tokio::test]
async fn ids_and_secrets_are_in_no_answer_log_or_file() {
    let chatty =
        |options: &mut ServerOptions| options.environment.push(("KEYFERRY_LOG".to_owned(), "trace".to_owned()));
    let options = WorldOptions { server: Some(Box::new(chatty)), ..WorldOptions::default() };
    let mut world = World::start_with(options).await;
    let (id, secret) = (Canary::plain("a client's id"), Canary::plain("a client's secret"));
    let body = json!({"client_id": id.value(), "client_secret": secret.value()});
    let mut seen = Haystack::default();
    for (name, request) in [
        ("put", Request::new("PUT", &path("hubspot")).json(&body)),
        ("replace", Request::new("PUT", &path("hubspot")).json(&body)),
        ("show", Request::new("GET", &path("hubspot"))),
        ("list", Request::new("GET", CLIENTS)),
        ("misplaced", Request::new("PUT", &path("hubspot")).json(&json!({secret.value(): id.value()}))),
        ("misplaced app", Request::new("PUT", &path(secret.value())).json(&body)),
    ] {
        for accept in ["application/json", "application/problem+json"] {
            seen.answer(name, &world.send(request.clone().header("accept", accept)).await);
        }
    }
    assert!(world.server.terminate().await.success());
    seen.add("what the server printed", world.server.logs());
    let (_, trail, _) = world.command(&["audit", "export", "--org", ORG]).await;
    seen.add("the trail", trail);
    seen.folder(&world.data(), "keyferry.key");
    let found = seen.search(&Searcher::new([&id, &secret]), |_, _| false);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn a_rotation_takes_clients_along_and_their_revisions_stay() {
    let world = World::start().await;
    let made = put(&world, "hubspot", &json!({"client_id": "0123456789", "client_secret": "s3cr3t"})).await.json();
    let run = async |arguments: &[&str], expected: i32| {
        let (code, printed, said) = world.command(&[arguments, &["--org", ORG]].concat()).await;
        assert_eq!(code, Some(expected), "{arguments:?}: {printed}{said}");
        said
    };
    run(&["key", "rotate"], 0).await;
    let why = run(&["key", "disable", "1"], 1).await;
    assert!(why.contains("has credentials sealed under it"), "{why}");
    run(&["key", "reseal"], 0).await;
    run(&["key", "disable", "1"], 0).await;
    run(&["key", "destroy", "1", "--yes"], 0).await;
    assert_eq!(world.send(Request::new("GET", &path("hubspot"))).await.json(), made);
}

#[tokio::test]
async fn a_backup_that_is_restored_has_the_clients() {
    let mut world = World::start().await;
    let made = put(&world, "hubspot/eu", &json!({"client_id": "0123456789", "client_secret": "s3cr3t"})).await.json();
    let file = world.folder().join("clients.kfb").display().to_string();
    let (code, _, said) = world.command(&["backup", &file]).await;
    assert_eq!(code, Some(0), "{said}");
    let data = world.folder().join("restored");
    DirBuilder::new().mode(0o700).create(&data).unwrap();
    fs::copy(world.data().join("keyferry.key"), data.join("keyferry.key")).unwrap();
    let output = run_in(&[], ["restore", "--data", &data.display().to_string(), &file]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut options = world.server.options_mut().clone();
    options.data = data;
    options.environment.retain(|(name, _)| name != "KEYFERRY_STORE_URL");
    let restored = Server::start(options).await;
    let shown = world.send_to(&restored, Request::new("GET", &path("hubspot/eu"))).await.json();
    assert_eq!(shown, made);
}

fn file(world: &World, name: &str, content: &str) -> String {
    let path: PathBuf = world.folder().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn the_command_stores_lists_shows_and_deletes_clients() {
    let world = World::start().await;
    let (id, secret) = (file(&world, "id", "0123456789\n"), file(&world, "secret", "s3cr3t\n"));
    let run = async |arguments: &[&str], expected: i32| {
        let (code, printed, said) = world.client(&world.api_key, &[&["oauth-client"], arguments].concat()).await;
        assert_eq!(code, Some(expected), "{arguments:?}: {printed}{said}");
        assert!(!printed.contains("s3cr3t") && !said.contains("s3cr3t"));
        (printed, said)
    };
    let callback = ["--callback-url", "https://acme.example.com/cb"];
    let all = ["put", "hubspot", "--client-id-file", &id, "--client-secret-file", &secret];
    let (printed, said) = run(&[all.as_slice(), &callback].concat(), 0).await;
    assert_eq!((printed.as_str(), said.as_str()), ("OAuth client default of hubspot is stored\n", ""));
    let (printed, _) = run(&all, 0).await;
    assert_eq!(printed, "OAuth client default of hubspot is replaced\n");
    let (printed, _) = run(&["put", "hubspot", "--name", "eu", "--client-id", "0123456780", "--json"], 0).await;
    let made: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&made["name"], &made["has_client_secret"]), (&json!("eu"), &json!(false)));
    let (printed, _) = run(&["list"], 0).await;
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[0], "app\tname\tclient id\tsecret\tcallback URL\tchanged\trefused");
    assert!(lines[1].starts_with("hubspot\tdefault\t...6789\tsealed\t") && lines.len() == 3, "{printed}");
    assert!(lines[2].starts_with("hubspot\teu\t...6780\tnone\t"), "{printed}");
    let (printed, _) = run(&["list", "--json"], 0).await;
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap().as_array().unwrap().len(), 2);
    let (printed, _) = run(&["show", "hubspot", "--name", "eu"], 0).await;
    assert!(
        printed.starts_with("app\thubspot\nname\teu\nenvironment\ttest\nclient id\t...6780\nsecret\tnone\n"),
        "{printed}"
    );
    let (printed, _) = run(&["show", "hubspot", "--name", "eu", "--json"], 0).await;
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), made);
    let (_, said) = run(&["show", "stripe"], 1).await;
    assert!(said.contains("there is no OAuth client `default` of the app `stripe`"), "{said}");
    let (_, said) = run(&["put", "hubspt", "--client-id", "x"], 1).await;
    assert!(said.contains("is `hubspot` meant?"), "{said}");
    let (_, said) = run(&["put", "hubspot", "--client-id-file", "-", "--client-secret-file", "-"], 1).await;
    assert!(said.contains("put one of them into a file"), "{said}");
    let empty = file(&world, "empty", "\n");
    let (_, said) = run(&["put", "hubspot", "--client-id", "x", "--client-secret-file", &empty], 1).await;
    assert!(said.contains("is empty"), "{said}");
    run(&["put", "hubspot"], 2).await;
    let (printed, _) = run(&["delete", "hubspot", "--name", "eu"], 0).await;
    assert_eq!(printed, "OAuth client eu of hubspot is deleted\n");

    // A secret that others can read is used, with a warning.
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, said) = run(&all, 0).await;
    assert!(said.contains("others can read the client secret in") && said.contains("chmod 600"), "{said}");
    let weak = create_api_key(&world.data(), ORG, "production").await;
    let (code, printed, _) = world.client(&weak, &["oauth-client", "list", "--json"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "[]\n"));
}

#[tokio::test]
async fn at_a_terminal_a_deletion_is_asked_for() {
    let world = World::start().await;
    put(&world, "hubspot", &json!({"client_id": "0123456789"})).await;
    let environment =
        [("KEYFERRY_API_KEY".to_owned(), world.api_key.clone()), ("KEYFERRY_SERVER".to_owned(), world.server.url())];
    for (typed, code, said) in [
        ("n\n", 1, "OAuth client default of hubspot is as it was"),
        ("y\n", 0, "OAuth client default of hubspot is deleted"),
    ] {
        let Some((exit, screen)) = at_terminal(&environment, &["oauth-client", "delete", "hubspot"], typed).await
        else {
            return;
        };
        assert_eq!(exit, Some(code), "{screen}");
        assert!(screen.contains("Delete OAuth client default of hubspot?") && screen.contains(said), "{screen}");
    }
}
