//! Datadog: an API key, and an application key beside it, of one site.
//!
//! Each site knows its own keys only, and answers 403 to a bad one. `GET /api/v1/validate` is for API keys; any application key
//! may ask who it belongs to: <https://docs.datadoghq.com/api/latest/users/get-current-user/>.

use keyferry_plugin::prelude::*;

struct Datadog;

/// Domain and name of each site.
const SITES: [(&str, &str); 9] = [
    ("datadoghq.com", "US1"),
    ("us3.datadoghq.com", "US3"),
    ("us5.datadoghq.com", "US5"),
    ("datadoghq.eu", "EU"),
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
        SITES.iter().fold(app, grant).auth(
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
                .field(
                    Field::select("site", "Site", &SITES)
                        .default("datadoghq.com")
                        .help("Where the organisation is: the domain that Datadog is opened at."),
                ),
        )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let (key, site) = (credential.secret("api_key")?, credential.text("site")?);
        let get = |path: &str| Request::get(format!("https://api.{site}{path}")).header("DD-API-KEY", key);
        if !told(get("/api/v1/validate"), &["api_key", "site"])?.is_true("/valid") {
            return Err(Failure::unexpected("Datadog does not say that the API key is valid"));
        }
        let verified = Verified::new().config("site", site);
        let Some(app_key) = credential.optional_secret("app_key") else {
            return Ok(verified.warning("without an application key, most of the API is out of reach"));
        };
        let me = told(get("/api/v2/current_user").header("DD-APPLICATION-KEY", app_key), &["app_key"])?;
        let (id, handle) = (me.text("/data/relationships/org/data/id")?, me.optional_text("/data/attributes/handle"));
        Ok(verified.account_id(id).display_name(handle.unwrap_or_default()))
    }
}

/// What Datadog tells; or, in its own words and not in those of something on the way to it, that it does not know `fields`.
fn told(request: Request, fields: &[&str]) -> Result<Json, Failure> {
    let answer = request.send()?;
    let told = answer.json()?;
    let said = told.said("Datadog", &[], &["/errors/0"]);
    match answer.status() {
        200 => Ok(told),
        401 | 403 if told.at("/errors/0").is_some() => Err(Failure::rejected(said).fields(fields)),
        _ => Err(answer.unexpected()),
    }
}

keyferry_plugin::export!(Datadog);
