//! GitHub, GitHub Enterprise Cloud with data residency and GitHub Enterprise Server: personal, OAuth and installation access
//! tokens, and the key of an app.
//!
//! `GET /user` tells whose token it is. The token of an app's installation is nobody's, and is refused there although it
//! is good, so it is asked for the repositories that it sees. What kind it is, its prefix tells:
//! <https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github>.
//!
//! An enterprise with data residency has its API at `api.SUBDOMAIN.ghe.com`, without a path before it:
//! <https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/about-github-enterprise-cloud-with-data-residency#api-access>.
//! A server of one's own has it below `/api/v3`: <https://docs.github.com/en/enterprise-server@latest/rest/using-the-rest-api>.
//!
//! An app signs for itself that it is the app, and asks for one of its installations:
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>.

use keyferry_plugin::prelude::*;

struct GitHub;

const PATHS: [&str; 3] = ["/user", "/installation/repositories", "/app/installations"];

impl Plugin for GitHub {
    fn describe() -> App {
        App::new("github", "GitHub")
            .about(
                "Source code and its reviews, on github.com or a server of one's own",
                &["developer-tools", "source-code"],
            )
            .docs("https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api")
            .grant(PATHS.iter().fold(Grant::host("api.github.com"), |grant, path| grant.get(path)))
            .grant(PATHS.iter().fold(Grant::host("api.{base_url}"), |grant, path| grant.get(path)))
            .grant(PATHS.iter().fold(Grant::host("{base_url}"), |grant, path| {
                grant.get(path).get(&format!("/api/v3{path}"))
            }))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("Tokens of an OAuth app or a GitHub App, given when a user authorised it.")
                    .field(token("`access_token` in the answer of GitHub's token endpoint."))
                    .field(Field::refresh_token())
                    .field(Field::expires_at())
                    .field(base_url())
                    .oauth_app()
                    // https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
                    .renewal(
                        Renewal::refresh("https://github.com/login/oauth/access_token")
                            .grant(Grant::host("github.com").post("/login/oauth/access_token"))
                            .grant(Grant::host("{base_url}").post("/login/oauth/access_token"))
                            .grant(Grant::host("*.ghe.com").post("/login/oauth/access_token"))
                            .rotation(Rotation::SingleUse)
                            .access_life(8 * HOUR)
                            .ended_by(&["bad_refresh_token"])
                            .client_refused_by(&["incorrect_client_credentials"]),
                    ),
            )
            .auth(
                AuthType::keybased("Access token")
                    .help("A personal access token, fine-grained or classic, or an installation's token.")
                    .field(token("GitHub > Settings > Developer settings > Personal access tokens."))
                    .field(base_url()),
            )
            .auth(
                AuthType::new("app", "GitHub App")
                    .help("A GitHub App's private key, and the installation to act for.")
                    .field(
                        Field::text("app_id", "App ID")
                            .required()
                            .pattern("^[0-9A-Za-z.]+$")
                            .help("GitHub > Settings > Developer settings > GitHub Apps > your app > About; or its client ID.")
                            .example("123456"),
                    )
                    .field(
                        Field::text("installation_id", "Installation ID")
                            .required()
                            .pattern("^[0-9]+$")
                            .help("The number at the end of the URL of the installation's settings.")
                            .example("12345678"),
                    )
                    .field(
                        Field::secret("private_key", "Private key")
                            .multiline()
                            .required()
                            .help("The file that GitHub made below Private keys: PEM of several lines.")
                            .example("-----BEGIN RSA PRIVATE KEY-----\nexample\n-----END RSA PRIVATE KEY-----"),
                    )
                    .field(base_url()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let own = match credential.optional_text("base_url") {
            Some(base_url) => own_api(base_url)?,
            None => None,
        };
        let api = own.as_deref().unwrap_or("https://api.github.com");
        if let Some(key) = credential.optional_secret("private_key") {
            return installation(&credential, api, own.is_some(), key);
        }
        let kind = credential.hint("access_token");
        let is_installation = kind == Some("ghs_");
        let request = if is_installation {
            Request::get(format!("{api}/installation/repositories")).query("per_page", "1")
        } else {
            Request::get(format!("{api}/user"))
        };
        let response = send(request.bearer(credential.secret("access_token")?))?;
        match response.status() {
            200 => {
                let told = response.json()?;
                let verified = Verified::new()
                    .expires_at_ms(response.time("github-authentication-token-expiration"))
                    .scopes(response.list("x-oauth-scopes"));
                if is_installation {
                    told.text("/total_count")?;
                    let owner = |member: &str| told.optional_text(&format!("/repositories/0/owner/{member}"));
                    let (id, login) = (owner("id").unwrap_or_default(), owner("login").unwrap_or_default());
                    return Ok(verified.account_id(id).display_name(login));
                }
                Ok(verified.account_id(told.text("/id")?).display_name(told.text("/login")?))
            }
            401 if kind == Some("ghr_") => {
                let advice = "`ghr_` begins a refresh token; give the access token that it came with";
                Err(Failure::rejected(format!("{}; {advice}", said(&response.json_or_null()))).field("access_token"))
            }
            401 => Err(Failure::rejected(said(&response.json_or_null())).field("access_token")),
            403 => Err(forbidden(&response)?),
            404 if own.is_some() => Err(Failure::wrong_tenant("No GitHub API answers there").field("base_url")),
            _ => Err(response.unexpected()),
        }
    }

    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        // The API of an enterprise may be at another host than its sign-in.
        let own = match credential.optional_text("base_url") {
            Some(base_url) => own_api(base_url)?.map(|_| {
                let address = Address::read(base_url);
                match residency(&address) {
                    Some(enterprise) => format!("{enterprise}.ghe.com"),
                    None => address.authority(),
                }
            }),
            None => None,
        };
        match own {
            Some(host) => renewal.at(&format!("https://{host}/login/oauth/access_token")).send(credential, client),
            None => renewal.send(credential, client),
        }
    }
}

/// Where the API is, of which any page or `/api/v3` may have been pasted; nothing for github.com, which has the usual place.
fn own_api(base_url: &str) -> Result<Option<String>, Failure> {
    let address = Address::read(base_url);
    if address.host().is_empty() {
        return Err(Failure::wrong_tenant("`base_url` names no host: give such as https://github.acme.example")
            .field("base_url"));
    }
    Ok(match (address.host(), residency(&address)) {
        ("github.com" | "www.github.com" | "api.github.com", _) => None,
        (_, Some(enterprise)) => Some(format!("https://api.{enterprise}.ghe.com")),
        _ => Some(format!("https://{}/api/v3", address.authority())),
    })
}

/// The enterprise with data residency that an address is of: `acme` of acme.ghe.com and of api.acme.ghe.com.
fn residency(address: &Address) -> Option<&str> {
    let labels = address.below("ghe.com")?;
    Some(labels.strip_prefix("api.").unwrap_or(labels)).filter(|label| !label.contains('.') && *label != "api")
}

fn token(help: &str) -> Field {
    let field = Field::secret("access_token", "Access token").required().help(help);
    field.hint("^(gh[oprsu]|github_pat)_").example("ghp_exampleExampleExampleExample")
}

fn base_url() -> Field {
    Field::url("base_url", "Enterprise")
        .pattern("(?i)^https://[a-z0-9.-]+(:[0-9]+)?([/?#].*)?$")
        .help("For an enterprise on GHE.com, or GitHub Enterprise Server: its address. Leave it out for github.com.")
        .example("https://github.acme.example")
}

fn send(request: Request) -> Result<Response, Failure> {
    request.header("Accept", "application/vnd.github+json").header("X-GitHub-Api-Version", "2022-11-28").send()
}

/// Asks, as the app, for an installation: `GET /app/installations/{installation_id}`.
fn installation(credential: &Credential, api: &str, is_own: bool, key: &Secret) -> Result<Verified, Failure> {
    let (app, id) = (credential.text("app_id")?, credential.text("installation_id")?);
    // Ten minutes are allowed, and a minute's difference between the clocks.
    let now = keyferry_plugin::clock::now_ms() / 1000;
    let claims = format!(r#"{{"iat":{},"exp":{},"iss":"{app}"}}"#, now.saturating_sub(60), now + 480);
    let request = Request::get(format!("{api}/app/installations")).segment(id);
    let response = send(request.bearer(Jwt::rs256(key, claims)))?;
    let told = response.json();
    let problem = told.as_ref().unwrap_or(&Json::Null);
    let words = problem.optional_text("/message").unwrap_or_default();
    match response.status() {
        200 => {
            let told = told?;
            if told.optional_text("/suspended_at").is_some() {
                return Err(Failure::suspended("GitHub says that the installation is suspended"));
            }
            let verified =
                Verified::new().account_id(told.text("/account/id")?).display_name(told.text("/account/login")?);
            let Some(Json::Object(permissions)) = told.at("/permissions") else { return Ok(verified) };
            let scope = |(name, level): &(String, Json)| Some(format!("{name}={}", level.optional_text("")?));
            Ok(verified.scopes(permissions.iter().filter_map(scope)))
        }
        // `'Issued at' claim ('iat') must be ...` and `'Expiration time' claim ('exp') is too far in the future`: the clock.
        401 if words.contains("claim ('iat')") || words.contains("claim ('exp')") => {
            Err(Failure::unexpected(said(problem)))
        }
        401 => Err(Failure::rejected(said(problem)).fields(&["app_id", "private_key"])),
        403 => Err(forbidden(&response)?),
        404 if words == "Integration not found" => Err(Failure::rejected(said(problem)).field("app_id")),
        404 if !words.is_empty() => Err(Failure::wrong_tenant(said(problem)).field("installation_id")),
        404 if is_own => Err(Failure::wrong_tenant("No GitHub API answers there").field("base_url")),
        _ => Err(response.unexpected()),
    }
}

/// Limits: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>. The secondary one may be told by
/// words alone, and so is what is suspended, an account or an installation; the words are those that `lib/octokit/error.rb` of
/// <https://github.com/octokit/octokit.rb> goes by.
fn forbidden(response: &Response) -> Result<Failure, Failure> {
    let problem = response.json()?;
    let words = problem.text("/message")?.to_ascii_lowercase();
    let is_limit = response.header("x-ratelimit-remaining") == Some("0")
        || response.retry_after().is_some()
        || ["rate limit", "login attempts exceeded", "abuse"].iter().any(|limit| words.contains(limit));
    Ok(match response.header("x-github-sso") {
        _ if is_limit => Failure::rate_limited(response.retry_after(), said(&problem)),
        _ if words.contains("suspended") => Failure::suspended(said(&problem)),
        Some(_) => Failure::insufficient_scope(format!("{}: authorise it for single sign-on", said(&problem))),
        None => Failure::insufficient_scope(said(&problem))
            .scopes(response.list("x-accepted-oauth-scopes").chain(response.list("x-accepted-github-permissions"))),
    })
}

fn said(problem: &Json) -> String {
    problem.said("GitHub", &[], &["/message"])
}

keyferry_plugin::export!(GitHub);
