//! `/api/v2/public/linked-account`, as documented.
use keyferry_mock_providers::apps::demo;
use keyferry_tests::World;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::leaks::folder_holds;
use serde_json::{Value, json};

const PATH: &str = "/api/v2/public/linked-account";

#[tokio::test]
async fn accounts_are_created_updated_listed_shown_and_deleted() {
    let world = World::start().await;
    let ask = |method: &'static str, path: String| world.send(Request::new(method, &path));
    let create =
        |id: &'static str| world.send(Request::new("POST", PATH).json(&json!({"account_id": id, "name": "Ada"})));

    let created: Response = create("a/b@example.com").await;
    assert_eq!(created.status, 200);
    assert_eq!(
        (&created.json()["account_id"], &created.json()["integrations"]),
        (&json!("a/b@example.com"), &json!(null))
    );
    let twice = create("a/b@example.com").await;
    let message = "Linked account with id a/b@example.com already exists in the test environment";
    assert_eq!((twice.status, twice.json()["message"].as_str()), (400, Some(message)));
    let nameless = world.send(Request::new("POST", PATH).json(&json!({}))).await;
    assert_eq!(nameless.status, 400);
    assert_eq!(nameless.json()["error"], "INVALID_LINKED_ACCOUNT_ID");
    assert_eq!(nameless.json()["message"], "linked_account_id required");

    let body = json!({"payload": {"linked_account_id": "user_1", "name": "One", "udf": {"plan": "gold"}}});
    let updated = world.send(Request::new("PUT", PATH).json(&body)).await.json();
    assert_eq!((&updated["new_account"], &updated["name"]), (&json!(false), &json!("One")));
    assert_eq!(updated["udf"][0]["key_value"], "gold");
    let page = ask("GET", format!("{PATH}?page=2&limit=1")).await.json();
    assert_eq!((&page["totalDocs"], &page["totalPages"], &page["hasNextPage"]), (&json!(2), &json!(2), &json!(false)));
    let newest = ask("GET", format!("{PATH}?limit=1")).await.json()["docs"][0].clone();
    let made: jiff::Timestamp = newest["createdAt"].as_str().unwrap().parse().unwrap();
    let after = format!("{}-{}", made.as_millisecond(), newest["_id"].as_str().unwrap());
    let rest = ask("GET", format!("{PATH}?after={after}")).await.json();
    assert_eq!((&newest["account_id"], &rest["docs"][0]["account_id"]), (&json!("a/b@example.com"), &json!("user_1")));
    assert_eq!((&rest["totalDocs"], &rest["hasNextPage"]), (&json!(1), &json!(false)), "those that follow");
    for wrong in ["", "user_1", "1785490200007", "-6b0647e544cfc2cfb0738328"] {
        let answer = ask("GET", format!("{PATH}?after={wrong}")).await;
        assert!(answer.status == 400 && answer.text().contains("after: it is"), "{wrong}: {}", answer.text());
    }
    // The vendor's SDK does not escape the slash in the id.
    assert_eq!(ask("GET", format!("{PATH}/a/b@example.com")).await.json()["name"], "Ada");

    let key = json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY}});
    assert_eq!(world.migrate("stripe", key).await.status, 200);
    let shown = ask("GET", format!("{PATH}/user_1")).await;
    assert_eq!(shown.json()["integrations"][0]["type"], "stripe");
    assert!(!shown.text().contains(demo::STRIPE_SECRET_KEY));
    let remove = format!("{PATH}/integration/stripe?linked_account_id=user_1");
    assert_eq!(ask("DELETE", format!("{remove}&auth_type=oauth2")).await.json()["integrations"][0]["type"], "stripe");
    for _ in 0..2 {
        assert_eq!(ask("DELETE", remove.clone()).await.json()["integrations"], json!([]));
    }
    let gone = ask("DELETE", format!("{PATH}/user_1")).await;
    assert_eq!((gone.status, gone.text()), (200, r#"{"message":"User deleted successfully"}"#.to_owned()));
    let missing = ask("GET", format!("{PATH}/user_1")).await;
    let message = "Linked Account with account id user_1 for org acme in environment test not found";
    assert_eq!((missing.status, missing.json()["message"].as_str()), (404, Some(message)));
}

#[tokio::test]
async fn what_cannot_be_an_account_or_is_too_much_of_one_is_refused_with_a_reason() {
    let world = World::start().await;
    let create = |body: serde_json::Value| world.send(Request::new("POST", PATH).json(&body));
    let cases = [
        (json!({"account_id": "user\u{200b}_2"}), "must not hold the invisible character U+200B (zero width space)"),
        (json!({"linked_account_id": "us\u{ad}er"}), "must not hold the invisible character U+00AD (soft hyphen)"),
        (json!({"account_id": "user\u{a0}2"}), "must not hold the invisible character U+00A0 (no-break space)"),
        (json!({"account_id": " user_2"}), "must not begin or end with white space"),
        (json!({"account_id": "user_2", "linked_account_id": "\n"}), "must not begin or end with white space"),
        (json!({"account_id": "user\u{0}2"}), "without control characters"),
        (
            json!({"account_id": "user_2", "your_app": {"auth_credentials": {"no name": "s3cr3t"}}}),
            "1 to 64 letters, digits or `_`",
        ),
        (json!({"account_id": "user_2", "your_app": {"auth_credentials": {"key": 1}}}), "a value has the wrong type"),
        (json!({"account_id": "user_2", "your_app": {"auth_credentials": {"key": "x".repeat(50_000)}}}), "your_app: "),
        (json!(["user_2", null, null, null, null]), "must be a JSON object, and is an array"),
        (json!("user_2"), "is not valid JSON"),
        (json!({"account_id": "user_2", "name": "x".repeat(501)}), "more than 500 characters"),
    ];
    for (body, expected) in cases {
        let answer = create(body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.text().contains(expected), "{body}: {}", answer.text());
    }
    // Fields accumulate over requests until they exceed the limit of a record.
    let mut last = create(json!({"account_id": "user_2"})).await;
    for round in 0..3 {
        let udf: serde_json::Map<_, _> = (0..15).map(|n| (format!("{round}-{n}"), json!("x".repeat(2000)))).collect();
        last = world.send(Request::new("PUT", PATH).json(&json!({"account_id": "user_2", "udf": udf}))).await;
    }
    assert_eq!((last.status, last.text().contains("with all its fields")), (400, true), "{}", last.text());
    let kept = world.send(Request::new("GET", &format!("{PATH}/user_2"))).await.json();
    assert_eq!(kept["udf"].as_array().unwrap().len(), 30);
    // Errors in path and query have the same shapes as all others.
    for target in [format!("{PATH}/%ff"), format!("{PATH}?page=0"), format!("{PATH}?limit=0"), format!("{PATH}?page=x")]
    {
        let answer = world.send(Request::new("GET", &target)).await;
        assert_eq!((answer.status, &answer.json()["status_code"]), (400, &json!(400)), "{target}");
    }
    let twice = format!("{PATH}/integration/stripe?linked_account_id=user_1&linked_account_id=user_2");
    assert_eq!(world.send(Request::new("DELETE", &twice)).await.json()["status_code"], 400);
    let page = world.send(Request::new("GET", &format!("{PATH}?limit=5000"))).await.json();
    assert_eq!(page["limit"], 1000);
}

/// Credentials for an organisation's own apps are sealed like any other credential, and deleted with the account.
#[tokio::test]
async fn credentials_of_the_organisations_own_app_are_sealed_read_back_and_kept_whole() {
    let mut world = World::start().await;
    let put = |body: serde_json::Value| world.send(Request::new("PUT", PATH).json(&body));
    let own = |name: &'static str| format!("{PATH}/default-app/auth-credentials/{name}?linked_account_id=user_1");
    let set =
        put(json!({"account_id": "user_1", "your_app": {"auth_credentials": {"api_key": "0wn-s3cr3t", "host": "h"}}}))
            .await;
    assert_eq!((set.status, &set.json()["integrations"][0]["type"]), (200, &json!("custom")));
    // One is added, one is replaced; fields that are not named stay.
    assert_eq!(
        put(json!({"account_id": "user_1", "your_app": {"auth_credentials": {"host": "h-2"}}})).await.status,
        200
    );
    let one = world.send(Request::new("PUT", &own("token")).json(&json!({"value": true}))).await;
    assert_eq!(one.json()["action"], "added");
    for wrong in [json!({}), json!({"value": null}), json!({"value": ["x"]}), json!({"value": {"a": 1}})] {
        let answer = world.send(Request::new("PUT", &own("token")).json(&wrong)).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("VALIDATION_ERROR")), "{wrong}");
    }
    let (code, reader, said) = world
        .command(&["api-key", "create", "--org", "acme", "--environment", "test", "--scope", "read_credentials"])
        .await;
    assert_eq!(code, Some(0), "{said}");
    let path = format!("{PATH}/user_1/integration/custom/credentials");
    let read =
        |world: &World| Request::new("GET", &path).header("x-api-key", reader.trim()).send(world.server.address());
    let kept = json!({"keybased": {"api_key": "0wn-s3cr3t", "host": "h-2", "token": "true"}});
    assert_eq!(read(&world).await.json()["auth_object"], kept);
    // Concurrent writes: none loses another's change, and each completes.
    let names: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
    let set = |name: &String| {
        let target = format!("{PATH}/default-app/auth-credentials/{name}?linked_account_id=user_1");
        world.send(Request::new("PUT", &target).json(&json!({"value": "v"})))
    };
    let answers = futures_util::future::join_all(names.iter().map(set)).await;
    let after = read(&world).await.json();
    for (name, answer) in names.iter().zip(answers) {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(after["auth_object"]["keybased"][name], "v", "{name}");
    }
    assert_eq!(after["auth_object"]["keybased"]["token"], "true");
    // No provider verifies them, and migrate-token refuses them.
    assert_eq!(after["outcome"], "unverified");
    let refused = world.migrate("custom", json!({"keybased": {"api_key": "x"}})).await;
    assert_eq!(refused.json()["error"], "Custom apps are not supported for this endpoint.");
    // They move to the next root with all other credentials, and are nowhere in plain text.
    for command in ["rotate", "reseal"] {
        assert_eq!(world.command(&["key", command, "--org", "acme"]).await.0, Some(0), "{command}");
    }
    assert_eq!(read(&world).await.json()["auth_object"], after["auth_object"]);
    let exported = world.command(&["audit", "export", "--org", "acme"]).await.1;
    assert!(exported.contains("auth_credentials_put") && !exported.contains("0wn-s3cr3t"));
    assert!(world.server.terminate().await.success());
    assert!(!folder_holds(&world.data().join("store"), b"0wn-s3cr3t"), "in the store");
}

#[tokio::test]
async fn a_request_that_names_two_accounts_is_refused_at_every_door() {
    let world = World::start().await;
    world.create_account("user_2").await;
    let session = "/api/v2/public/session-token";
    let integration = format!("{PATH}/integration");
    let own = format!("{PATH}/default-app/auth-credentials/key");
    let save = format!("{integration}/save-key-credentials/stripe");
    let value = || Some(json!({"value": "v"}));
    let none = || None::<Value>;
    // Method, target, body; with the header `linked_account_id: user_1` and without it.
    let doors: Vec<(&str, String, Option<Value>, bool)> = vec![
        ("GET", format!("{PATH}/user_2"), none(), true),
        ("DELETE", format!("{PATH}/user_2"), none(), true),
        ("GET", format!("{PATH}/user_2/integration/stripe/credentials"), none(), true),
        ("POST", format!("{PATH}/user_2/integration/stripe/verify"), none(), true),
        ("GET", format!("{PATH}/user_2?linked_account_id=user_1"), none(), false),
        ("DELETE", format!("{PATH}/user_2?Linked-Account-ID=user_1"), none(), false),
        ("DELETE", format!("{integration}/stripe?linked_account_id=user_2"), none(), true),
        ("DELETE", format!("{integration}/stripe?linked_account_id=user_1&linked_account_id=user_2"), none(), false),
        ("PUT", format!("{save}?linked_account_id=user_2"), Some(json!({"api_key": "x"})), true),
        (
            "PUT",
            format!("{save}?linked_account_id=user_1&linkedAccountId=user_2"),
            Some(json!({"api_key": "x"})),
            false,
        ),
        ("PUT", format!("{own}?linked_account_id=user_2"), value(), true),
        ("PUT", format!("{own}?linked_account_id=user_1&linked_account%5fid=user_2"), value(), false),
        ("DELETE", format!("{own}?linked_account_id=user_2"), none(), true),
        ("GET", "/api/v2/public/application?linked_account_id=user_2".to_owned(), none(), true),
        ("GET", "/api/v2/public/application/slack?linked_account_id=user_2".to_owned(), none(), true),
        ("POST", session.to_owned(), Some(json!({"linked_account_id": "user_2"})), true),
        ("POST", format!("{session}?linked_account_id=user_1"), Some(json!({"linked_account_id": "user_2"})), false),
        ("POST", PATH.to_owned(), Some(json!({"account_id": "new"})), true),
        ("POST", PATH.to_owned(), Some(json!({"account_id": "new", "linked_account_id": "user_2"})), false),
        ("PUT", PATH.to_owned(), Some(json!({"account_id": "user_2"})), true),
        ("PUT", PATH.to_owned(), Some(json!({"account_id": "user_2", "linked_account_id": "user_1"})), false),
        (
            "PUT",
            PATH.to_owned(),
            Some(json!({"payload": {"account_id": "user_1", "linked_account_id": "user_2"}})),
            false,
        ),
        ("PUT", PATH.to_owned(), Some(json!({"account_id": "user_1", "linkedAccountId": "user_2"})), false),
        ("POST", PATH.to_owned(), Some(json!({"linked_account_id": "new", "linked-account-id": "user_2"})), false),
        ("POST", session.to_owned(), Some(json!({"linked_account_id": "user_1", "linkedAccountId": "user_2"})), false),
    ];
    for (method, target, body, has_header) in doors {
        let mut request = Request::new(method, &target);
        if has_header {
            request = request.header("linked_account_id", "user_1");
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let problem = world.send(request.clone().header("accept", "application/problem+json")).await;
        assert_eq!(
            (problem.status, &problem.json()["code"]),
            (400, &json!("linked_account_conflict")),
            "{method} {target}"
        );
        let answer = world.send(request).await;
        assert_eq!(answer.status, 400, "{method} {target}: {}", answer.text());
        assert!(answer.text().contains("linked_account_id: "), "{method} {target}: {}", answer.text());
    }
    for account in ["user_1", "user_2"] {
        assert_eq!(
            world.send(Request::new("GET", &format!("{PATH}/{account}"))).await.status,
            200,
            "it is still there"
        );
    }
    // Equal values are accepted.
    let own = format!("{own}?linked_account_id=user_1&linked_account_id=user_1");
    let put = Request::new("PUT", &own).header("linked-account-id", "user_1").json(&json!({"value": "v"}));
    assert_eq!(world.send(put).await.status, 200);
    let twice =
        json!({"account_id": "user_2", "linked_account_id": "user_2", "payload": {"linked_account_id": "user_2"}});
    assert_eq!(world.send(Request::new("PUT", PATH).json(&twice)).await.status, 200);
    let shown = Request::new("GET", &format!("{PATH}/user_1")).header("linked_account_id", "user_1");
    assert_eq!(world.send(shown).await.status, 200);
}
