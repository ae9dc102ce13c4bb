//! Slack: the tokens of an installed app.
//!
//! `POST /api/auth.test` (<https://docs.slack.dev/reference/methods/auth.test>) needs no scope, and responds with 200 whether
//! the token is good or not: what counts is `ok` in the body. Of a token that rotates it tells when it ends. Tokens of the bot, of
//! the user who installed the app (<https://docs.slack.dev/reference/methods/oauth.v2.access>) and of the app are all asked for.
//! GovSlack is at `slack-gov.com`: <https://api.slack-gov.com/gov-slack/about>.

use keyferry_plugin::prelude::*;

struct Slack;

/// The hosts of Slack: GovSlack is a system of its own, which knows none of the other's tokens.
const DOMAINS: [(&str, &str); 2] = [("slack.com", "Slack"), ("slack-gov.com", "GovSlack")];

/// The fields that hold a token to verify, in the order in which the workspace is taken from them.
const TOKENS: [&str; 4] = ["access_token", "bot_token", "user_token", "app_token"];

impl Plugin for Slack {
    fn describe() -> App {
        let app = App::new("slack", "Slack")
            .about("Messages of a team", &["communication"])
            .docs("https://docs.slack.dev/authentication/tokens");
        DOMAINS
            .iter()
            .fold(app, |app, (domain, _)| app.grant(Grant::host(domain).post("/api/auth.test")))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that Slack gave when the app was installed.")
                    .field(
                        token("access_token", "Access token")
                            .required()
                            .help("`access_token` in the answer of oauth.v2.access: the bot's, or the user's if there is no bot.")
                            .example("xoxb-000000000000-example"),
                    )
                    .field(Field::refresh_token())
                    .field(Field::expires_at())
                    .field(user_token("`authed_user.access_token` in the answer of oauth.v2.access."))
                    .field(
                        Field::secret("user_refresh_token", "User refresh token")
                            .help("`authed_user.refresh_token` in the same answer, where tokens rotate.")
                            .example("xoxe-1-example"),
                    )
                    .field(
                        Field::number("user_expires_at", "User token expires at")
                            .help("When the user token ends, as Unix time in seconds or milliseconds.")
                            .example("1767225600"),
                    )
                    // An app of GovSlack is an app of its own, with an id and a secret of its own.
                    .field(domain().by_organisation())
                    .oauth_app()
                    .renewal(renewal())
                    .renewal(renewal().pair("user_token", "user_refresh_token", "user_expires_at")),
            )
            .auth(
                AuthType::keybased("Bot and user tokens")
                    .help("Tokens copied from the app's settings: one or more, of the same workspace.")
                    .field(
                        token("bot_token", "Bot token")
                            .help("api.slack.com/apps > your app > OAuth & Permissions > Bot User OAuth Token.")
                            .example("xoxb-000000000000-example"),
                    )
                    .field(user_token("api.slack.com/apps > your app > OAuth & Permissions > User OAuth Token."))
                    .field(
                        Field::secret("app_token", "App-level token")
                            .help("api.slack.com/apps > your app > Basic Information > App-Level Tokens.")
                            .example("xapp-1-A000000-000000-example"),
                    )
                    .field(
                        Field::secret("signing_secret", "Signing secret")
                            .help("Basic Information > App Credentials. It is stored as it is: Slack has no request to check it.")
                            .example("0123456789abcdef0123456789abcdef"),
                    )
                    .field(domain()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let domain = credential.optional_text("domain").unwrap_or("slack.com");
        let given = TOKENS.into_iter().filter_map(|field| Some((field, credential.optional_secret(field)?)));
        let (mut verified, mut is_any) = (Verified::new(), false);
        let known = ["expires_at", "user_expires_at"].map(|field| credential.future_ms(field));
        let mut ends = known.into_iter().flatten().min();
        let mut first_team: Option<String> = None;
        for (field, token) in given {
            is_any = true;
            let (told, scopes) = auth_test(domain, field, credential.hint(field), token)?;
            let id = |name: &str| told.optional_text(name).unwrap_or_default();
            if let Some(left) = told.optional_text("/expires_in").and_then(|seconds| seconds.parse::<u64>().ok()) {
                let end = keyferry_plugin::clock::now_ms().saturating_add(left.saturating_mul(1000));
                ends = Some(ends.map_or(end, |known| known.min(end)));
            }
            verified = verified.scopes(scopes);
            // An app-level token is of an app and of no workspace.
            if id("/team_id").is_empty() && told.optional_text("/app_id").is_some() {
                verified = verified.config("app_id", id("/app_id"));
                if first_team.is_none() {
                    verified = verified.account_id(id("/app_id")).display_name(id("/app_name"));
                }
                continue;
            }
            let (team, name) = (told.text("/team_id")?, id("/team"));
            if first_team.as_deref().is_some_and(|first| first != team) {
                let detail = format!("the tokens are of different workspaces, `{field}` of {name} ({team})");
                return Err(Failure::wrong_tenant(detail).field(field));
            }
            if first_team.is_none() {
                first_team = Some(team.to_owned());
                verified = verified.account_id(team).display_name(name);
                verified = verified.config("url", id("/url")).config("enterprise_id", id("/enterprise_id"));
            }
            let bot = told.optional_text("/bot_id");
            let user = if bot.is_some() { "bot_user_id" } else { "user_id" };
            verified = verified.config(user, told.text("/user_id")?).config("bot_id", bot.unwrap_or_default());
        }
        if is_any {
            Ok(verified.expires_at_ms(ends))
        } else {
            let detail = "Give a bot token, a user token or an app-level token";
            Err(Failure::rejected(detail).fields(&["bot_token", "user_token", "app_token"]))
        }
    }

    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        let domain = credential.optional_text("domain").unwrap_or("slack.com");
        renewal.at(&format!("https://{domain}/api/oauth.v2.access")).send(credential, client)
    }
}

/// A rotating token has two prefixes: `xoxe.xoxb-`.
fn token(name: &str, label: &str) -> Field {
    Field::secret(name, label).hint("^(xoxe\\.)?x(ox[a-z]|app)-")
}

fn user_token(help: &str) -> Field {
    token("user_token", "User token").help(help).example("xoxp-000000000000-example")
}

/// A pair of a bot or of a user; both are answered alike. <https://docs.slack.dev/authentication/using-token-rotation>
fn renewal() -> Renewal {
    let renewal = Renewal::refresh("https://slack.com/api/oauth.v2.access")
        .client(ClientAuth::Basic)
        .rotation(Rotation::SingleUse)
        .access_life(12 * HOUR)
        .ended_by(&["invalid_refresh_token"])
        .client_refused_by(&["invalid_client_id", "bad_client_secret"]);
    DOMAINS.iter().fold(renewal, |renewal, (domain, _)| renewal.grant(Grant::host(domain).post("/api/oauth.v2.access")))
}

fn domain() -> Field {
    Field::select("domain", "Domain", &DOMAINS)
        .help("Where the workspace is: GovSlack has a domain of its own. Without it, slack.com.")
}

/// What Slack tells of a token, and the scopes that it has. Its errors are in the method's reference, named above.
fn auth_test(domain: &str, field: &str, kind: Option<&str>, token: &Secret) -> Result<(Json, Vec<String>), Failure> {
    let response = Request::post(format!("https://{domain}/api/auth.test")).bearer(token).send()?;
    let told = response.json()?;
    if told.is_true("/ok") {
        return Ok((told, response.list("x-oauth-scopes").map(str::to_owned).collect()));
    }
    let error = told.text("/error")?;
    let advice = match kind {
        _ if error != "invalid_auth" => "",
        Some("xoxc-") => ": `xoxc-` is the token of a browser, of no use without its cookie; give a token of an app",
        Some("xoxe-") => ": `xoxe-` begins a refresh token; give the access token that it came with",
        _ => "",
    };
    let detail = format!("Slack says {error}{advice}");
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
        "ratelimited" => Failure::rate_limited(response.retry_after(), detail),
        // The last two: a workspace on its way into an organisation, which cannot be used meanwhile.
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "org_login_required"
        | "team_added_to_org" => Failure::provider_error(response.status(), detail),
        _ => Failure::unexpected(detail),
    })
}

keyferry_plugin::export!(Slack);
