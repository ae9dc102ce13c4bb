//! Datadog: an API key, and an application key beside it, of one site; or a token that needs no key beside it.
//!
//! Each site knows its own keys only, and responds with 403 to a bad one. `GET /api/v1/validate` is for API keys; any application key
//! may ask who it belongs to: <https://docs.datadoghq.com/api/latest/users/get-current-user/>. So may a personal or service access
//! token (<https://docs.datadoghq.com/account_management/personal-access-tokens/>) and the token of an OAuth client
//! (<https://docs.datadoghq.com/extend/authorization/oauth2_in_datadog/>).

use keyferry_plugin::prelude::*;

struct Datadog;

/// Domain and name of each site.
const SITES: [(&str, &str); 9] = [
    ("datadoghq.com", "US1"),
    ("us3.datadoghq.com", "US3"),
    ("us5.datadoghq.com", "US5"),
    ("datadoghq.eu", "EU1 (EU)"),
    ("ap1.datadoghq.com", "AP1"),
    ("ap2.datadoghq.com", "AP2"),
    ("uk1.datadoghq.com", "UK1"),
    ("ddog-gov.com", "US1-FED"),
    ("us2.ddog-gov.com", "US2-FED"),
];

impl Plugin for Datadog {
    fn describe() -> App {
        let app = App::new("datadog", "Datadog")
            .about("Monitoring of infrastructure and applications", &["monitoring", "infrastructure"])
            .docs("https://docs.datadoghq.com/account_management/api-app-keys/");
        let grant = |app: App, (site, _): &(&str, &str)| {
            app.grant(Grant::host(&format!("api.{site}")).get("/api/v1/validate").get("/api/v2/current_user"))
        };
        SITES
            .iter()
            .fold(app, grant)
            .auth(
                AuthType::keybased("API and application key")
                    .help("An API key of an organisation. Most of the API needs an application key beside it.")
                    .field(
                        Field::secret("api_key", "API key")
                            .required()
                            .help("Datadog > Organization Settings > API Keys.")
                            .example("0123456789abcdef0123456789abcdef"),
                    )
                    .field(
                        Field::secret("app_key", "Application key")
                            .help("Datadog > Organization Settings > Application Keys.")
                            .example("0123456789abcdef0123456789abcdef01234567"),
                    )
                    .field(site()),
            )
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that an OAuth client got when a user authorised it.")
                    .tokens("`access_token` in the answer of Datadog's token endpoint.")
                    .field(site())
                    .renewal(renewal()),
            )
            .auth(
                AuthType::new("token", "Access token")
                    .help("A personal or a service access token. It needs no API key beside it.")
                    .field(
                        Field::secret("access_token", "Access token")
                            .required()
                            .help("Datadog > Personal Settings > Access Tokens, or a service account's page.")
                            .example("ddpat_exampleExampleExample"),
                    )
                    .field(site()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let site = credential.text("site")?;
        let get = |path: &str| Request::get(format!("https://api.{site}{path}"));
        let verified = Verified::new().config("site", site);
        if let Some(token) = credential.optional_secret("access_token") {
            let me = told(get("/api/v2/current_user").bearer(token), &["access_token", "site"])?;
            return Ok(owned(verified, &me)?.expires_at_ms(credential.future_ms("expires_at")));
        }
        let key = credential.secret("api_key")?;
        let get = |path: &str| get(path).header("DD-API-KEY", key);
        if !told(get("/api/v1/validate"), &["api_key", "site"])?.is_true("/valid") {
            return Err(Failure::unexpected("Datadog does not say that the API key is valid"));
        }
        let Some(app_key) = credential.optional_secret("app_key") else {
            return Ok(verified.warning("without an application key, most of the API is out of reach"));
        };
        let me = told(get("/api/v2/current_user").header("DD-APPLICATION-KEY", app_key), &["app_key"])?;
        owned(verified, &me)
    }
}

/// <https://docs.datadoghq.com/extend/authorization/oauth2_endpoints/>. It does not say whether a used refresh token stays valid.
fn renewal() -> Renewal {
    let renewal =
        Renewal::refresh("https://api.{site}/oauth2/v1/token").rotation(Rotation::SingleUse).access_life(HOUR);
    SITES
        .iter()
        .fold(renewal, |renewal, (site, _)| renewal.grant(Grant::host(&format!("api.{site}")).post("/oauth2/v1/token")))
}

fn site() -> Field {
    Field::select("site", "Site", &SITES)
        .default("datadoghq.com")
        .help("Where the organisation is: the domain that Datadog is opened at.")
}

/// Whose organisation it is.
fn owned(verified: Verified, me: &Json) -> Result<Verified, Failure> {
    let (id, handle) = (me.text("/data/relationships/org/data/id")?, me.optional_text("/data/attributes/handle"));
    Ok(verified.account_id(id).display_name(handle.unwrap_or_default()))
}

/// What Datadog tells; or, in its own words and not in those of something on the way to it, that it does not know `fields`.
fn told(request: Request, fields: &[&str]) -> Result<Json, Failure> {
    let response = request.send()?;
    let told = response.json()?;
    let said = told.said("Datadog", &[], &["/errors/0"]);
    match response.status() {
        200 => Ok(told),
        // A key that is not known gets 403; a token gets 401, and 403 for what its scopes do not cover.
        403 if fields.contains(&"access_token") && told.at("/errors/0").is_some() => {
            Err(Failure::insufficient_scope(said))
        }
        401 | 403 if told.at("/errors/0").is_some() => Err(Failure::rejected(said).fields(fields)),
        _ => Err(response.unexpected()),
    }
}

keyferry_plugin::export!(Datadog);
