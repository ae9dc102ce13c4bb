//! Slack: the tokens of an installed app.
//!
//! `POST /api/auth.test` (<https://docs.slack.dev/reference/methods/auth.test>) needs no scope, and answers 200 whether
//! the token is good or not: what counts is `ok` in the body. Of a token that rotates it tells when it ends.

use keyferry_plugin::prelude::*;

struct Slack;

impl Plugin for Slack {
    fn describe() -> App {
        App::new("slack", "Slack")
            .about("Messages of a team", &["communication"])
            .docs("https://docs.slack.dev/authentication/tokens")
            .grant(Grant::host("slack.com").post("/api/auth.test"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The bot or user token that Slack gave when the app was installed.")
                    .field(
                        token("access_token", "Access token")
                            .required()
                            .help("`access_token` in the answer of oauth.v2.access.")
                            .example("xoxb-000000000000-example"),
                    )
                    .field(Field::refresh_token())
                    .field(Field::expires_at())
                    .oauth_app(),
            )
            .auth(
                AuthType::keybased("Bot and user tokens")
                    .help("Tokens copied from the app's settings. Give either or both, of the same workspace.")
                    .field(
                        token("bot_token", "Bot token")
                            .help("api.slack.com/apps > your app > OAuth & Permissions > Bot User OAuth Token.")
                            .example("xoxb-000000000000-example"),
                    )
                    .field(
                        token("user_token", "User token")
                            .help("api.slack.com/apps > your app > OAuth & Permissions > User OAuth Token.")
                            .example("xoxp-000000000000-example"),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let given = ["access_token", "bot_token", "user_token"]
            .into_iter()
            .filter_map(|field| Some((field, credential.optional_secret(field)?)));
        let (mut verified, mut ends) = (Verified::new(), credential.future_ms("expires_at"));
        let mut first_team: Option<String> = None;
        for (field, token) in given {
            let (told, scopes) = auth_test(field, token)?;
            let (team, name) = (told.text("/team_id")?, told.optional_text("/team").unwrap_or_default());
            if first_team.as_deref().is_some_and(|first| first != team) {
                let detail = format!("the two tokens are of different workspaces, `{field}` of {name} ({team})");
                return Err(Failure::wrong_tenant(detail).field(field));
            }
            if first_team.is_none() {
                first_team = Some(team.to_owned());
                verified = verified.account_id(team).display_name(name);
                verified = verified.config("url", told.optional_text("/url").unwrap_or_default());
                verified = verified.config("enterprise_id", told.optional_text("/enterprise_id").unwrap_or_default());
            }
            if let Some(left) = told.optional_text("/expires_in").and_then(|seconds| seconds.parse::<u64>().ok()) {
                let end = keyferry_plugin::clock::now_ms().saturating_add(left.saturating_mul(1000));
                ends = Some(ends.map_or(end, |known| known.min(end)));
            }
            let bot = told.optional_text("/bot_id");
            let user = if bot.is_some() { "bot_user_id" } else { "user_id" };
            verified =
                verified.scopes(scopes).config(user, told.text("/user_id")?).config("bot_id", bot.unwrap_or_default());
        }
        match first_team {
            Some(_) => Ok(verified.expires_at_ms(ends)),
            None => {
                Err(Failure::rejected("Give a bot token, a user token, or both").fields(&["bot_token", "user_token"]))
            }
        }
    }
}

/// A rotating token has two prefixes: `xoxe.xoxb-`.
fn token(name: &str, label: &str) -> Field {
    Field::secret(name, label).hint("^(xoxe\\.)?xox[a-z]-")
}

/// What Slack tells of a token, and the scopes that it has. Its errors are in the method's reference, named above.
fn auth_test(field: &str, token: &Secret) -> Result<(Json, Vec<String>), Failure> {
    let answer = Request::post("https://slack.com/api/auth.test").bearer(token).send()?;
    let told = answer.json()?;
    if told.is_true("/ok") {
        return Ok((told, answer.list("x-oauth-scopes").map(str::to_owned).collect()));
    }
    let error = told.text("/error")?;
    let detail = format!("Slack says {error}");
    Err(match error {
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" => Failure::rejected(detail).field(field),
        "account_inactive" => Failure::suspended(detail),
        "missing_scope" => Failure::insufficient_scope(detail).scopes(told.optional_text("/needed")),
        "no_permission"
        | "not_allowed_token_type"
        | "access_denied"
        | "accesslimited"
        | "ekm_access_denied"
        | "enterprise_is_restricted"
        | "two_factor_setup_required" => Failure::insufficient_scope(detail),
        "team_access_not_granted" => Failure::wrong_tenant(detail).field(field),
        "ratelimited" => Failure::rate_limited(answer.retry_after(), detail),
        // The last two: a workspace on its way into an organisation, which cannot be used meanwhile.
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "org_login_required"
        | "team_added_to_org" => Failure::provider_error(answer.status(), detail),
        _ => Failure::unexpected(detail),
    })
}

keyferry_plugin::export!(Slack);
