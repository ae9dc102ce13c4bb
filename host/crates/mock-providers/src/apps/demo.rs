//! The mock providers of `keyferry demo`: all four apps, with credentials that are obviously invented.
//!
//! The tokens have the shape of real ones where plugins look at the shape (Slack's and Stripe's prefixes), and say
//! `demo` where they do not.

use super::hubspot::{HubSpotPortal, HubSpotState, HubSpotToken, hubspot};
use super::netsuite::{NetSuiteAccount, NetSuiteRole, netsuite};
use super::slack::{SlackIdentity, SlackState, SlackToken, slack};
use super::stripe::{StripeAccount, StripeKey, StripeState, stripe};
use crate::{MockProviders, ProviderError};

/// Host name of HubSpot's API.
pub const HUBSPOT_HOST: &str = "api.hubapi.com";
/// HubSpot: works, portal 48600123.
pub const HUBSPOT_ACCESS_TOKEN: &str = "demo-hubspot-access-token-works";
/// HubSpot: goes with any of the access tokens; nothing in the demo uses it up.
pub const HUBSPOT_REFRESH_TOKEN: &str = "demo-hubspot-refresh-token";
/// A HubSpot token that gets 401 `EXPIRED_AUTHENTICATION`.
pub const HUBSPOT_EXPIRED_TOKEN: &str = "demo-hubspot-access-token-expired";
/// A HubSpot token that gets 403 `MISSING_SCOPES`.
pub const HUBSPOT_SCOPELESS_TOKEN: &str = "demo-hubspot-access-token-scopeless";
/// HubSpot: 429 with `Retry-After: 10`.
pub const HUBSPOT_RATE_LIMITED_TOKEN: &str = "demo-hubspot-access-token-rate-limited";
/// HubSpot: 429 with `Retry-After: 2` at first, works when tried again.
pub const HUBSPOT_BUSY_TOKEN: &str = "demo-hubspot-access-token-busy";
/// HubSpot: works too, but for another portal, 48600456: a replaced account.
pub const HUBSPOT_OTHER_PORTAL_TOKEN: &str = "demo-hubspot-access-token-other-portal";

/// NetSuite: the account that exists. Any other account's host does not resolve.
pub const NETSUITE_ACCOUNT_ID: &str = "DEMO1234567_SB1";
/// NetSuite: where that account is served.
pub const NETSUITE_HOST: &str = "demo1234567-sb1.suitetalk.api.netsuite.com";
/// NetSuite: the integration record's key.
pub const NETSUITE_CONSUMER_KEY: &str = "demo-netsuite-consumer-key";
/// NetSuite: the integration record's secret. It has characters that must be percent-encoded before signing.
pub const NETSUITE_CONSUMER_SECRET: &str = "demo-netsuite-consumer-secret/+=&";
/// The token id of the NetSuite account.
pub const NETSUITE_TOKEN_ID: &str = "demo-netsuite-token-id";
/// NetSuite: the token's secret.
pub const NETSUITE_TOKEN_SECRET: &str = "demo-netsuite-token-secret";

/// Host name of Slack's API.
pub const SLACK_HOST: &str = "slack.com";
/// Slack: a bot token that works.
pub const SLACK_BOT_TOKEN: &str = "xoxb-demo-bot-token-works";
/// Slack: a user token that works.
pub const SLACK_USER_TOKEN: &str = "xoxp-demo-user-token-works";
/// A Slack token that gets `token_revoked`.
pub const SLACK_REVOKED_TOKEN: &str = "xoxb-demo-bot-token-revoked";
/// A Slack token that gets `account_inactive`.
pub const SLACK_INACTIVE_TOKEN: &str = "xoxb-demo-bot-token-inactive";
/// Slack: 429 with `Retry-After: 30`.
pub const SLACK_RATE_LIMITED_TOKEN: &str = "xoxb-demo-bot-token-rate-limited";

/// Host name of Stripe's API.
pub const STRIPE_HOST: &str = "api.stripe.com";
/// Stripe: a secret key that works, account [`STRIPE_ACCOUNT`].
pub const STRIPE_SECRET_KEY: &str = "sk_test_demoStripeKeyWorks";
/// Stripe: the account of the keys.
pub const STRIPE_ACCOUNT: &str = "acct_demo0001";
/// Stripe: an account connected to it, for `Stripe-Account`.
pub const STRIPE_CONNECTED_ACCOUNT: &str = "acct_demo0002";
/// Stripe: a restricted key that may read neither balance nor account: 403.
pub const STRIPE_RESTRICTED_KEY: &str = "rk_test_demoStripeKeyRestricted";
/// A Stripe key that gets 401 `api_key_expired`.
pub const STRIPE_EXPIRED_KEY: &str = "sk_test_demoStripeKeyExpired";
/// A Stripe key that gets 429.
pub const STRIPE_RATE_LIMITED_KEY: &str = "sk_test_demoStripeKeyRateLimited";

/// Starts the four apps with the credentials above.
pub async fn demo_providers() -> Result<MockProviders, ProviderError> {
    let mut providers = MockProviders::start().await?;
    providers.add(HUBSPOT_HOST, hubspot(hubspot_state())).await?;
    providers.add(NETSUITE_HOST, netsuite(netsuite_account())).await?;
    providers.add(SLACK_HOST, slack(slack_state())).await?;
    providers.add(STRIPE_HOST, stripe(stripe_state())).await?;
    Ok(providers)
}

/// HubSpot as in the demo.
pub fn hubspot_state() -> HubSpotState {
    let portal = |portal_id| HubSpotPortal {
        portal_id,
        account_type: "DEVELOPER_TEST".to_owned(),
        data_hosting_location: "eu1".to_owned(),
    };
    HubSpotState::new()
        .with(HUBSPOT_ACCESS_TOKEN, HubSpotToken::Valid(portal(48_600_123)))
        .with(HUBSPOT_OTHER_PORTAL_TOKEN, HubSpotToken::Valid(portal(48_600_456)))
        .with(HUBSPOT_EXPIRED_TOKEN, HubSpotToken::Expired)
        .with(HUBSPOT_SCOPELESS_TOKEN, HubSpotToken::MissingScopes(vec!["oauth".to_owned()]))
        .with(HUBSPOT_RATE_LIMITED_TOKEN, HubSpotToken::RateLimited)
        .with(HUBSPOT_BUSY_TOKEN, HubSpotToken::Busy(portal(48_600_123)))
}

/// The NetSuite account of the demo.
pub fn netsuite_account() -> NetSuiteAccount {
    NetSuiteAccount {
        account_id: NETSUITE_ACCOUNT_ID.to_owned(),
        consumer_key: NETSUITE_CONSUMER_KEY.to_owned(),
        consumer_secret: NETSUITE_CONSUMER_SECRET.to_owned(),
        token_id: NETSUITE_TOKEN_ID.to_owned(),
        token_secret: NETSUITE_TOKEN_SECRET.to_owned(),
        role: NetSuiteRole::RestWebServices,
    }
}

/// Slack as in the demo.
pub fn slack_state() -> SlackState {
    let identity = |user: &str, user_id: &str, bot_id: Option<&str>| SlackIdentity {
        team: "Keyferry Demo".to_owned(),
        team_id: "T0DEMO001".to_owned(),
        user: user.to_owned(),
        user_id: user_id.to_owned(),
        bot_id: bot_id.map(str::to_owned),
        scopes: vec!["chat:write".to_owned(), "users:read".to_owned()],
    };
    SlackState::new()
        .with(SLACK_BOT_TOKEN, SlackToken::Valid(identity("ferrybot", "U0DEMO002", Some("B0DEMO003"))))
        .with(SLACK_USER_TOKEN, SlackToken::Valid(identity("ada", "U0DEMO001", None)))
        .with(SLACK_REVOKED_TOKEN, SlackToken::Refused("token_revoked".to_owned()))
        .with(SLACK_INACTIVE_TOKEN, SlackToken::Refused("account_inactive".to_owned()))
        .with(SLACK_RATE_LIMITED_TOKEN, SlackToken::RateLimited(30))
}

/// Stripe as in the demo.
pub fn stripe_state() -> StripeState {
    let account = StripeAccount {
        id: STRIPE_ACCOUNT.to_owned(),
        display_name: "Keyferry Demo".to_owned(),
        connected: vec![STRIPE_CONNECTED_ACCOUNT.to_owned()],
    };
    StripeState::new()
        .with(STRIPE_SECRET_KEY, StripeKey::Valid(account.clone()))
        .with(STRIPE_RESTRICTED_KEY, StripeKey::Restricted(account))
        .with(STRIPE_EXPIRED_KEY, StripeKey::Expired)
        .with(STRIPE_RATE_LIMITED_KEY, StripeKey::RateLimited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_client::{connect, request, send};

    #[tokio::test]
    async fn the_four_apps_answer_where_the_flags_say() {
        let providers = demo_providers().await.unwrap();
        assert_eq!(netsuite_account().host(), NETSUITE_HOST);
        let flags = providers.resolve_flags();
        let cases = [
            ("GET", HUBSPOT_HOST, "/account-info/v3/details", HUBSPOT_ACCESS_TOKEN, 200),
            ("GET", NETSUITE_HOST, "/services/rest/record/v1/metadata-catalog", "no signature", 401),
            ("POST", SLACK_HOST, "/api/auth.test", SLACK_BOT_TOKEN, 200),
            ("GET", STRIPE_HOST, "/v1/balance", STRIPE_SECRET_KEY, 200),
        ];
        assert_eq!(flags.len(), cases.len());
        for (method, host, target, token, status) in cases {
            let flag = flags.iter().find_map(|flag| flag.strip_prefix(&format!("{host}="))).unwrap();
            let address = flag.parse().unwrap();
            assert_eq!(providers.address_of(host), Some(address));
            let mut sender = connect(address, host, providers.ca_pem()).await.unwrap();
            let authorization = format!("Bearer {token}");
            let sent = request(method, host, target, &[("authorization", authorization.as_str())]);
            assert_eq!(send(&mut sender, sent).await.unwrap().status, status, "{host}");
        }
        let hosts: Vec<String> = providers.received().into_iter().map(|request| request.host).collect();
        assert_eq!(hosts, cases.map(|(_, host, ..)| host));
    }
}
