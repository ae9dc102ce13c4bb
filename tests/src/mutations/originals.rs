//! Valid requests.

use keyferry_mock_providers::apps::demo;
use serde_json::json;

/// Valid requests to all endpoints.
pub(super) fn originals(key: &str) -> Vec<Vec<u8>> {
    let migrate = |body: serde_json::Value, more: &str| {
        let body = body.to_string();
        format!(
            "PUT /api/v2/public/migrate-token HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nLinked_Account_Id: user_1\r\n\
             Content-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let account = |method: &str| {
        let body = json!({"account_id": "user_9", "name": "Nine", "udf": {"plan": "gold"}}).to_string();
        format!(
            "{method} /api/v2/public/linked-account HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\
             Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let plain = |method: &str, target: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nAccept: */*\r\n\r\n")
    };
    let hubspot = json!({"slug": "hubspot", "auth_object": {"oauth2": {
        "access_token": demo::HUBSPOT_ACCESS_TOKEN, "refresh_token": demo::HUBSPOT_REFRESH_TOKEN,
    }}});
    let stripe = json!({"slug": "stripe", "auth_object": {"keybased": {"api_key": demo::STRIPE_EXPIRED_KEY}}});
    let chunked = {
        let body = json!({"slug": "slack", "auth_object": {"bot_token": demo::SLACK_BOT_TOKEN}}).to_string();
        let (one, two) = body.split_at(20);
        format!(
            "PUT /api/v2/public/migrate-token?linked_account_id=user_1 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n",
            one.len(),
            two.len()
        )
    };
    [
        migrate(hubspot.clone(), ""),
        migrate(hubspot.clone(), "Prefer: verify=only\r\nAccept: application/problem+json\r\n"),
        migrate(hubspot, "Idempotency-Key: \"k-1\"\r\nPrefer: on-unverified=store, account-change=replace\r\n"),
        migrate(stripe, "If-Match: *\r\nX-Request-Id: abc\r\n"),
        chunked,
        account("POST"),
        account("PUT"),
        plain("GET", "/api/v2/public/linked-account?page=1&limit=5&search=user"),
        plain("GET", "/api/v2/public/linked-account/user_1"),
        plain("GET", "/api/v2/public/linked-account/user_1/integration/hubspot/credentials"),
        plain("DELETE", "/api/v2/public/linked-account/user_9"),
        plain("DELETE", "/api/v2/public/linked-account/integration/slack?linked_account_id=user_1&auth_type=keybased"),
        plain("GET", "/api/v2/public/application?tags=crm&linked_account_id=user_1"),
        plain("GET", "/api/v2/public/application/hubspot"),
        plain("GET", "/api/v2/public/auth-structure/netsuite"),
        plain("GET", "/livez"),
        plain("GET", "/readyz"),
    ]
    .map(String::into_bytes)
    .into()
}
