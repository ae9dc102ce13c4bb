//! A plugin with a defect in each auth type, for tests of the tools that find defects.

use keyferry_plugin::prelude::*;

struct Careless;

const HOST: &str = "https://api.careless.example.com";

impl Plugin for Careless {
    fn describe() -> App {
        App::new("careless", "Careless")
            .docs(&format!("https://careless.example.com/docs?at={}", keyferry_plugin::clock::now_ms()))
            .reads_secrets()
            .grant(Grant::host("api.careless.example.com").get("/"))
            .grant(Grant::host("*.careless.example.com").get("/v1/me"))
            .auth(auth("loose-host").field(Field::text("site", "Site").required().help("Your site.")))
            .auth(auth("ungranted"))
            .auth(
                auth("choices").field(
                    Field::select("region", "Region", &[("eu", "Europe"), ("us", "United States")])
                        .required()
                        .help("Where the account is."),
                ),
            )
            .auth(auth("no-proof"))
            .auth(auth("blames"))
            .auth(auth("breaks"))
            .auth(auth("leaks"))
            .auth(auth("steers"))
            .auth(
                auth("hasty")
                    .field(Field::secret("refresh_token", "Refresh token").help("Somewhere."))
                    .field(Field::expires_at())
                    .renewal(Renewal::refresh(&format!("{HOST}/oauth/token")).pair(
                        "api_key",
                        "refresh_token",
                        "expires_at",
                    )),
            )
            .auth(
                AuthType::new("words", "")
                    .help("Slips in what people read, and in what forms check.")
                    .field(Field::text("password", "Password"))
                    .field(Field::text("code", "Code").pattern("([a-z]+)+").example("123"))
                    .field(Field::secret("api_key", "API key").required().hint("[a-z0-9]+")),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        // The plugin asks to read secrets, so they arrive as text.
        let key = credential.text("api_key")?;
        let me = |url: String| Request::get(url).bearer(key);
        match credential.auth_type() {
            "loose-host" => {
                let site = credential.text("site")?;
                me(format!("https://{site}.careless.example.com/v1/me")).send()?;
            }
            "ungranted" => {
                me("https://elsewhere.example.com/v1/me".to_owned()).send()?;
            }
            "choices" => {
                let host = if credential.text("region")? == "eu" { "api.careless" } else { "us.elsewhere" };
                let answer = me(format!("https://{host}.example.com/v1/me")).send()?;
                if answer.status() == 401 {
                    return Err(Failure::rejected("it does not know the key").field("api_key"));
                }
            }
            "no-proof" => return Ok(Verified::new().account_id("made up")),
            "blames" => {
                let answer = me(format!("{HOST}/v1/me")).send_as_is();
                if answer.map(|answer| answer.status()).unwrap_or_default() != 200 {
                    return Err(Failure::rejected("it does not work").field("api_key"));
                }
            }
            #[expect(clippy::panic, reason = "what a defect in a plugin looks like")]
            "breaks" => match me(format!("{HOST}/v1/me")).send() {
                Ok(_) => {}
                Err(_) => panic!("nobody thought of this"),
            },
            "hasty" => {
                me(format!("{HOST}/v1/me")).send()?;
            }
            "steers" => {
                me(format!("{HOST}/v1/me")).header("X-HTTP-Method-Override", "DELETE").send()?;
            }
            _ => {
                // Only a part, because the host recognises the whole.
                let backwards: String = key.chars().rev().skip(1).collect();
                keyferry_plugin::log::info(&backwards);
                me(format!("{HOST}/v1/me")).send()?;
            }
        }
        Ok(Verified::new().account_id("1"))
    }

    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        renewal.send(credential, client).map_err(|_| RenewalFailure::ended("it does not work any more"))
    }
}

fn auth(name: &str) -> AuthType {
    AuthType::new(name, "Key").field(Field::secret("api_key", "API key").required().help("Somewhere."))
}

keyferry_plugin::export!(Careless);
