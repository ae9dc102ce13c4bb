//! Zendesk: API tokens and OAuth tokens of one account.
//!
//! `GET /api/v2/users/me.json` needs no right. It answers 200 to nobody, too: as an anonymous user without an id.
//! See <https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self>.

use keyferry_plugin::prelude::*;

struct Zendesk;

impl Plugin for Zendesk {
    fn describe() -> App {
        App::new("zendesk", "Zendesk")
            .about("Customer service", &["support"])
            .docs("https://developer.zendesk.com/api-reference/introduction/security-and-auth/")
            .grant(Grant::host("*.zendesk.com").get("/api/v2/users/me.json"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The token that an OAuth client got when a user authorised it.")
                    .field(subdomain())
                    .tokens("`access_token` in the answer of Zendesk's token endpoint."),
            )
            .auth(
                AuthType::keybased("API token")
                    .help("A token of the account, used as one of its users.")
                    .field(subdomain())
                    .field(
                        Field::text("email", "E-mail address")
                            .required()
                            .pattern("^[^:@\\s/]+@[^:@\\s/]+$")
                            .help("Of the user in whose name it is used.")
                            .example("agent@acme.example"),
                    )
                    .field(
                        Field::secret("api_token", "API token")
                            .required()
                            .help("Admin Center > Apps and integrations > APIs > API tokens.")
                            .example("exampleExampleExampleExampleExampleExam"),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let subdomain = credential.text("subdomain")?;
        let request = Request::get(format!("https://{subdomain}.zendesk.com/api/v2/users/me.json"));
        let (request, fields): (_, &[&str]) = match credential.optional_secret("api_token") {
            Some(token) => (request.basic((credential.text("email")?, "/token"), token), &["email", "api_token"]),
            None => (request.bearer(credential.secret("access_token")?), &["access_token"]),
        };
        let answer = request.send()?;
        // `error` is a text or an object: <https://developer.zendesk.com/api-reference/introduction/requests/#response-format>.
        let told = answer.json_or_null();
        let said = told.said("Zendesk", &[], &["/error/title", "/error/message", "/error", "/description"]);
        match answer.status() {
            200 => {
                let user = answer.json()?;
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
            403 if !matches!(told, Json::Null) => Err(Failure::insufficient_scope(said)),
            404 => Err(Failure::wrong_tenant(format!("there is no {subdomain}.zendesk.com")).field("subdomain")),
            _ => Err(answer.unexpected()),
        }
    }
}

fn subdomain() -> Field {
    Field::host_label("subdomain", "Subdomain").help("`acme` of acme.zendesk.com.").example("acme")
}

keyferry_plugin::export!(Zendesk);
