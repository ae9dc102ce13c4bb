//! Mailchimp: API keys and OAuth tokens of one account.
//!
//! An account lives in one data centre, whose name is a part of every host. A key ends in it; for a token it is asked for.
//! See <https://mailchimp.com/developer/marketing/docs/fundamentals/>, and `errors/` beside it.

use keyferry_plugin::prelude::*;

struct Mailchimp;

impl Plugin for Mailchimp {
    fn describe() -> App {
        App::new("mailchimp", "Mailchimp")
            .about("E-mail marketing", &["marketing", "email"])
            .docs("https://mailchimp.com/developer/marketing/guides/quick-start/#generate-your-api-key")
            .grant(Grant::host("*.api.mailchimp.com").get("/3.0"))
            .grant(Grant::host("login.mailchimp.com").get("/oauth2/metadata"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The token that an app got when an account authorised it. It does not expire.")
                    .tokens("`access_token` in the answer of Mailchimp's token endpoint."),
            )
            .auth(
                AuthType::keybased("API key").help("A key of the account, which ends in its data centre.").field(
                    Field::secret("api_key", "API key")
                        .required()
                        .hint("-[A-Za-z]{2}[0-9]{1,4}$")
                        .help("Mailchimp > Profile > Extras > API keys.")
                        .example("00000000000000000000000000000000-us21"),
                ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let (dc, field) = match credential.optional_secret("access_token") {
            Some(token) => (data_centre(token)?, "access_token"),
            None => {
                (credential.hint("api_key").unwrap_or_default().trim_start_matches('-').to_ascii_lowercase(), "api_key")
            }
        };
        if dc.is_empty() {
            return Err(Failure::rejected("The key does not end in a data centre, such as `-us21`").field(field));
        }
        let request = Request::get(format!("https://{dc}.api.mailchimp.com/3.0/"));
        let (request, secret) = (request.query("fields", "account_id,account_name,role"), credential.secret(field)?);
        let request = if field == "api_key" { request.basic("keyferry", secret) } else { request.bearer(secret) };
        let response = request.send()?;
        let told = response.json();
        let problem = told.as_ref().unwrap_or(&Json::Null);
        let detail = problem.said("Mailchimp", &["/title"], &["/detail"]);
        match (response.status(), problem.optional_text("/title").unwrap_or_default()) {
            (200, _) => {
                let account = told?;
                Ok(Verified::new()
                    .account_id(account.text("/account_id")?)
                    .display_name(account.text("/account_name")?)
                    .expires_at_ms(credential.future_ms("expires_at"))
                    .config("dc", dc)
                    .config("role", account.optional_text("/role").unwrap_or_default()))
            }
            (401, _) => Err(Failure::rejected(detail).field(field)),
            (403, "User Disabled") => Err(Failure::suspended(detail)),
            (403, "Wrong Datacenter") => Err(Failure::wrong_tenant(detail).field(field)),
            (403, title) if !title.is_empty() => Err(Failure::insufficient_scope(detail)),
            _ => Err(response.unexpected()),
        }
    }
}

/// <https://mailchimp.com/developer/marketing/guides/access-user-data-oauth-2/>
fn data_centre(token: &Secret) -> Result<String, Failure> {
    let request = Request::get("https://login.mailchimp.com/oauth2/metadata");
    let response = request.header("Authorization", ("OAuth ", token)).send()?;
    let told = response.json()?;
    match (told.optional_text("/dc"), told.optional_text("/error")) {
        // It becomes a part of a host.
        (Some(dc), None) if dc.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(dc.to_ascii_lowercase()),
        (_, Some(_)) => Err(Failure::rejected(told.said("Mailchimp", &["/error"], &[])).field("access_token")),
        _ => Err(response.unexpected()),
    }
}

keyferry_plugin::export!(Mailchimp);
