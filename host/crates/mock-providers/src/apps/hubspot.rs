//! HubSpot: account details and the private apps' usage, which only look at the token.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::authorization::{bearer, correlation_id};
use crate::{Received, Reply};

/// The access tokens that the mock provider knows. Any other token is refused.
#[derive(Clone, Default)]
pub struct HubSpotState {
    tokens: HashMap<String, HubSpotToken>,
    /// Requests with tokens that are [`HubSpotToken::Busy`].
    busy: Arc<AtomicU64>,
}

/// The reply to a request with a token.
#[derive(Clone)]
pub enum HubSpotToken {
    /// 200 with the portal's details.
    Valid(HubSpotPortal),
    /// The response is 401 `EXPIRED_AUTHENTICATION`.
    Expired,
    /// 403 `MISSING_SCOPES`, naming these scopes.
    MissingScopes(Vec<String>),
    /// 429 with `Retry-After: 10`.
    RateLimited,
    /// 429 with `Retry-After: 2` to each odd request with such a token, the portal's details to each even one.
    Busy(HubSpotPortal),
}

/// The portal's data, as its API returns it.
#[derive(Clone)]
pub struct HubSpotPortal {
    /// The portal's number, which HubSpot's users know as Hub ID.
    pub portal_id: u64,
    /// `STANDARD`, `DEVELOPER_TEST`, `SANDBOX`, `APP_DEVELOPER`.
    pub account_type: String,
    /// Where its data is kept: `na1`, `eu1`.
    pub data_hosting_location: String,
}

impl HubSpotState {
    /// A HubSpot that knows no token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token and the reply to it.
    #[must_use]
    pub fn with(mut self, access_token: &str, reply: HubSpotToken) -> Self {
        self.tokens.insert(access_token.to_owned(), reply);
        self
    }
}

/// The handler of `api.hubapi.com`.
pub fn hubspot(state: HubSpotState) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
    move |request| {
        let found: fn(&HubSpotPortal) -> Value = match request.path() {
            "/account-info/v3/details" => details,
            "/account-info/v3/api-usage/daily/private-apps" => usage,
            _ => return error(404, "OBJECT_NOT_FOUND", "resource not found", &[]),
        };
        if request.method != "GET" {
            return error(405, "METHOD_NOT_ALLOWED", "This endpoint answers GET only.", &[])
                .with_header("allow", "GET");
        }
        match bearer(&request).and_then(|token| state.tokens.get(token)) {
            Some(HubSpotToken::Valid(portal)) => with_limits(Reply::json(200, &found(portal))),
            Some(HubSpotToken::Expired) => error(
                401,
                "EXPIRED_AUTHENTICATION",
                "The OAuth token used to make this call expired 75 second(s) ago.",
                &[("context", json!({ "expire time": ["2022-06-21T10:37:52.040Z"] }))],
            ),
            Some(HubSpotToken::MissingScopes(scopes)) => error(
                403,
                "MISSING_SCOPES",
                "This app hasn't been granted all required scopes to make this call. Read more about required \
                 scopes here: https://developers.hubspot.com/scopes.",
                &[(
                    "errors",
                    json!([{
                        "message": "One or more of the following scopes are required.",
                        "context": { "requiredGranularScopes": scopes },
                    }]),
                )],
            ),
            Some(HubSpotToken::RateLimited) => rate_limited("10"),
            Some(HubSpotToken::Busy(portal)) => match state.busy.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => rate_limited("2"),
                _ => with_limits(Reply::json(200, &found(portal))),
            },
            None => error(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find \
                 more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
                &[],
            ),
        }
    }
}

fn rate_limited(retry_after: &str) -> Reply {
    let body = json!({
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": correlation_id(),
        "policyName": "TEN_SECONDLY_ROLLING",
    });
    Reply::json(429, &body).with_header("retry-after", retry_after)
}

fn details(portal: &HubSpotPortal) -> Value {
    let location = &portal.data_hosting_location;
    let ui_domain =
        if location == "na1" { "app.hubspot.com".to_owned() } else { format!("app-{location}.hubspot.com") };
    json!({
        "portalId": portal.portal_id,
        "accountType": portal.account_type,
        "timeZone": "US/Eastern",
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "utcOffset": "-04:00",
        "utcOffsetMilliseconds": -14_400_000,
        "uiDomain": ui_domain,
        "dataHostingLocation": location,
    })
}

fn usage(_: &HubSpotPortal) -> Value {
    json!({
        "results": [{
            "name": "private-apps-api-calls-daily",
            "usageLimit": 250_000,
            "currentUsage": 816,
            "collectedAt": "2026-01-01T12:00:00.000Z",
            "fetchStatus": "SUCCESS",
            "resetsAt": "2026-01-02T05:00:00.000Z",
        }],
    })
}

fn with_limits(reply: Reply) -> Reply {
    reply
        .with_header("x-hubspot-ratelimit-max", "190")
        .with_header("x-hubspot-ratelimit-remaining", "189")
        .with_header("x-hubspot-ratelimit-interval-milliseconds", "10000")
}

fn error(status: u16, category: &str, message: &str, more: &[(&str, Value)]) -> Reply {
    let correlation = correlation_id();
    let mut body = json!({ "status": "error", "message": message, "correlationId": correlation, "category": category });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    Reply::json(status, &body).with_header("x-hubspot-correlation-id", &correlation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MockProviders;
    use crate::test_client::{connect, request, send};

    const HOST: &str = "api.hubapi.com";
    const DETAILS: &str = "/account-info/v3/details";

    #[tokio::test]
    async fn each_token_gets_its_answer() {
        let portal = HubSpotPortal {
            portal_id: 7,
            account_type: "STANDARD".to_owned(),
            data_hosting_location: "eu1".to_owned(),
        };
        let state = HubSpotState::new()
            .with("good", HubSpotToken::Valid(portal.clone()))
            .with("soon", HubSpotToken::Busy(portal))
            .with("old", HubSpotToken::Expired)
            .with("narrow", HubSpotToken::MissingScopes(vec!["oauth".to_owned()]))
            .with("busy", HubSpotToken::RateLimited);
        let mut providers = MockProviders::start().await.unwrap();
        let address = providers.add(HOST, hubspot(state)).await.unwrap();
        let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
        let cases: [(&str, &str, &str, u16, &str, Value); 11] = [
            ("GET", DETAILS, "Bearer good", 200, "/portalId", json!(7)),
            ("GET", DETAILS, "bearer good", 200, "/uiDomain", json!("app-eu1.hubspot.com")),
            (
                "GET",
                "/account-info/v3/api-usage/daily/private-apps",
                "Bearer good",
                200,
                "/results/0/fetchStatus",
                json!("SUCCESS"),
            ),
            ("GET", DETAILS, "Bearer old", 401, "/category", json!("EXPIRED_AUTHENTICATION")),
            ("GET", DETAILS, "Bearer narrow", 403, "/errors/0/context/requiredGranularScopes/0", json!("oauth")),
            ("GET", DETAILS, "Bearer busy", 429, "/policyName", json!("TEN_SECONDLY_ROLLING")),
            ("GET", DETAILS, "Bearer soon", 429, "/policyName", json!("TEN_SECONDLY_ROLLING")),
            ("GET", DETAILS, "Bearer soon", 200, "/portalId", json!(7)),
            ("GET", DETAILS, "Bearer unknown", 401, "/category", json!("INVALID_AUTHENTICATION")),
            ("GET", "/crm/v3/objects/deals", "Bearer good", 404, "/status", json!("error")),
            ("DELETE", DETAILS, "Bearer good", 405, "/status", json!("error")),
        ];
        for (method, target, authorization, status, pointer, expected) in cases {
            let response = send(&mut sender, request(method, HOST, target, &[("authorization", authorization)])).await;
            let response = response.unwrap();
            assert_eq!(response.status, status, "{method} {target} {authorization}");
            assert_eq!(response.json().pointer(pointer), Some(&expected), "{method} {target} {authorization}");
            if status == 429 {
                assert_eq!(response.header("retry-after"), if authorization == "Bearer soon" { "2" } else { "10" });
            }
        }
        let without = send(&mut sender, request("GET", HOST, DETAILS, &[])).await.unwrap();
        assert_eq!((without.status, without.json()["category"].as_str()), (401, Some("INVALID_AUTHENTICATION")));
        assert_eq!(providers.received_total(), 12);
    }
}
