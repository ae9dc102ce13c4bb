//! `PUT /api/v2/public/migrate-token`: the contract's table of responses, byte for byte, against the built binary.

use keyferry_mock_providers::apps::demo;
use keyferry_tests::http::{Request, Response};
use keyferry_tests::{ACCOUNT, World, WorldOptions};
use serde_json::{Value, json};

const PATH: &str = "/api/v2/public/migrate-token";
pub(crate) const SUCCESS: &str = r#"{"success":true,"message":"Token migrated successfully"}"#;

pub(crate) fn hubspot(token: &str) -> Value {
    json!({"oauth2": {"access_token": token, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN}})
}

fn netsuite(account: &str, secret: &str) -> Value {
    json!({"keybased": {
        "account_id": account, "consumer_key": demo::NETSUITE_CONSUMER_KEY,
        "consumer_secret": demo::NETSUITE_CONSUMER_SECRET, "token_id": demo::NETSUITE_TOKEN_ID, "token_secret": secret,
    }})
}

fn envelope(status: u16, kind: &str, message: &str) -> String {
    format!(r#"{{"status_code":{status},"http_error_type":"{kind}","error":"SERVER_ERROR","message":"{message}"}}"#)
}

#[track_caller]
pub(crate) fn assert_answer(answer: &Response, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
    assert!(answer.header("x-request-id").is_some(), "every response has a request id");
}

#[tokio::test]
async fn every_row_of_the_answers_table_is_kept_to_the_letter() {
    let world = World::start().await;
    let created = world.migrate("hubspot", hubspot(demo::HUBSPOT_ACCESS_TOKEN)).await;
    assert_answer(&created, 200, SUCCESS);
    assert_eq!(created.header("keyferry-action"), Some("created"));
    assert_eq!(created.header("keyferry-outcome"), Some("verified"));
    let updated = world.migrate("hubspot", hubspot(demo::HUBSPOT_ACCESS_TOKEN)).await;
    assert_answer(&updated, 200, SUCCESS);
    assert_eq!(updated.header("keyferry-action"), Some("updated"));
    assert_ne!(created.header("etag"), updated.header("etag"));
    // The mock provider checks the signature with an independent OAuth 1.0a implementation.
    let signed = world.migrate("netsuite", netsuite(demo::NETSUITE_ACCOUNT_ID, demo::NETSUITE_TOKEN_SECRET)).await;
    assert_answer(&signed, 200, SUCCESS);

    let custom = world.migrate("custom", json!({"keybased": {"a": "b"}})).await;
    assert_answer(&custom, 200, r#"{"error":"Custom apps are not supported for this endpoint."}"#);
    let unknown = world.migrate("netsuite", netsuite("your-account", demo::NETSUITE_TOKEN_SECRET)).await;
    let message = "Failed to verify credentials: getaddrinfo ENOTFOUND your-account.suitetalk.api.netsuite.com";
    assert_answer(&unknown, 500, &envelope(500, "INTERNAL_SERVER_ERROR", message));
    assert_eq!(unknown.header("keyferry-failure"), Some("unreachable"));
    let rejected = world.migrate("hubspot", hubspot(demo::HUBSPOT_EXPIRED_TOKEN)).await;
    assert_eq!(rejected.status, 500);
    assert!(rejected.text().contains("Failed to verify credentials: "), "{}", rejected.text());
    assert_eq!(rejected.header("keyferry-failure"), Some("rejected"));
    let badly_signed = world.migrate("netsuite", netsuite(demo::NETSUITE_ACCOUNT_ID, "wrong")).await;
    assert_eq!(badly_signed.header("keyferry-failure"), Some("rejected"));

    let body = json!({"slug": "hubspot", "auth_object": hubspot("t")});
    let no_key = world.migrate_request(&body).send(world.server.address()).await;
    assert_answer(&no_key, 401, &envelope(401, "UNAUTHORIZED", "Invalid Credentials"));
    let wrong_key = world.migrate_request(&body).header("x-api-key", "tk_nope").send(world.server.address()).await;
    assert_answer(&wrong_key, 401, &envelope(401, "UNAUTHORIZED", "Invalid Credentials"));
    let nobody = world.send(Request::new("PUT", PATH).header("linked_account_id", "nobody").json(&body)).await;
    let message = "linked account with id nobody does not exist in test environment";
    assert_answer(&nobody, 400, &envelope(400, "BAD_REQUEST", message));
    assert_eq!(world.send(Request::new("PUT", PATH).json(&body)).await.status, 400);

    let raw = |content_type: &str, body: &str| {
        Request::new("PUT", PATH).header("linked_account_id", ACCOUNT).body(content_type, body.as_bytes().to_vec())
    };
    let broken = world.send(raw("application/json", "{\"slug\":\n \"hubspot\",}")).await;
    let message = "the request body is not valid JSON: there is a syntax error at line 2 column 12";
    assert_answer(&broken, 400, &envelope(400, "BAD_REQUEST", message));
    assert_eq!(world.send(raw("application/json", "[]")).await.status, 400);
    assert_eq!(world.send(raw("text/plain", "{}")).await.status, 415);
    let huge = format!("{{\"slug\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(world.send(raw("application/json", &huge)).await.status, 413);
}

#[tokio::test]
async fn content_that_does_not_fit_is_told_at_once_and_without_values() {
    let world = World::start().await;
    let cases = [
        (json!({"auth_object": {}}), "slug is required"),
        (json!({"slug": "hubspto", "auth_object": {}}), "no app with the slug `hubspto`"),
        (json!({"slug": "acme-crm", "auth_object": {}}), "no app with the slug `acme-crm`"),
        (json!({"slug": "V4LUE", "auth_object": {}}), "no app with the slug `***` (this name is not repeated here"),
        (json!({"slug": "hubspot"}), "auth_object is required"),
        (json!({"slug": "hubspot", "auth_object": {}}), "exactly one key"),
        (
            json!({"slug": "hubspot", "auth_object": {"saml": {"V4LUE": "V4LUE"}}}),
            "auth_object.saml is not an auth type",
        ),
        (
            json!({"slug": "hubspot", "auth_object": {"oauth2": {"access_token": 7}}}),
            "must be a string, and is a number",
        ),
        (json!({"slug": "hubspot", "auth_object": {"oauth2": {"extra": "V4LUE"}}}), "access_token is required; "),
        (
            json!({"slug": "hubspot", "auth_object": {"oauth2": {"portal_ref": "V4LUE"}}}),
            "auth_object.oauth2.portal_ref is not a field",
        ),
    ];
    for (body, expected) in cases {
        let answer = world.send(world.migrate_request(&body)).await;
        assert_eq!(answer.status, 200, "{body}");
        let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(expected) && !error.contains("\"V4LUE\""), "{body}: {error}");
        let problem = world.send(world.migrate_request(&body).header("accept", "application/problem+json")).await;
        assert!(matches!(problem.status, 404 | 422), "{body}: {}", problem.status);
        assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    }
}

#[tokio::test]
async fn problems_tell_a_bad_key_from_a_missing_scope_and_a_provider_that_is_down() {
    let world = World::start().await;
    let cases = [
        ("hubspot", hubspot(demo::HUBSPOT_EXPIRED_TOKEN), 422, "credentials_rejected"),
        ("hubspot", hubspot(demo::HUBSPOT_SCOPELESS_TOKEN), 403, "insufficient_scope"),
        ("hubspot", hubspot(demo::HUBSPOT_RATE_LIMITED_TOKEN), 429, "provider_rate_limited"),
        ("netsuite", netsuite("your-account", "x"), 502, "provider_unreachable"),
        ("slack", json!({"keybased": {"bot_token": demo::SLACK_INACTIVE_TOKEN}}), 422, "account_suspended"),
        ("stripe", json!({"keybased": {"api_key": demo::STRIPE_EXPIRED_KEY}}), 422, "credentials_rejected"),
    ];
    for (slug, auth_object, status, code) in cases {
        let body = json!({"slug": slug, "auth_object": auth_object});
        let answer = world.send(world.migrate_request(&body).header("accept", "application/problem+json")).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
    }
    let restricted = world.migrate("stripe", json!({"keybased": {"api_key": demo::STRIPE_RESTRICTED_KEY}})).await;
    assert_answer(&restricted, 200, SUCCESS);
    // The older flat form fits one auth type of Slack.
    let flat = json!({"bot_token": demo::SLACK_BOT_TOKEN, "user_token": demo::SLACK_USER_TOKEN});
    assert_answer(&world.migrate("slack", flat).await, 200, SUCCESS);
}

#[tokio::test]
async fn the_request_headers_do_what_they_say() {
    let world = World::start().await;
    let body = json!({"slug": "hubspot", "auth_object": hubspot(demo::HUBSPOT_ACCESS_TOKEN)});
    let with = |name: &str, value: &str| world.send(world.migrate_request(&body).header(name, value));

    let verdict = with("prefer", "verify=only").await;
    assert_eq!(verdict.json()["account_id"], "48600123");
    assert_eq!(with("if-match", "*").await.status, 412, "verify=only stored nothing");
    assert_eq!(with("prefer", "verify=skip").await.status, 403, "the default policy");
    let first = with("idempotency-key", "k1").await;
    assert_eq!(first.header("keyferry-action"), Some("created"));
    let again = with("idempotency-key", "k1").await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("etag"), first.header("etag"));
    let other = json!({"slug": "hubspot", "auth_object": hubspot(demo::HUBSPOT_OTHER_PORTAL_TOKEN)});
    let reused = world.send(world.migrate_request(&other).header("idempotency-key", "k1")).await;
    assert_eq!(reused.status, 422);

    assert_eq!(with("if-none-match", "*").await.status, 412);
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(with("if-match", &tag).await.status, 200);
    assert_eq!(with("if-match", &tag).await.status, 412, "it has moved on");
    assert_eq!(world.send(world.migrate_request(&other)).await.status, 409, "another portal's token");
    let replace = world.send(world.migrate_request(&other).header("prefer", "account-change=replace")).await;
    assert_answer(&replace, 200, SUCCESS);

    let limited = json!({"slug": "hubspot", "auth_object": hubspot(demo::HUBSPOT_RATE_LIMITED_TOKEN)});
    let kept = world.send(world.migrate_request(&limited).header("prefer", "on-unverified=store")).await;
    assert_eq!((kept.status, kept.header("keyferry-outcome")), (200, Some("unverified")));
    let bad = json!({"slug": "hubspot", "auth_object": hubspot(demo::HUBSPOT_EXPIRED_TOKEN)});
    let never = world.send(world.migrate_request(&bad).header("prefer", "on-unverified=store")).await;
    assert_eq!(never.status, 500, "a rejected credential is never kept");
}

#[tokio::test]
async fn too_many_requests_are_answered_with_429_and_retry_after() {
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| {
        options.arguments.extend(["--rate-limit", "1", "--rate-burst", "2"].map(str::to_owned));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let mut last = world.migrate("custom", json!({})).await;
    for _ in 0..20 {
        last = world.migrate("custom", json!({})).await;
        if last.status == 429 {
            break;
        }
        assert_eq!(last.header("ratelimit-policy"), Some("\"requests\";q=2;w=2"));
    }
    assert_eq!((last.status, last.json()["http_error_type"].as_str()), (429, Some("TOO_MANY_REQUESTS")));
    assert_eq!((last.header("retry-after"), last.header("ratelimit")), (Some("1"), Some("\"requests\";r=0;t=2")));
}

type Headers = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn what_is_asked_for_twice_is_the_same_both_times() {
    let server = Box::new(|options: &mut keyferry_tests::ServerOptions| {
        options.arguments.extend(["--migrate-verify-skip", "allow"].map(str::to_owned));
    });
    let world = World::start_with(WorldOptions { server: Some(server), ..WorldOptions::default() }).await;
    let body = json!({"slug": "hubspot", "auth_object": hubspot(demo::HUBSPOT_ACCESS_TOKEN)});
    let cases: [(Headers, bool); 22] = [
        (&[("prefer", "account-change=reject, account-change=replace")], false),
        (&[("prefer", "account-change=replace"), ("prefer", "account-change=reject")], false),
        (&[("prefer", "verify=only, verify=skip")], false),
        (&[("prefer", "verify=skip"), ("prefer", "Verify=\"only\"")], false),
        (&[("prefer", "verify = only ; a=b"), ("Prefer", "foo, VERIFY=Skip")], false),
        (&[("prefer", "on-unverified=store"), ("prefer", "on-unverified=reject")], false),
        (&[("prefer", "foo; verify=only")], false),
        (&[("prefer", "foo=\"a, verify=only")], false),
        (&[("prefer", "verify=skip;verify=only")], false),
        (&[("idempotency-key", "a"), ("idempotency-key", "b")], false),
        (&[("if-match", "*"), ("if-none-match", "*")], false),
        (&[("if-match", "*, \"0123456789abcdef01234567-3\"")], false),
        (&[("if-none-match", "*"), ("if-none-match", "\"0123456789abcdef01234567-3\"")], false),
        (&[("linked_account_id", "nobody")], false),
        (&[("linked-account-id", "nobody")], false),
        (&[("content-type", "text/plain")], false),
        (&[("prefer", "account-change=reject, account-change=reject")], true),
        (
            &[("prefer", "foo=\"bar, verify=skip\", account-change=\"reject\""), ("prefer", "Account-Change=REJECT")],
            true,
        ),
        (&[("idempotency-key", "c"), ("idempotency-key", "\"c\"")], true),
        (&[("if-match", "*"), ("if-match", "*")], true),
        (&[("linked-account-id", ACCOUNT), ("linked_account_id", ACCOUNT)], true),
        (&[("content-type", "application/json")], true),
    ];
    assert_answer(&world.migrate("hubspot", hubspot(demo::HUBSPOT_ACCESS_TOKEN)).await, 200, SUCCESS);
    for (headers, is_taken) in cases {
        let request = world.migrate_request(&body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = world.send(request).await;
        let status = if is_taken { 200 } else { 400 };
        let status = if !is_taken && headers[0].0 == "content-type" { 415 } else { status };
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        assert_eq!(answer.header("keyferry-outcome"), is_taken.then_some("verified"), "{headers:?}");
    }
    for (query, member, status) in [
        ("linked_account_id=user_1", json!("user_1"), 200),
        ("linked_account_id=user_1&linked_account_id=user_1", json!("user_1"), 200),
        ("linked_account_id=", json!(null), 200),
        ("linked_account_id=user_2", json!(null), 400),
        ("linked_account_id=user_1&linked_account_id=user_2", json!(null), 400),
        ("linked_account_id=user_1&linked%5Faccount%5Fid=user%5F2", json!(null), 400),
        ("Linked-Account-Id=user_2", json!(null), 400),
        ("", json!("user_2"), 400),
        ("", json!(7), 400),
        ("", json!({"user_1": true}), 400),
    ] {
        let mut body = body.clone();
        body["linked_account_id"] = member.clone();
        let mut request = world.migrate_request(&body);
        request.target = format!("{}?{query}", request.target);
        let answer = world.send(request).await;
        assert_eq!(answer.status, status, "{query} {member}: {}", answer.text());
    }
    let other_spelling = json!({"slug": "custom", "auth_object": {}, "linkedAccountId": "user_2"});
    assert_eq!(world.send(world.migrate_request(&other_spelling)).await.status, 400);
    let twice = r#"{"slug":"custom","auth_object":{},"linked_account_id":"user_1","linked_account_id":"user_2"}"#;
    let twice = Request::new("PUT", PATH).header("linked_account_id", ACCOUNT).body("application/json", twice);
    let twice = world.send(twice).await;
    assert!(twice.status == 400 && twice.text().contains("the same member twice"), "{}", twice.text());
}

/// Two secrets of different lengths in the same place get the same response.
#[tokio::test]
async fn no_answer_tells_how_long_a_secret_is() {
    let world = World::start().await;
    let whole = |slug: &str, auth_object: Value| json!({"slug": slug, "auth_object": auth_object});
    let places: [(&str, &dyn Fn(String) -> Value); 6] = [
        ("the slug", &|secret| whole(&secret, json!({}))),
        ("the auth type", &|secret| whole("stripe", json!({secret: {"api_key": "x"}}))),
        ("a field's name", &|secret| whole("stripe", json!({"keybased": {secret: "x"}}))),
        ("a field without its auth type", &|secret| whole("stripe", json!({secret: "x"}))),
        ("a field with a pattern", &|secret| {
            whole("stripe", json!({"keybased": {"api_key": demo::STRIPE_SECRET_KEY, "stripe_account": secret}}))
        }),
        ("a field of another app", &|secret| whole("netsuite", json!({"keybased": {"account_id": secret.repeat(50)}}))),
    ];
    for (place, of) in places {
        for accept in ["application/json", "application/problem+json"] {
            let mut told = Vec::new();
            for length in [20, 29, 30] {
                let request = world.migrate_request(&of("Zq9".repeat(10)[..length].to_owned()));
                let answer = world.send(request.header("accept", accept)).await;
                assert!(!answer.text().contains("Zq9Zq9"), "{place}: {}", answer.text());
                let headers =
                    answer.headers.iter().filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
                told.push((answer.status, answer.text(), headers.cloned().collect::<Vec<_>>()));
            }
            assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{place}: {told:?}");
        }
    }
}
