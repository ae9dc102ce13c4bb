//! GitHub and GitHub Enterprise Server: personal, OAuth and installation access tokens.
//!
//! `GET /user` tells whose token it is. The token of an app's installation is nobody's, and is refused there although it
//! is good, so it is asked for the repositories that it sees. What kind it is, its prefix tells:
//! <https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github>.

use keyferry_plugin::prelude::*;

struct GitHub;

impl Plugin for GitHub {
    fn describe() -> App {
        App::new("github", "GitHub")
            .about(
                "Source code and its reviews, on github.com or a server of one's own",
                &["developer-tools", "source-code"],
            )
            .docs("https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api")
            .grant(Grant::host("api.github.com").get("/user").get("/installation/repositories"))
            .grant(Grant::host("{base_url}").get("/api/v3/user").get("/api/v3/installation/repositories"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("Tokens of an OAuth app or a GitHub App, given when a user authorised it.")
                    .field(token("`access_token` in the answer of GitHub's token endpoint."))
                    .field(Field::refresh_token())
                    .field(Field::expires_at())
                    .field(base_url())
                    .oauth_app(),
            )
            .auth(
                AuthType::keybased("Access token")
                    .help("A personal access token, fine-grained or classic, or an installation's token.")
                    .field(token("GitHub > Settings > Developer settings > Personal access tokens."))
                    .field(base_url()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let own = credential.optional_text("base_url").map(|url| format!("{}/api/v3", url.trim_end_matches('/')));
        let api = own.as_deref().unwrap_or("https://api.github.com");
        let is_installation = credential.hint("access_token") == Some("ghs_");
        let request = if is_installation {
            Request::get(format!("{api}/installation/repositories")).query("per_page", "1")
        } else {
            Request::get(format!("{api}/user"))
        };
        let answer = request
            .bearer(credential.secret("access_token")?)
            .header("Accept", "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .send()?;
        match answer.status() {
            200 => {
                let told = answer.json()?;
                let verified = Verified::new()
                    .expires_at_ms(answer.time("github-authentication-token-expiration"))
                    .scopes(answer.list("x-oauth-scopes"));
                if is_installation {
                    told.text("/total_count")?;
                    let owner = |member: &str| told.optional_text(&format!("/repositories/0/owner/{member}"));
                    let (id, login) = (owner("id").unwrap_or_default(), owner("login").unwrap_or_default());
                    return Ok(verified.account_id(id).display_name(login));
                }
                Ok(verified.account_id(told.text("/id")?).display_name(told.text("/login")?))
            }
            401 => Err(Failure::rejected(said(&answer.json_or_null())).field("access_token")),
            403 => Err(forbidden(&answer)?),
            404 if own.is_some() => Err(Failure::wrong_tenant("No GitHub API answers there").field("base_url")),
            _ => Err(answer.unexpected()),
        }
    }
}

fn token(help: &str) -> Field {
    let field = Field::secret("access_token", "Access token").required().help(help);
    field.hint("^(gh[opsu]|github_pat)_").example("ghp_exampleExampleExampleExample")
}

fn base_url() -> Field {
    Field::url("base_url", "Enterprise Server")
        .pattern("^https://[0-9A-Za-z.-]+(:[0-9]+)?/?$")
        .help("For GitHub Enterprise Server: where it is. Leave it out for github.com.")
        .example("https://github.acme.example")
}

/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
fn forbidden(answer: &Answer) -> Result<Failure, Failure> {
    let problem = answer.json()?;
    problem.text("/message")?;
    let is_limit = answer.header("x-ratelimit-remaining") == Some("0") || answer.retry_after().is_some();
    Ok(match answer.header("x-github-sso") {
        _ if is_limit => Failure::rate_limited(answer.retry_after(), said(&problem)),
        Some(_) => Failure::insufficient_scope(format!("{}: authorise it for single sign-on", said(&problem))),
        None => Failure::insufficient_scope(said(&problem)).scopes(answer.list("x-accepted-oauth-scopes")),
    })
}

fn said(problem: &Json) -> String {
    problem.said("GitHub", &[], &["/message"])
}

keyferry_plugin::export!(GitHub);
