//! Zendesk: OAuth tokens of one account, the id and secret of an OAuth client, by which it gets one, and API tokens, which end on
//! 30 April 2027 (<https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/>).
//!
//! `GET /api/v2/users/me.json` needs no right. Without a credential it responds with 200, too: with an anonymous user without an id.
//! See <https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self>.

use keyferry_plugin::prelude::*;

struct Zendesk;

impl Plugin for Zendesk {
    fn describe() -> App {
        App::new("zendesk", "Zendesk")
            .about("Customer service", &["support"])
            .docs("https://developer.zendesk.com/api-reference/introduction/security-and-auth/")
            .grant(Grant::host("*.zendesk.com").get("/api/v2/users/me.json").post("/oauth/tokens"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The token that an OAuth client got when a user authorised it.")
                    .field(subdomain())
                    .tokens("`access_token` in the answer of Zendesk's token endpoint.")
                    // Without `expires_in`, older clients get a token that cannot be renewed again:
                    // https://support.zendesk.com/hc/en-us/articles/9182123625370
                    .renewal(
                        Renewal::refresh("https://{subdomain}.zendesk.com/oauth/tokens")
                            .rotation(Rotation::SingleUse)
                            .form_field("expires_in", "1800")
                            .access_life(30 * MINUTE),
                    ),
            )
            .auth(
                AuthType::keybased("API token")
                    .help("A token of the account, used as one of its users.")
                    .field(subdomain())
                    .field(
                        Field::text("email", "E-mail address")
                            .required()
                            .pattern("^[^:@\\s/]+@[^:@\\s/]+(/token)?$")
                            .help("Of the user in whose name it is used; with or without the `/token` of Zendesk's examples.")
                            .example("agent@acme.example"),
                    )
                    .field(
                        Field::secret("api_token", "API token")
                            .required()
                            .help("Admin Center > Apps and integrations > APIs > API tokens.")
                            .example("exampleExampleExampleExampleExampleExam"),
                    ),
            )
            .auth(
                AuthType::client_credentials(
                    "Client credentials",
                    "Admin Center > APIs > OAuth clients: the identifier.",
                )
                .help("The identifier and secret of a confidential OAuth client, by which it gets tokens for itself.")
                .field(subdomain()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let subdomain = &credential.tenant("subdomain", "zendesk.com")?;
        let me = Request::get(format!("https://{subdomain}.zendesk.com/api/v2/users/me.json"));
        if credential.auth_type() == "client_credentials" {
            let response = minted(&credential, subdomain)?;
            return probe(&credential, subdomain, me.bearer(response.minted("/access_token")?), &["client_id"]);
        }
        let (request, fields): (_, &[&str]) = match credential.optional_secret("api_token") {
            Some(token) => {
                let email = credential.text("email")?;
                let email = email.strip_suffix("/token").unwrap_or(email);
                (me.basic((email, "/token"), token), &["email", "api_token"])
            }
            None => (me.bearer(credential.secret("access_token")?), &["access_token"]),
        };
        probe(&credential, subdomain, request, fields)
    }

    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        let subdomain = credential.tenant("subdomain", "zendesk.com")?;
        renewal.at(&format!("https://{subdomain}.zendesk.com/oauth/tokens")).send(credential, client)
    }
}

/// A token for the client itself: <https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/>.
fn minted(credential: &Credential, subdomain: &str) -> Result<Response, Failure> {
    let response = Request::post(format!("https://{subdomain}.zendesk.com/oauth/tokens"))
        .json_field("/grant_type", "client_credentials")
        .json_field("/client_id", credential.text("client_id")?)
        .json_field("/client_secret", credential.secret("client_secret")?)
        .json_field("/scope", "read")
        .send()?;
    let told = response.json_or_null();
    let said = told.said("Zendesk", &["/error"], &["/error_description"]);
    match (response.status(), told.optional_text("/error").unwrap_or_default()) {
        (200 | 201, _) => Ok(response),
        (_, "invalid_client") => Err(Failure::rejected(said).fields(&["client_id", "client_secret"])),
        (_, "unauthorized_client" | "unsupported_grant_type" | "invalid_scope") => {
            Err(Failure::insufficient_scope(said))
        }
        (404, _) => Err(no_such(subdomain)),
        _ => Err(response.unexpected()),
    }
}

fn no_such(subdomain: &str) -> Failure {
    Failure::wrong_tenant(format!("there is no {subdomain}.zendesk.com")).field("subdomain")
}

fn probe(credential: &Credential, subdomain: &str, request: Request<'_>, fields: &[&str]) -> Result<Verified, Failure> {
    let response = request.send()?;
    // `error` is a text or an object: <https://developer.zendesk.com/api-reference/introduction/requests/#response-format>.
    let told = response.json();
    let problem = told.as_ref().unwrap_or(&Json::Null);
    let said = problem.said("Zendesk", &[], &["/error/title", "/error/message", "/error", "/description"]);
    match response.status() {
        200 => {
            let user = told?;
            let name = user.text("/user/name")?;
            if user.optional_text("/user/id").is_none() {
                return Err(Failure::rejected("Zendesk answers as to an anonymous user").fields(fields));
            }
            Ok(Verified::new()
                .account_id(subdomain)
                .display_name(format!("{name} at {subdomain}"))
                .expires_at_ms(credential.future_ms("expires_at"))
                .config("user_id", user.text("/user/id")?)
                .config("role", user.optional_text("/user/role").unwrap_or_default()))
        }
        401 => Err(Failure::rejected(said).fields(fields)),
        403 if !matches!(problem, Json::Null) => Err(Failure::insufficient_scope(said)),
        404 => Err(no_such(subdomain)),
        _ => Err(response.unexpected()),
    }
}

fn subdomain() -> Field {
    Field::tenant("subdomain", "Subdomain", "zendesk.com")
        .help("`acme` of acme.zendesk.com, which a help center with a domain of its own has, too.")
        .example("acme")
}

keyferry_plugin::export!(Zendesk);
