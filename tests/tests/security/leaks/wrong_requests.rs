//! Invalid requests, and secrets in places where none belongs.

use std::time::Duration;

use keyferry_tests::http::{Request, raw};
use keyferry_tests::leaks::Canary;
use keyferry_tests::leaks::timing::other_end;
use keyferry_tests::{ORG, create_api_key, run};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::hunt::{DOCUMENTED, Hunt, PATH};

pub(super) async fn content_that_is_wrong(hunt: &mut Hunt) {
    let names = ["short", "key_pair", "number", "flag", "url", "place"];
    for name in names {
        let value = hunt.canary(&format!("the field {name}, wrong"));
        let mut object = hunt.leaky("bearer", "none", "verified");
        object["keybased"][name] = if name == "place" { json!({"in": value}) } else { json!(value) };
        assert_eq!(hunt.send(name, hunt.request(&object)).await, 422, "{name}");
    }
    let value = hunt.canary("a value of another type");
    for wrong in [json!([value]), json!({"value": value}), json!({value.clone(): 1}), json!([[value]]), json!(null)] {
        let mut object = hunt.leaky("bearer", "none", "verified");
        object["keybased"]["alpha"] = wrong;
        assert_eq!(hunt.send("another type", hunt.request(&object)).await, 422);
    }
    let name = hunt.canary("a field's name");
    let plain = hunt.plain_canary("a field's plain name");
    for name in [name, plain] {
        let mut object = hunt.leaky("bearer", "none", "verified");
        object["keybased"][&name] = json!("x");
        assert_eq!(hunt.send("an unknown field", hunt.request(&object)).await, 422);
        for object in
            [json!({&name: {"alpha": "x"}}), json!({&name: "x"}), json!({&name: {}, "keybased": {}}), json!(name)]
        {
            assert_eq!(hunt.send("an unknown auth type", hunt.request(&object)).await, 422, "{object}");
        }
    }
    for slug in [hunt.canary("a slug"), hunt.plain_canary("a plain slug").to_lowercase()] {
        let body = json!({"slug": slug, "auth_object": {}});
        assert_eq!(hunt.send("a slug", hunt.world.migrate_request(&body)).await, 404);
    }
    let value = hunt.canary("an unknown member");
    let body = json!({"slug": "leaky", "auth_object": {"keybased": {}}, value.clone(): value});
    assert_eq!(hunt.send("another member", hunt.world.migrate_request(&body)).await, 422);
    let value = hunt.canary("a client's secret");
    let name = hunt.plain_canary("the name of a client's secret");
    for (your_app, status) in [
        (json!({"client_secret": value}), 400),
        (json!({"auth_credentials": {format!("{name} x"): value}}), 400),
        (json!({"auth_credentials": [value]}), 400),
        (json!({"auth_credentials": {"a": {"b": value}}}), 400),
        (json!({"auth_credentials": {"client_secret": value}}), 200),
    ] {
        let body = json!({"account_id": "a", "your_app": your_app});
        let request = Request::new("PUT", "/api/v2/public/linked-account").json(&body);
        assert_eq!(hunt.send("your_app", request).await, status, "{body}");
    }
    let value = hunt.canary("a name of udf");
    let body = json!({"account_id": "a", "udf": {value.repeat(100): "x"}});
    let request = Request::new("PUT", "/api/v2/public/linked-account").json(&body);
    assert_eq!(hunt.send("udf", request).await, 400);
}

/// Secrets in the wrong places: the server neither stores nor logs these inputs, so it cannot leak them.
pub(super) async fn secrets_in_other_places(hunt: &mut Hunt) {
    let fine = hunt.leaky("bearer", "none", "verified");
    let first = hunt.request(&fine).header("prefer", "account-change=replace");
    assert_eq!(hunt.send("the account of what comes next", first).await, 200);
    let encoded = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    for target in ["?token=", "?linked_account_id=user_1&x=", "?"] {
        let value = hunt.canary("the query");
        let mut request = hunt.request(&fine);
        request.target = format!("{PATH}{target}{}", encoded(&value));
        assert_eq!(hunt.send("a query", request).await, 200);
    }
    for (method, prefix) in [("PUT", PATH), ("GET", ""), ("GET", "/api/v2/public"), ("BREW", PATH)] {
        let value = hunt.canary("the path");
        let request = Request::new(method, &format!("{prefix}/{}", encoded(&value)));
        assert_eq!(hunt.send("a path", request).await, 404);
    }
    let value = hunt.plain_canary("the method");
    assert_eq!(hunt.send("a method", Request::new(&value, PATH)).await, 405);
    for name in
        ["cookie", "authorization", "user-agent", "accept", "accept-language", "if-match", "x-forwarded-for", "referer"]
    {
        let value = hunt.canary(&format!("the header {name}"));
        let request = hunt.request(&fine).header(name, &value);
        hunt.send(name, request).await;
    }
    for (name, value) in [("prefer", "verify="), ("prefer", ""), ("if-none-match", ""), ("content-encoding", "")] {
        let canary = hunt.canary(&format!("the header {name}"));
        let request = hunt.request(&fine).header(name, &format!("{value}{canary}"));
        hunt.send(name, request).await;
    }
    let name = hunt.plain_canary("a header's name");
    assert_eq!(hunt.send("a header", hunt.request(&fine).header(&name.to_lowercase(), "x")).await, 200);
    // The contract repeats ids to their sender; they appear nowhere else.
    let id = hunt.canary("an id: the account");
    let request = Request::new("PUT", PATH).header("linked_account_id", &id);
    let request = request.json(&json!({"slug": "leaky", "auth_object": fine}));
    assert_eq!(hunt.send(DOCUMENTED, request).await, 404);
    for path in ["/api/v2/public/auth-structure/", "/api/v2/public/application/", "/api/v2/public/linked-account/"] {
        let id = hunt.canary("an id: in the path");
        let request = Request::new("GET", &format!("{path}{}", encoded(&id)));
        assert_eq!(hunt.send(DOCUMENTED, request).await, 404, "{path}");
    }
    let long = hunt.canary("an account that is too long").repeat(10);
    let request = Request::new("PUT", PATH).header("linked_account_id", &long);
    assert_eq!(hunt.send("a long account", request.json(&json!({"slug": "leaky", "auth_object": fine}))).await, 400);
}

pub(super) async fn bodies_that_are_broken(hunt: &mut Hunt) {
    let value = hunt.canary("a broken body");
    let escaped = Value::from(value.as_str()).to_string();
    let broken = [
        format!("{{\"slug\":\"leaky\",\"auth_object\":{{\"keybased\":{{\"alpha\":{escaped}}}}}"),
        format!("{{\"slug\":\"leaky\",\"alpha\":{escaped},}}"),
        format!("{{\"alpha\":{escaped},\"alpha\":{escaped}}}"),
        format!("{{{escaped}:1,{escaped}:2}}"),
        format!("[{escaped}]"),
        escaped.clone(),
        value.clone(),
        format!("{{\"alpha\":\"{value}"),
        format!("{}{escaped}{}", "[".repeat(60), "]".repeat(60)),
        format!("slug=leaky&alpha={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)),
    ];
    for body in &broken {
        assert_eq!(hunt.send("a broken body", hunt.raw_body("application/json", body)).await, 400, "{body}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        assert_eq!(hunt.send("another type", hunt.raw_body(content_type, &broken[0])).await, 415);
    }
    let content_type = hunt.plain_canary("a content type");
    assert_eq!(hunt.send("a content type", hunt.raw_body(&format!("application/{content_type}"), "{}")).await, 415);
    let large = format!(
        "{{\"slug\":\"leaky\",\"auth_object\":{{\"keybased\":{{\"alpha\":\"{}\"}}}}}}",
        value.replace('"', "").repeat(2000)
    );
    assert_eq!(hunt.send("a large body", hunt.raw_body("application/json", &large)).await, 413);

    let address = hunt.world.server.address();
    let value = hunt.plain_canary("what is no HTTP");
    for text in [
        format!("{value} /{value} HTTP/1.1\r\nhost: x\r\n{value}\r\n\r\n"),
        format!("GET /{value} HTTP/9.9\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", value.repeat(2000)),
        format!("PUT {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {value}\r\n\r\n"),
        format!(
            "PUT {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
                 transfer-encoding: chunked\r\n\r\n{value}\r\n",
            hunt.world.api_key
        ),
        format!(
            "PUT {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
                 content-length: 1000\r\n\r\n{{\"a\":\"{value}",
            hunt.world.api_key
        ),
    ] {
        let answer = raw(address, text.as_bytes(), Duration::from_millis(300)).await;
        hunt.seen.add("the answer to what is no HTTP", answer);
    }
}

pub(super) async fn repeated_and_conflicting(hunt: &mut Hunt) {
    let fine = hunt.leaky("bearer", "none", "verified");
    let key = hunt.plain_canary("the Idempotency-Key");
    for _ in 0..2 {
        assert_eq!(hunt.send("a repeated request", hunt.request(&fine).header("idempotency-key", &key)).await, 200);
    }
    let other = hunt.leaky("header", "none", "verified");
    assert_eq!(hunt.send("a reused key", hunt.request(&other).header("idempotency-key", &key)).await, 422);
    assert_eq!(
        hunt.send("a key that is too long", hunt.request(&fine).header("idempotency-key", &key.repeat(9))).await,
        400
    );
    assert_eq!(hunt.send("another revision", hunt.request(&fine).header("if-match", "\"x\"")).await, 412);
    assert_eq!(hunt.send("create only", hunt.request(&fine).header("if-none-match", "*")).await, 412);
    let other = hunt.leaky("bearer", "text base64", "verified");
    assert_eq!(hunt.send("another account", hunt.request(&other)).await, 409);
}

/// A malformed key, an unknown key and a revoked key get the same response.
pub(super) async fn keys_that_are_wrong(hunt: &mut Hunt) {
    let data = hunt.world.data();
    let revoked = create_api_key(&data, ORG, "test").await;
    hunt.canaries.push(Canary::known("a revoked key", &revoked));
    let arguments =
        ["api-key", "revoke", &revoked, "--org", ORG, "--data", &data.display().to_string()].map(str::to_owned);
    let output = run(&arguments).await;
    assert!(output.status.success());
    hunt.seen.add("what revoking a key prints", [output.stdout, output.stderr].concat());

    let begins_live = other_end(&hunt.world.api_key);
    let typo = format!("{}x", &hunt.world.api_key[..51]);
    let canary = hunt.canary("what is no API key");
    hunt.canaries.push(Canary::known("an unknown key", &begins_live));
    let mut answers = Vec::new();
    for key in ["", "tk_", &canary, &typo, &begins_live, &revoked, &"x".repeat(52), &"x".repeat(5000)] {
        for accept in ["*/*", "application/problem+json"] {
            let request = hunt.request(&json!({})).header("x-api-key", key).header("accept", accept);
            let mut answer = request.header("x-request-id", "same").send(hunt.world.server.address()).await;
            hunt.seen.answer("a wrong key", &answer);
            answer.headers.retain(|(name, _)| name != "date");
            answers.push((accept, answer));
        }
    }
    for (accept, answer) in &answers {
        assert_eq!(answer.status, 401);
        let first = &answers.iter().find(|(first, _)| first == accept).unwrap().1;
        assert_eq!(answer, first, "the same to the last byte");
    }
}
