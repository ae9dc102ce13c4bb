//! Salesforce: OAuth tokens of one organisation, at the host that its `instance_url` names.
//!
//! `GET /services/data/vNN.N/limits` needs nothing but the right to use the API. `userinfo` would tell more, but answers 403
//! to a dead token, so it is asked second, and only for the organisation's id.
//! See <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm>.

use keyferry_plugin::prelude::*;

struct Salesforce;

impl Plugin for Salesforce {
    fn describe() -> App {
        let app = App::new("salesforce", "Salesforce")
            .about("CRM, sales and service", &["crm", "sales"])
            .docs("https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flows.htm");
        // My Domain hosts of organisations, of sandboxes, of developer editions; and the older instance hosts.
        let hosts =
            ["*.my.salesforce.com", "*.sandbox.my.salesforce.com", "*.develop.my.salesforce.com", "*.salesforce.com"];
        let grant = |app: App, host: &str| {
            app.grant(Grant::host(host).get("/services/data/v60.0/limits").get("/services/oauth2/userinfo"))
        };
        hosts.into_iter().fold(app, grant).auth(
            AuthType::oauth2("OAuth")
                .help("The tokens that a connected app got when a user authorised it.")
                .field(
                    Field::url("instance_url", "Instance URL")
                        .required()
                        .pattern("^https://[0-9A-Za-z-]+((\\.(sandbox|develop))?\\.my)?\\.salesforce\\.com/?$")
                        .help("`instance_url` in the answer that the access token came in.")
                        .example("https://acme.my.salesforce.com"),
                )
                .tokens("`access_token` in the answer of Salesforce's token endpoint."),
        )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let (instance, token) =
            (credential.text("instance_url")?.trim_end_matches('/'), credential.secret("access_token")?);
        let answer = Request::get(format!("{instance}/services/data/v60.0/limits")).bearer(token).send()?;
        match answer.status() {
            200 => {
                let limits = answer.json()?;
                limits.text("/DailyApiRequests/Max")?;
                let verified =
                    Verified::new().expires_at_ms(credential.future_ms("expires_at")).config("instance_url", instance);
                // Without the scope `id` this is refused, and the token is good all the same.
                let asked = Request::get(format!("{instance}/services/oauth2/userinfo")).bearer(token).send_as_is();
                let told = asked.ok().filter(|answer| answer.status() == 200).map(|answer| answer.json_or_null());
                let told = told.as_ref().unwrap_or(&Json::Null);
                Ok(verified
                    .account_id(told.optional_text("/organization_id").unwrap_or_default())
                    .display_name(told.optional_text("/name").unwrap_or_default()))
            }
            401 => Err(Failure::rejected(said(&answer)).fields(&["access_token", "instance_url"])),
            403 => {
                let problem = answer.json()?;
                Err(match problem.text("/0/errorCode")? {
                    "REQUEST_LIMIT_EXCEEDED" => Failure::rate_limited(answer.retry_after(), said(&answer)),
                    "ORG_LOCKED" | "INACTIVE_OWNER_OR_USER" => Failure::suspended(said(&answer)),
                    _ => Failure::insufficient_scope(said(&answer)).scope("api"),
                })
            }
            404 => Err(Failure::wrong_tenant(said(&answer)).field("instance_url")),
            _ => Err(answer.unexpected()),
        }
    }
}

fn said(answer: &Answer) -> String {
    answer.json_or_null().said("Salesforce", &["/0/errorCode"], &["/0/message"])
}

keyferry_plugin::export!(Salesforce);
