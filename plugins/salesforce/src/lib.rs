//! Salesforce: OAuth tokens of one organisation, at the host that its `instance_url` names; or the key of an app, by which it
//! signs in as a user, or its id and secret, by which it signs in for itself.
//!
//! `GET /services/data/vNN.N/limits` needs nothing but the right to use the API. `userinfo` would tell more, but responds with 403
//! to a dead token, so it is asked second, and only for the organisation's id.
//! See <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm>.
//!
//! A key is tried by asking for a token, whose response names the organisation:
//! <https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm>. So is a secret, which is taken at the
//! organisation's own My Domain only: <https://help.salesforce.com/s/articleView?id=000886201>.

mod hosts;

use keyferry_plugin::prelude::*;

struct Salesforce;

const CONSUMER_KEY: &str = "Setup > App Manager > your app > Manage Consumer Details: the consumer key.";

impl Plugin for Salesforce {
    fn describe() -> App {
        let app = App::new("salesforce", "Salesforce")
            .about("CRM, sales and service", &["crm", "sales"])
            .docs("https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flows.htm");
        let api = |host: &str| Grant::host(host).get("/services/data/v60.0/limits").get("/services/oauth2/userinfo");
        let sign_in = |host| Grant::host(host).post("/services/oauth2/token");
        hosts::patterns()
            .fold(app, |app, host| app.grant(api(&host).post("/services/oauth2/token")))
            // The older hosts, which are an instance's and not an organisation's.
            .grant(api("*.salesforce.com"))
            .grant(sign_in("login.salesforce.com"))
            .grant(sign_in("test.salesforce.com"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that a connected app got when a user authorised it.")
                    .field(
                        Field::url("instance_url", "Instance URL")
                            .required()
                            .pattern("(?i)^https://[a-z0-9.-]+(:443)?([/?#].*)?$")
                            .help("`instance_url` in the answer that the access token came in, or the organisation's My Domain.")
                            .example("https://acme.my.salesforce.com"),
                    )
                    .tokens("`access_token` in the answer of Salesforce's token endpoint.")
                    .renewal(renewal()),
            )
            .auth(
                AuthType::keybased("JWT bearer")
                    .help("The key of a connected app, by which it signs in as one user without asking them.")
                    .field(
                        Field::text("client_id", "Client ID")
                            .required()
                            .pattern("^[0-9A-Za-z._-]+$")
                            .help(CONSUMER_KEY)
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
                        login_host()
                            .default("login.salesforce.com")
                            .help("Where the user logs in: the organisation's My Domain, or test.salesforce.com for a sandbox."),
                    ),
            )
            .auth(
                AuthType::client_credentials("Client credentials", CONSUMER_KEY)
                    .help("The consumer key and secret of an app, by which it signs in as the user that it runs as.")
                    .field(login_host().required().help("The organisation's My Domain: Setup > My Domain.")),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        match credential.auth_type() {
            "oauth2" => probe(&credential),
            _ => sign_in(&credential),
        }
    }

    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        // `instance_url` may be the address of the organisation's pages.
        let instance = hosts::instance(credential.text("instance_url")?)?;
        renewal.at(&format!("{instance}/services/oauth2/token")).send(credential, client)
    }
}

fn login_host() -> Field {
    Field::text("login_host", "Login host")
        .pattern("(?i)^(https?://)?[a-z0-9.-]+(:443)?([/?#].*)?$")
        .example("acme.my.salesforce.com")
}

fn sign_in(credential: &Credential) -> Result<Verified, Failure> {
    let (client, host) = (credential.text("client_id")?, hosts::login(credential.text("login_host")?)?);
    let request = Request::post(format!("https://{host}/services/oauth2/token"));
    let user = credential.optional_text("username").unwrap_or_default();
    let (request, secret) = match credential.optional_secret("private_key") {
        Some(key) => {
            let end = keyferry_plugin::clock::now_ms() / 1000 + 180;
            let claims = format!(r#"{{"iss":"{client}","sub":"{user}","aud":"https://{host}","exp":{end}}}"#);
            let request = request.form_field("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
            (request.form_field("assertion", Jwt::rs256(key, claims)), "private_key")
        }
        None => {
            let request = request.form_field("grant_type", "client_credentials").form_field("client_id", client);
            (request.form_field("client_secret", credential.secret("client_secret")?), "client_secret")
        }
    };
    let response = request.send()?;
    let told = response.json()?;
    let said = told.said("Salesforce", &["/error"], &["/error_description"]);
    if response.status() == 200 {
        response.minted("/access_token")?;
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
        ("rate_limit_exceeded", _) => Failure::rate_limited(response.retry_after(), said),
        // The places for all know no external client app, and take no app that signs in for itself.
        ("app_not_found", _) | (_, "request not supported on this domain") => {
            Failure::wrong_tenant(format!("{said}; sign in at the organisation's My Domain")).field("login_host")
        }
        (_, "no client credentials user enabled") => Failure::insufficient_scope(said),
        ("invalid_client", _) if secret == "client_secret" => Failure::rejected(said).fields(&["client_id", secret]),
        ("invalid_client_id" | "invalid_client", _) => Failure::rejected(said).field("client_id"),
        ("invalid_grant", _) if secret == "client_secret" => Failure::rejected(said).fields(&["client_id", secret]),
        ("invalid_grant", _) => Failure::rejected(said).fields(&["username", "private_key", "login_host"]),
        _ => Failure::unexpected(said),
    })
}

fn probe(credential: &Credential) -> Result<Verified, Failure> {
    let (instance, token) = (hosts::instance(credential.text("instance_url")?)?, credential.secret("access_token")?);
    let response = Request::get(format!("{instance}/services/data/v60.0/limits")).bearer(token).send()?;
    match response.status() {
        200 => {
            let limits = response.json()?;
            limits.text("/DailyApiRequests/Max")?;
            let verified =
                Verified::new().expires_at_ms(credential.future_ms("expires_at")).config("instance_url", &instance);
            // Without the scope `id` this is refused, and the token is good all the same.
            let asked = Request::get(format!("{instance}/services/oauth2/userinfo")).bearer(token).send_as_is();
            let told = asked.ok().filter(|response| response.status() == 200).map(|response| response.json_or_null());
            let told = told.as_ref().unwrap_or(&Json::Null);
            Ok(verified
                .account_id(told.optional_text("/organization_id").unwrap_or_default())
                .display_name(told.optional_text("/name").unwrap_or_default()))
        }
        401 => Err(Failure::rejected(said(&response)).fields(&["access_token", "instance_url"])),
        403 => {
            let problem = response.json()?;
            Err(match problem.text("/0/errorCode")? {
                "REQUEST_LIMIT_EXCEEDED" => Failure::rate_limited(response.retry_after(), said(&response)),
                "ORG_LOCKED" | "INACTIVE_OWNER_OR_USER" => Failure::suspended(said(&response)),
                _ => Failure::insufficient_scope(said(&response)).scope("api"),
            })
        }
        404 => Err(Failure::wrong_tenant(said(&response)).field("instance_url")),
        _ => Err(response.unexpected()),
    }
}

fn said(response: &Response) -> String {
    response.json_or_null().said("Salesforce", &["/0/errorCode"], &["/0/message"])
}

/// Whether a connected app rotates its refresh tokens shows only in its answers. Where it does, using a former one again revokes all
/// tokens, so each is used once. The answers do not say how long the access token lasts: two hours unless the organisation sets it.
/// <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_refresh_token_flow.htm>
fn renewal() -> Renewal {
    let sign_in = |host: &str| Grant::host(host).post("/services/oauth2/token");
    let renewal = Renewal::refresh("https://{instance_url}/services/oauth2/token")
        .rotation(Rotation::SingleUse)
        .access_life(2 * HOUR)
        .idle_life(30 * DAY)
        .field("instance_url", "/instance_url")
        .later_if("invalid_grant", "is already being processed")
        .later_if("invalid_grant", "rate exceeded")
        .client_refused_by(&["invalid_client_id"]);
    hosts::patterns().fold(renewal.grant(sign_in("*.salesforce.com")), |renewal, host| renewal.grant(sign_in(&host)))
}

keyferry_plugin::export!(Salesforce);
