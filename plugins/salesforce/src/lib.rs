//! Salesforce: OAuth tokens of one organisation, at the host that its `instance_url` names, or the key of a connected app, by
//! which it signs in as a user.
//!
//! `GET /services/data/vNN.N/limits` needs nothing but the right to use the API. `userinfo` would tell more, but answers 403
//! to a dead token, so it is asked second, and only for the organisation's id.
//! See <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm>.
//!
//! A key is tried by asking for a token, whose answer names the organisation:
//! <https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm>.

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
        let logins = [("login.salesforce.com", "Production"), ("test.salesforce.com", "Sandbox")];
        hosts
            .into_iter()
            .fold(app, grant)
            .grant(Grant::host("login.salesforce.com").post("/services/oauth2/token"))
            .grant(Grant::host("test.salesforce.com").post("/services/oauth2/token"))
            .auth(
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
            .auth(
                AuthType::keybased("JWT bearer")
                    .help("The key of a connected app, by which it signs in as one user without asking them.")
                    .field(
                        Field::text("client_id", "Consumer key")
                            .required()
                            .pattern("^[0-9A-Za-z._-]+$")
                            .help("Setup > App Manager > your app > Manage Consumer Details.")
                            .example("3MVG9exampleExampleExample"),
                    )
                    .field(
                        Field::text("username", "Username")
                            .required()
                            .pattern("^[^\\s\"\\\\@]+@[^\\s\"\\\\@]+$")
                            .help("Of the user to sign in as, whom the app has been approved for.")
                            .example("importer@acme.example"),
                    )
                    .field(
                        Field::secret("private_key", "Private key")
                            .multiline()
                            .required()
                            .help("Of the certificate that was uploaded to the app: PEM of several lines.")
                            .example("-----BEGIN PRIVATE KEY-----\nexample\n-----END PRIVATE KEY-----"),
                    )
                    .field(
                        Field::select("login_host", "Login host", &logins)
                            .default("login.salesforce.com")
                            .help("Where the user logs in: a sandbox has a place of its own."),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        match credential.optional_secret("private_key") {
            Some(key) => sign_in(&credential, key),
            None => probe(&credential),
        }
    }
}

fn sign_in(credential: &Credential, key: &Secret) -> Result<Verified, Failure> {
    let (client, user) = (credential.text("client_id")?, credential.text("username")?);
    let (host, end) = (credential.text("login_host")?, keyferry_plugin::clock::now_ms() / 1000 + 180);
    let claims = format!(r#"{{"iss":"{client}","sub":"{user}","aud":"https://{host}","exp":{end}}}"#);
    let answer = Request::post(format!("https://{host}/services/oauth2/token"))
        .form_field("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .form_field("assertion", Jwt::rs256(key, claims))
        .send()?;
    let told = answer.json()?;
    let said = told.said("Salesforce", &["/error"], &["/error_description"]);
    if answer.status() == 200 {
        answer.minted("/access_token")?;
        // `https://login.salesforce.com/id/`, the organisation, `/`, the user.
        let organisation = told.text("/id")?.rsplit('/').nth(1).unwrap_or_default();
        return Ok(Verified::new()
            .account_id(organisation)
            .display_name(user)
            .scopes(told.optional_text("/scope").unwrap_or_default().split_whitespace())
            .config("instance_url", told.text("/instance_url")?));
    }
    Err(match (told.text("/error")?, told.optional_text("/error_description").unwrap_or_default()) {
        ("invalid_app_access", _) | (_, "user hasn't approved this consumer") => Failure::insufficient_scope(said),
        ("inactive_user" | "inactive_org", _) | (_, "inactive user") => Failure::suspended(said),
        ("rate_limit_exceeded", _) => Failure::rate_limited(answer.retry_after(), said),
        ("invalid_client_id" | "invalid_client", _) => Failure::rejected(said).field("client_id"),
        ("invalid_grant", _) => Failure::rejected(said).fields(&["username", "private_key", "login_host"]),
        _ => Failure::unexpected(said),
    })
}

fn probe(credential: &Credential) -> Result<Verified, Failure> {
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

fn said(answer: &Answer) -> String {
    answer.json_or_null().said("Salesforce", &["/0/errorCode"], &["/0/message"])
}

keyferry_plugin::export!(Salesforce);
