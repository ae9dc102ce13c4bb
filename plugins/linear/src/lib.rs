//! Linear: personal API keys and OAuth tokens.
//!
//! One GraphQL query tells whose it is. A 200 can still carry errors; what counts is that there is a viewer.
//! See <https://linear.app/developers/graphql> and <https://linear.app/developers/rate-limiting>, and for the types of errors
//! `packages/sdk/src/error.ts` of <https://github.com/linear/linear>.

use keyferry_plugin::prelude::*;

struct Linear;

const QUERY: &str = r#"{"query":"{viewer{id name organization{id name urlKey}}}"}"#;

impl Plugin for Linear {
    fn describe() -> App {
        App::new("linear", "Linear")
            .about("Issues and projects of product teams", &["developer-tools", "project-management"])
            .docs("https://linear.app/developers")
            .grant(Grant::host("api.linear.app").post("/graphql"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that an OAuth application got when a workspace authorised it.")
                    .tokens("`access_token` in the answer of Linear's token endpoint.")
                    // https://linear.app/developers/oauth-2-0-authentication
                    .renewal(
                        Renewal::refresh("https://api.linear.app/oauth/token")
                            .rotation(Rotation::Grace { seconds: 30 * MINUTE })
                            .access_life(DAY),
                    ),
            )
            .auth(
                AuthType::keybased("Personal API key").help("A key that acts as one member of a workspace.").field(
                    Field::secret("api_key", "API key")
                        .required()
                        .hint("^lin_oauth_")
                        .help("Linear > Settings > Security & access > Personal API keys.")
                        .example("lin_api_exampleExampleExampleExample"),
                ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let request = Request::post("https://api.linear.app/graphql").json_body(QUERY);
        // A personal key stands by itself, without a scheme.
        let (request, field) = match credential.optional_secret("api_key") {
            // The token of an OAuth application, in the wrong place.
            Some(token) if credential.hint("api_key").is_some() => (request.bearer(token), "api_key"),
            Some(key) => (request.header("Authorization", key), "api_key"),
            None => (request.bearer(credential.secret("access_token")?), "access_token"),
        };
        let response = request.send()?;
        let told = response.json()?;
        if response.status() == 200 && told.optional_text("/data/viewer/id").is_some() {
            let workspace = |member: &str| told.optional_text(&format!("/data/viewer/organization/{member}"));
            return Ok(Verified::new()
                .account_id(told.text("/data/viewer/organization/id")?)
                .display_name(workspace("name").unwrap_or_default())
                .expires_at_ms(credential.future_ms("expires_at"))
                .config("url_key", workspace("urlKey").unwrap_or_default())
                .config("viewer_id", told.text("/data/viewer/id")?));
        }
        let detail = told.said("Linear", &[], &["/errors/0/extensions/userPresentableMessage", "/errors/0/message"]);
        // `AUTHENTICATION_ERROR` and `authentication error` are the code and the type of one error; not all have both.
        let named = told.first_text(&["/errors/0/extensions/code", "/errors/0/extensions/type"]);
        Err(match named.unwrap_or_default().to_ascii_lowercase().replace('_', " ").as_str() {
            "authentication error" => Failure::rejected(detail).field(field),
            "forbidden" | "feature not accessible" => Failure::insufficient_scope(detail),
            "ratelimited" => Failure::rate_limited(response.retry_after(), detail),
            "internal server error" | "internal error" | "network error" | "lock timeout" => {
                Failure::provider_error(response.status(), detail)
            }
            _ if response.status() == 401 => Failure::rejected(detail).field(field),
            _ => response.unexpected(),
        })
    }
}

keyferry_plugin::export!(Linear);
