//! Slack: `auth.test`, which responds with 200 to everything but too many requests.

use std::collections::HashMap;

use serde_json::json;
use url::form_urlencoded;

use super::authorization::bearer;
use crate::{Received, Reply};

/// The tokens that the mock provider knows. Any other token is `invalid_auth`.
#[derive(Clone, Default)]
pub struct SlackState {
    tokens: HashMap<String, SlackToken>,
}

/// The reply to a request with a token.
#[derive(Clone)]
pub enum SlackToken {
    /// `ok: true` with who the token belongs to.
    Valid(SlackIdentity),
    /// `ok: false` with this error: `token_revoked`, `token_expired`, `account_inactive`.
    Refused(String),
    /// 429 with this many seconds in `Retry-After`.
    RateLimited(u32),
}

/// Workspace and user of a token.
#[derive(Clone)]
pub struct SlackIdentity {
    /// The workspace's name, from which its address is made.
    pub team: String,
    /// Id of the workspace, `T...`.
    pub team_id: String,
    /// The user's or the bot user's name.
    pub user: String,
    /// Id of the user, `U...`.
    pub user_id: String,
    /// `B...`, for a bot token only.
    pub bot_id: Option<String>,
    /// Content of the `x-oauth-scopes` header.
    pub scopes: Vec<String>,
}

impl SlackState {
    /// A Slack that knows no token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token and the reply to it.
    #[must_use]
    pub fn with(mut self, token: &str, reply: SlackToken) -> Self {
        self.tokens.insert(token.to_owned(), reply);
        self
    }
}

/// The handler of `slack.com`.
pub fn slack(state: SlackState) -> impl Fn(Received) -> Reply + Send + Sync + 'static {
    move |request| {
        if request.path() != "/api/auth.test" {
            return unknown_path(request.path());
        }
        // The real method takes GET as well as POST, and a token in the form as well as in the header.
        if !matches!(request.method.as_str(), "GET" | "POST") {
            return refused("method_not_supported");
        }
        let Some(token) = bearer(&request).map(str::to_owned).or_else(|| form_token(&request)) else {
            return refused("not_authed");
        };
        match state.tokens.get(&token) {
            Some(SlackToken::Valid(identity)) => accepted(identity),
            Some(SlackToken::Refused(error)) => refused(error),
            Some(SlackToken::RateLimited(seconds)) => Reply::json(429, &json!({ "ok": false, "error": "ratelimited" }))
                .with_header("retry-after", &seconds.to_string()),
            None => refused("invalid_auth"),
        }
    }
}

fn accepted(identity: &SlackIdentity) -> Reply {
    let mut body = json!({
        "ok": true,
        "url": format!("https://{}.slack.com/", identity.team.to_lowercase().replace(' ', "-")),
        "team": identity.team,
        "user": identity.user,
        "team_id": identity.team_id,
        "user_id": identity.user_id,
        "is_enterprise_install": false,
    });
    if let (Some(fields), Some(bot)) = (body.as_object_mut(), &identity.bot_id) {
        fields.insert("bot_id".to_owned(), json!(bot));
    }
    Reply::json(200, &body).with_header("x-oauth-scopes", &identity.scopes.join(","))
}

fn refused(error: &str) -> Reply {
    Reply::json(200, &json!({ "ok": false, "error": error }))
}

fn unknown_path(path: &str) -> Reply {
    match path.strip_prefix("/api/") {
        // Slack responds with 200 to an unknown method, too.
        Some(method) => Reply::json(200, &json!({ "ok": false, "error": "unknown_method", "req_method": method })),
        None => Reply::text(404, "There is no page here."),
    }
}

fn form_token(request: &Received) -> Option<String> {
    let form = request.header("content-type")?.starts_with("application/x-www-form-urlencoded");
    let (_, token) = form.then(|| form_urlencoded::parse(&request.body).find(|(name, _)| name == "token")).flatten()?;
    Some(token.into_owned())
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use serde_json::Value;

    use super::*;
    use crate::MockProviders;
    use crate::test_client::{connect, request, send};

    const HOST: &str = "slack.com";
    const TEST: &str = "/api/auth.test";

    fn identity(bot_id: Option<&str>) -> SlackIdentity {
        SlackIdentity {
            team: "Acme Corp".to_owned(),
            team_id: "T1".to_owned(),
            user: "ferry".to_owned(),
            user_id: "U1".to_owned(),
            bot_id: bot_id.map(str::to_owned),
            scopes: vec!["chat:write".to_owned(), "users:read".to_owned()],
        }
    }

    #[tokio::test]
    async fn each_token_gets_its_answer() {
        let state = SlackState::new()
            .with("xoxb-good", SlackToken::Valid(identity(Some("B1"))))
            .with("xoxp-good", SlackToken::Valid(identity(None)))
            .with("xoxb-gone", SlackToken::Refused("token_revoked".to_owned()))
            .with("xoxb-busy", SlackToken::RateLimited(30));
        let mut providers = MockProviders::start().await.unwrap();
        let address = providers.add(HOST, slack(state)).await.unwrap();
        let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
        let cases: [(&str, &str, u16, &str, Value); 8] = [
            (TEST, "Bearer xoxb-good", 200, "/bot_id", json!("B1")),
            (TEST, "Bearer xoxb-good", 200, "/url", json!("https://acme-corp.slack.com/")),
            (TEST, "Bearer xoxp-good", 200, "/ok", json!(true)),
            (TEST, "Bearer xoxb-gone", 200, "/error", json!("token_revoked")),
            (TEST, "Bearer unknown", 200, "/error", json!("invalid_auth")),
            (TEST, "Basic eA==", 200, "/error", json!("not_authed")),
            (TEST, "Bearer xoxb-busy", 429, "/error", json!("ratelimited")),
            ("/api/no.such", "Bearer xoxb-good", 200, "/error", json!("unknown_method")),
        ];
        for (target, authorization, status, pointer, expected) in cases {
            let sent = request("POST", HOST, target, &[("authorization", authorization)]);
            let response = send(&mut sender, sent).await.unwrap();
            assert_eq!(response.status, status, "{authorization}");
            assert_eq!(response.json().pointer(pointer), Some(&expected), "{authorization}");
            match authorization {
                "Bearer xoxb-good" if target == TEST => {
                    assert_eq!(response.header("x-oauth-scopes"), "chat:write,users:read");
                }
                "Bearer xoxb-busy" => assert_eq!(response.header("retry-after"), "30"),
                "Bearer xoxp-good" => assert_eq!(response.json().get("bot_id"), None),
                _ => {}
            }
        }
        assert_eq!(send(&mut sender, request("GET", HOST, "/", &[])).await.unwrap().status, 404);
    }

    #[tokio::test]
    async fn a_token_in_the_form_counts() {
        let state = SlackState::new().with("xoxb-good", SlackToken::Valid(identity(None)));
        let mut providers = MockProviders::start().await.unwrap();
        let address = providers.add(HOST, slack(state)).await.unwrap();
        let mut sender = connect(address, HOST, providers.ca_pem()).await.unwrap();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let mut sent = request("POST", HOST, TEST, &form);
        *sent.body_mut() = Full::from("a=b&token=xoxb%2Dgood");
        assert_eq!(send(&mut sender, sent).await.unwrap().json()["ok"], json!(true));
    }
}
