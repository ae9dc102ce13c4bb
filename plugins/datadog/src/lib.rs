//! Datadog: an API key, and an application key beside it, of one site.
//!
//! Each site knows its own keys only, and answers 403 to a bad one. `GET /api/v1/validate` is for API keys; what an
//! application key can do, `GET /api/v2/current_user` tells. See <https://docs.datadoghq.com/getting_started/site/>.

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
        let answer = get("/api/v1/validate").send()?;
        match answer.status() {
            200 if answer.json()?.is_true("/valid") => {}
            401 | 403 => return Err(Failure::rejected(said(&answer)?).fields(&["api_key", "site"])),
            _ => return Err(answer.unexpected()),
        }
        let verified = Verified::new().config("site", site);
        let Some(app_key) = credential.optional_secret("app_key") else {
            return Ok(verified.warning("without an application key, most of the API is out of reach"));
        };
        let answer = get("/api/v2/current_user").header("DD-APPLICATION-KEY", app_key).send()?;
        match answer.status() {
            200 => {
                let user = answer.json()?;
                Ok(verified
                    .account_id(user.text("/data/relationships/org/data/id")?)
                    .display_name(user.optional_text("/data/attributes/handle").unwrap_or_default()))
            }
            401 | 403 => Err(Failure::rejected(said(&answer)?).field("app_key")),
            _ => Err(answer.unexpected()),
        }
    }
}

/// Without the API's own words it is not the API that speaks, but something on the way to it.
fn said(answer: &Answer) -> Result<String, Failure> {
    Ok(format!("Datadog says: {}", answer.json()?.text("/errors/0")?))
}

keyferry_plugin::export!(Datadog);
