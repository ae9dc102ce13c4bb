//! Credentials that are read back, and sessions of front ends.

use keyferry_tests::http::Request;
use keyferry_tests::leaks::Canary;
use keyferry_tests::{ACCOUNT, ORG, run};
use serde_json::json;

use super::hunt::Hunt;

/// A client that may read credentials gets them; they appear nowhere else.
pub(super) async fn read_back(hunt: &mut Hunt) {
    let fine = hunt.leaky("bearer", "none", "verified");
    let stored = hunt.request(&fine).header("prefer", "account-change=replace");
    assert_eq!(hunt.send("what is read back", stored).await, 200);
    let data = hunt.world.data().display().to_string();
    let create =
        ["api-key", "create", "--org", ORG, "--environment", "test", "--scope", "read_credentials", "--data", &data];
    let reader = String::from_utf8(run(create).await.stdout).unwrap().trim().to_owned();
    hunt.canaries.push(Canary::known("the reader's key", &reader));
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/leaky/credentials");
    let read = Request::new("GET", &path).header("x-api-key", &reader).send(hunt.world.server.address()).await;
    assert_eq!(read.json()["auth_object"]["keybased"]["alpha"], json!(hunt.value(0)), "{}", read.text());
    assert_eq!(hunt.send("names alone", Request::new("GET", &path)).await, 200);
    let slug = hunt.plain_canary("a slug that is asked for");
    let path = format!("/api/v2/public/linked-account/{ACCOUNT}/integration/{slug}/credentials");
    assert_eq!(hunt.send("another slug", Request::new("GET", &path)).await, 404);
}

/// A session's tokens go only to the client that requested them; so do the inputs of a front end.
pub(super) async fn sessions(hunt: &mut Hunt) {
    let body = json!({"linked_account_id": ACCOUNT});
    let request = Request::new("POST", "/api/v2/public/session-token").json(&body);
    let issued = hunt.world.send(request).await.json();
    let token = issued["token"].as_str().unwrap().to_owned();
    hunt.canaries.push(Canary::known("a session token", &token));
    hunt.canaries.push(Canary::known("a refresh token", issued["refresh_token"].as_str().unwrap()));
    let signature = token.rsplit_once('.').unwrap().1.to_owned();
    hunt.canaries.push(Canary::known("the signature of a session token", &signature));
    let bearer = format!("Bearer {token}");
    let fields = hunt.leaky("bearer", "none", "verified")["keybased"].clone();
    let value = hunt.canary("what a front end sends");
    let mut wrong = fields.clone();
    wrong["alpha"] = json!([value]);
    let echoed = hunt.leaky("bearer", "text raw", "rejected")["keybased"].clone();
    for (path, method, body, status) in [
        ("/api/v2/f-sdk/application", "GET", json!(null), 200),
        ("/api/v3/org/basics", "GET", json!(null), 200),
        ("/api/v2/app/leaky/save", "POST", wrong, 422),
        ("/api/v2/app/leaky/save", "POST", echoed, 422),
        ("/api/v2/app/leaky/save", "POST", json!([value]), 400),
        ("/api/v2/public/linked-account/default-app/auth-credentials/key", "PUT", json!({"value": [value]}), 400),
        ("/api/v2/public/linked-account/default-app/auth-credentials/key", "PUT", json!({"value": value}), 200),
        ("/api/v1/leaky/integrate", "GET", json!(null), 501),
        ("/api/v1/linked-acc/integration/nothing", "DELETE", json!(null), 200),
    ] {
        let mut request = Request::new(method, path).header("authorization", &bearer);
        if !body.is_null() {
            request = request.json(&body);
        }
        assert_eq!(hunt.send_bare(path, request).await, status, "{method} {path}");
    }
    let canary = hunt.canary("what is no session token");
    let other = format!("{}x", &token[..token.len() - 1]);
    for wrong in [canary.as_str(), &other, &format!("{token}.{canary}"), &hunt.world.api_key.clone()] {
        for scheme in ["Bearer", "Basic", "bearer"] {
            let request = Request::new("GET", "/api/v2/f-sdk/application");
            let request = request.header("authorization", &format!("{scheme} {wrong}"));
            assert_eq!(hunt.send_bare("a wrong token", request).await, 401);
        }
    }
    let revoke = Request::new("POST", "/api/v2/public/session-token/revoke").header("authorization", &bearer);
    assert_eq!(hunt.send_bare("an ended session", revoke).await, 401, "the second of the two renderings");
}
