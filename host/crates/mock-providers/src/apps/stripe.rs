//! Stripe: the balance and the account, and whether a key may look at them.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::authorization::{basic_user, bearer, correlation_id};
use crate::{Received, Reply};

/// The secret and restricted keys that the mock provider knows. Any other key is refused.
#[derive(Clone, Default)]
pub struct StripeState {
    keys: HashMap<String, StripeKey>,
}

/// The reply to a request with a key.
#[derive(Clone)]
pub enum StripeKey {
    /// 200 for this account and the accounts connected to it.
    Valid(StripeAccount),
    /// The key of an organisation that has these accounts: each request names one in `Stripe-Context`.
    Organisation(Vec<StripeAccount>),
    /// A restricted key of this account that may read neither balance nor account: 403.
    Restricted(StripeAccount),
    /// The response is 401 `api_key_expired`.
    Expired,
    /// The response is 429 without `Retry-After`.
    RateLimited,
}

/// An account and what is connected to it.
#[derive(Clone)]
pub struct StripeAccount {
    /// Id of the account, `acct_...`.
    pub id: String,
    /// The name shown in the dashboard.
    pub display_name: String,
    /// Accounts that `Stripe-Account` or `Stripe-Context` may name.
    pub connected: Vec<String>,
}

impl StripeState {
    /// A Stripe that knows no key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key and the reply to it.
    #[must_use]
    pub fn with(mut self, api_key: &str, reply: StripeKey) -> Self {
        self.keys.insert(api_key.to_owned(), reply);
        self
    }
}

/// The handler of `api.stripe.com`.
pub fn stripe(state: StripeState) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
    move |request| {
        reply(&state, &request).with_header("request-id", &format!("req_{}", correlation_id().replace('-', "")))
    }
}

/// The two resources, and the permission that a restricted key needs for each.
#[derive(Clone, Copy)]
enum Resource {
    Balance,
    Account,
}

fn reply(state: &StripeState, request: &Received) -> Reply {
    let resource = match (request.method.as_str(), request.path()) {
        ("GET", "/v1/balance") => Resource::Balance,
        ("GET", "/v1/account") => Resource::Account,
        (method, path) => {
            let message = format!(
                "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
                 https://support.stripe.com/."
            );
            return error(404, None, &message);
        }
    };
    let Some(key) = bearer(request).map(str::to_owned).or_else(|| basic_user(request)) else {
        return error(
            401,
            None,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using \
             Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        );
    };
    let shown = masked(&key);
    match state.keys.get(&key) {
        None => error(401, None, &format!("Invalid API Key provided: {shown}")),
        Some(StripeKey::Expired) => error(401, Some("api_key_expired"), &format!("Expired API Key provided: {shown}")),
        Some(StripeKey::RateLimited) => error(
            429,
            Some("rate_limit"),
            "Request rate limit exceeded. You can learn more about rate limits here \
             https://stripe.com/docs/rate-limits.",
        ),
        Some(StripeKey::Restricted(account)) => {
            let permission = match resource {
                Resource::Balance => "rak_balance_read",
                Resource::Account => "rak_accounts_kyc_basic_read",
            };
            let message = format!(
                "The provided key '{shown}' does not have the required permissions for this endpoint on account \
                 '{}'. Having the '{permission}' permission would allow this request to continue.",
                account.id
            );
            error(403, None, &message)
        }
        Some(StripeKey::Valid(account)) => {
            match request.header("stripe-context").or_else(|| request.header("stripe-account")) {
                Some(other) if other != account.id && !account.connected.iter().any(|known| known == other) => {
                    no_access(&shown, other)
                }
                other => Reply::json(200, &found(resource, other.unwrap_or(&account.id), account, live(&key))),
            }
        }
        Some(StripeKey::Organisation(accounts)) => {
            let Some(context) = request.header("stripe-context") else {
                return error(400, None, "Requests with an organization API key must have the header Stripe-Context.");
            };
            if request.header("stripe-version").is_none() {
                return error(400, None, "Requests with an organization API key must have the header Stripe-Version.");
            }
            let (id, connected) = context.split_once('/').map_or((context, None), |(id, below)| (id, Some(below)));
            let is_meant = |account: &&StripeAccount| {
                account.id == id && connected.is_none_or(|below| account.connected.iter().any(|known| known == below))
            };
            match accounts.iter().find(is_meant) {
                Some(account) => Reply::json(200, &found(resource, connected.unwrap_or(id), account, live(&key))),
                None => no_access(&shown, context),
            }
        }
    }
}

fn no_access(shown: &str, other: &str) -> Reply {
    let message = format!(
        "The provided key '{shown}' does not have access to account '{other}' (or that account does not exist). \
         Application access may have been revoked."
    );
    error(403, Some("account_invalid"), &message)
}

fn found(resource: Resource, id: &str, account: &StripeAccount, livemode: bool) -> Value {
    match resource {
        Resource::Balance => json!({
            "object": "balance",
            "available": [{ "amount": 0, "currency": "usd", "source_types": { "card": 0 } }],
            "livemode": livemode,
            "pending": [{ "amount": 0, "currency": "usd", "source_types": { "card": 0 } }],
        }),
        Resource::Account => json!({
            "id": id,
            "object": "account",
            "business_profile": { "name": account.display_name },
            "charges_enabled": true,
            "country": "US",
            "default_currency": "usd",
            "email": "owner@example.com",
            "settings": { "dashboard": { "display_name": account.display_name, "timezone": "Etc/UTC" } },
            "type": "standard",
        }),
    }
}

fn live(key: &str) -> bool {
    key.contains("_live_")
}

/// As Stripe shows a key in its messages: the prefix up to the second `_` and the last four characters.
fn masked(key: &str) -> String {
    let prefix_end = key.match_indices('_').nth(1).map_or(0, |(at, _)| at + 1);
    let (prefix, rest) = key.split_at_checked(prefix_end).unwrap_or(("", key));
    let hidden = rest.chars().count().saturating_sub(4);
    let shown: String = rest.chars().skip(hidden).collect();
    format!("{prefix}{}{shown}", "*".repeat(hidden))
}

fn error(status: u16, code: Option<&str>, message: &str) -> Reply {
    let mut error = json!({ "message": message, "type": "invalid_request_error" });
    if let (Some(fields), Some(code)) = (error.as_object_mut(), code) {
        fields.insert("code".to_owned(), json!(code));
    }
    Reply::json(status, &json!({ "error": error }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MockProviders;
    use crate::test_client::{connect, request, send};

    const HOST: &str = "api.stripe.com";

    #[test]
    fn a_key_is_shown_by_its_prefix_and_its_last_four_characters() {
        for (key, shown) in [
            ("sk_test_abcdefgh1234", "sk_test_********1234"),
            ("rk_live_1234", "rk_live_1234"),
            ("nonsense", "****ense"),
            ("a_b_c", "a_b_c"),
            ("ü_ü_üüüüü", "ü_ü_*üüüü"),
        ] {
            assert_eq!(masked(key), shown);
        }
    }

    #[tokio::test]
    async fn each_key_gets_its_answer() {
        let account = StripeAccount {
            id: "acct_1".to_owned(),
            display_name: "Acme".to_owned(),
            connected: vec!["acct_2".to_owned()],
        };
        let state = StripeState::new()
            .with("sk_test_good", StripeKey::Valid(account.clone()))
            .with("sk_live_good", StripeKey::Valid(account.clone()))
            .with("sk_org_live_good", StripeKey::Organisation(vec![account.clone()]))
            .with("rk_test_narrow", StripeKey::Restricted(account))
            .with("sk_test_old", StripeKey::Expired)
            .with("sk_test_busy", StripeKey::RateLimited);
        let mut providers = MockProviders::start().await.unwrap();
        let address = providers.add(HOST, stripe(state)).await.unwrap();
        let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
        let account = "/v1/account";
        let balance = "/v1/balance";
        // (target, Authorization, Stripe-Account, status, pointer, expected)
        let cases = [
            (account, "Bearer sk_test_good", "", 200, "/id", json!("acct_1")),
            (account, "Bearer sk_test_good", "acct_2", 200, "/id", json!("acct_2")),
            (account, "Bearer sk_test_good", "acct_3", 403, "/error/code", json!("account_invalid")),
            (balance, "Bearer sk_live_good", "", 200, "/livemode", json!(true)),
            (balance, "Bearer sk_test_good", "", 200, "/livemode", json!(false)),
            (balance, "Basic c2tfdGVzdF9nb29kOg==", "", 200, "/object", json!("balance")),
            (balance, "Bearer sk_test_old", "", 401, "/error/code", json!("api_key_expired")),
            (balance, "Bearer sk_test_busy", "", 429, "/error/code", json!("rate_limit")),
            (
                balance,
                "Bearer sk_test_unknown",
                "",
                401,
                "/error/message",
                json!("Invalid API Key provided: sk_test_***nown"),
            ),
            ("/v1/charges", "Bearer sk_test_good", "", 404, "/error/type", json!("invalid_request_error")),
            (balance, "Bearer rk_test_narrow", "", 403, "/error/type", json!("invalid_request_error")),
        ];
        for (target, authorization, stripe_account, status, pointer, expected) in cases {
            let mut headers = vec![("authorization", authorization)];
            if !stripe_account.is_empty() {
                headers.push(("stripe-account", stripe_account));
            }
            let response = send(&mut sender, request("GET", HOST, target, &headers)).await.unwrap();
            assert_eq!(response.status, status, "{target} {authorization} {stripe_account}");
            assert_eq!(response.json().pointer(pointer), Some(&expected), "{target} {authorization} {stripe_account}");
            assert!(response.header("request-id").starts_with("req_"));
        }
        assert_eq!(send(&mut sender, request("GET", HOST, balance, &[])).await.unwrap().status, 401);

        let version = ("stripe-version", "2025-12-15.clover");
        for (headers, status, pointer, expected) in [
            (vec![("stripe-context", "acct_1"), version], 200, "/id", json!("acct_1")),
            (vec![("stripe-context", "acct_1/acct_2"), version], 200, "/id", json!("acct_2")),
            (vec![("stripe-context", "acct_2"), version], 403, "/error/code", json!("account_invalid")),
            (vec![("stripe-context", "acct_1")], 400, "/error/type", json!("invalid_request_error")),
            (vec![version], 400, "/error/type", json!("invalid_request_error")),
        ] {
            let headers = [headers, vec![("authorization", "Bearer sk_org_live_good")]].concat();
            let response = send(&mut sender, request("GET", HOST, account, &headers)).await.unwrap();
            assert_eq!(response.status, status, "{headers:?}");
            assert_eq!(response.json().pointer(pointer), Some(&expected), "{headers:?}");
        }
    }
}
