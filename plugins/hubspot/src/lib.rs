//! HubSpot: OAuth tokens, the tokens of private apps, and service keys, which take their place
//! (<https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/account-service-keys>). Accounts of all
//! regions are asked at one host.
//!
//! Both are asked for the account that they belong to (`GET /account-info/v3/details`), since the account's id is what
//! distinguishes a replaced token from one of another portal. The older `GET /oauth/v1/access-tokens/{token}` would say more, but has
//! the token in its URL.

use keyferry_plugin::prelude::*;

struct HubSpot;

impl Plugin for HubSpot {
    fn describe() -> App {
        App::new("hubspot", "HubSpot")
            .about("CRM, marketing, sales and service", &["crm", "marketing"])
            .docs("https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/overview")
            .grant(Grant::host("api.hubapi.com").get("/account-info/v3/details"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("Tokens that a HubSpot app got when a user installed it.")
                    .tokens("`access_token` in the answer of HubSpot's token endpoint. It lasts 30 minutes.")
                    .renewal(
                        Renewal::refresh("https://api.hubapi.com/oauth/2026-09/token")
                            .access_life(30 * MINUTE)
                            // Its `status` is more precise than the `error` of RFC 6749 beside it.
                            .ended_by(&["BAD_REFRESH_TOKEN"])
                            .client_refused_by(&["BAD_CLIENT_ID", "BAD_CLIENT_SECRET"]),
                    ),
            )
            .auth(
                AuthType::keybased("Private app token")
                    .help("A service key or the token of a private app, which belongs to one HubSpot account and does not expire.")
                    .field(
                        Field::secret("access_token", "Access token")
                            .required()
                            .hint("^pat-[a-z]{2}[0-9]-")
                            .help("HubSpot > Development > Keys > Service keys; or Settings > Integrations > Private Apps > your app > Auth.")
                            .example("pat-na1-00000000-1111-2222-3333-444444444444"),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let response = Request::get("https://api.hubapi.com/account-info/v3/details")
            .bearer(credential.secret("access_token")?)
            .send()?;
        match response.status() {
            200 => {
                let account = response.json()?;
                let portal = account.text("/portalId")?;
                Ok(Verified::new()
                    .account_id(portal)
                    .display_name(format!("HubSpot account {portal}"))
                    .expires_at_ms(credential.future_ms("expires_at"))
                    .config("ui_domain", account.optional_text("/uiDomain").unwrap_or_default())
                    .config("data_hosting_location", account.optional_text("/dataHostingLocation").unwrap_or_default()))
            }
            401 => Err(Failure::rejected(said(&response.json_or_null())).field("access_token")),
            403 => {
                let problem = response.json()?;
                // Without a category it is not the API that speaks, but something on the way to it.
                problem.text("/category")?;
                let causes = problem.items("/errors").iter();
                let missing = causes.flat_map(|cause| cause.texts("/context/requiredGranularScopes"));
                Err(Failure::insufficient_scope(said(&problem)).scopes(missing))
            }
            477 => Err(Failure::rate_limited(response.retry_after(), "HubSpot is moving the account to another place")),
            _ => Err(response.unexpected()),
        }
    }
}

/// <https://developers.hubspot.com/docs/api-reference/error-handling>
fn said(problem: &Json) -> String {
    problem.said("HubSpot", &["/category"], &["/message"])
}

keyferry_plugin::export!(HubSpot);
