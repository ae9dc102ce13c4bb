//! PayPal: the client id and secret of a REST app, live or sandbox.
//!
//! They are what the token endpoint takes, and its response tells what they may do, though not whose they are: all apps of
//! the sandbox have one `app_id`. A pair of the one environment is unknown in the other.
//! See <https://developer.paypal.com/api/rest/authentication/>.

use keyferry_plugin::prelude::*;

struct PayPal;

impl Plugin for PayPal {
    fn describe() -> App {
        App::new("paypal", "PayPal")
            .about("Payments", &["payments"])
            .docs("https://developer.paypal.com/api/rest/")
            .grant(Grant::host("api-m.paypal.com").post("/v1/oauth2/token"))
            .grant(Grant::host("api-m.sandbox.paypal.com").post("/v1/oauth2/token"))
            .auth(
                AuthType::keybased("REST app")
                    .help("The client id and secret of an app in the PayPal Developer Dashboard.")
                    .field(
                        Field::text("client_id", "Client ID")
                            .required()
                            .pattern("^[0-9A-Za-z_-]+$")
                            .help("Developer Dashboard > Apps & Credentials > your app.")
                            .example("AexampleExampleExampleExample"),
                    )
                    .field(
                        Field::secret("client_secret", "Client secret")
                            .required()
                            .help("Beside the client ID.")
                            .example("EexampleExampleExampleExample"),
                    )
                    .field(
                        Field::select(
                            "environment",
                            "Environment",
                            &[("live", "Live (Production)"), ("sandbox", "Sandbox")],
                        )
                        .default("live")
                        .help("The tab of Apps & Credentials that lists the app: Live or Sandbox."),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let (client, environment) = (credential.text("client_id")?, credential.text("environment")?);
        let host = if environment == "sandbox" { "api-m.sandbox.paypal.com" } else { "api-m.paypal.com" };
        let response = Request::post(format!("https://{host}/v1/oauth2/token"))
            .basic(client, credential.secret("client_secret")?)
            .form_field("grant_type", "client_credentials")
            .send()?;
        let told = response.json();
        let problem = told.as_ref().unwrap_or(&Json::Null);
        let said = problem.said("PayPal", &["/error", "/name"], &["/error_description", "/message"]);
        match response.status() {
            200 => {
                let told = told?;
                response.minted("/access_token")?;
                Ok(Verified::new()
                    .scopes(told.text("/scope")?.split_whitespace())
                    .config("environment", environment)
                    .config("app_id", told.optional_text("/app_id").unwrap_or_default()))
            }
            401 => Err(Failure::rejected(format!("{said}; or it is not of {environment}")).fields(&[
                "client_id",
                "client_secret",
                "environment",
            ])),
            // PayPal's edge responds with 403 with a page, too, and knows nothing of the app.
            403 if problem.first_text(&["/error", "/name"]).is_some() => Err(Failure::insufficient_scope(said)),
            _ => Err(response.unexpected()),
        }
    }
}

keyferry_plugin::export!(PayPal);
