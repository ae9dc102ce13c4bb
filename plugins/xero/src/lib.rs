//! Xero: OAuth tokens, which reach one or more organisations, and custom connections, which reach one.
//!
//! `GET /connections` lists them. A refresh token works once, so none is ever used here. A custom connection has no refresh token;
//! its id and secret get it a token whenever it needs one.
//! See <https://developer.xero.com/documentation/guides/oauth2/auth-flow/> and
//! <https://developer.xero.com/documentation/guides/oauth2/custom-connections/>.

use keyferry_plugin::prelude::*;

struct Xero;

impl Plugin for Xero {
    fn describe() -> App {
        App::new("xero", "Xero")
            .about("Accounting of small businesses", &["accounting"])
            .docs("https://developer.xero.com/documentation/guides/oauth2/overview/")
            .grant(Grant::host("api.xero.com").get("/connections"))
            .grant(Grant::host("identity.xero.com").post("/connect/token"))
            .auth(
                AuthType::oauth2("OAuth")
                    .help("The tokens that an app got when a user connected an organisation.")
                    .tokens("`access_token` in the answer of Xero's token endpoint. It lasts 30 minutes.")
                    // https://developer.xero.com/documentation/guides/oauth2/auth-flow/
                    .renewal(
                        Renewal::refresh("https://identity.xero.com/connect/token")
                            .client(ClientAuth::Basic)
                            .rotation(Rotation::Grace { seconds: 30 * MINUTE })
                            .access_life(30 * MINUTE)
                            .idle_life(60 * DAY),
                    )
                    .field(tenant_id()),
            )
            .auth(
                AuthType::client_credentials(
                    "Custom connection",
                    "developer.xero.com > My Apps > your app > Configuration.",
                )
                .help("The id and secret of a custom connection, which one organisation has authorised.")
                .field(tenant_id()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        match credential.optional_secret("access_token") {
            Some(token) => probe(&credential, token, "access_token"),
            None => {
                let response = minted(&credential)?;
                probe(&credential, response.minted("/access_token")?, "client_id")
            }
        }
    }
}

fn tenant_id() -> Field {
    Field::text("tenant_id", "Tenant ID")
        .pattern("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")
        .help("Which organisation: `tenantId` in the answer of GET /connections.")
        .example("00000000-1111-2222-3333-444444444444")
}

fn minted(credential: &Credential) -> Result<Response, Failure> {
    let response = Request::post("https://identity.xero.com/connect/token")
        .basic(credential.text("client_id")?, credential.secret("client_secret")?)
        .form_field("grant_type", "client_credentials")
        .send()?;
    let told = response.json_or_null();
    let said = told.said("Xero", &["/error"], &["/error_description"]);
    match (response.status(), told.optional_text("/error").unwrap_or_default()) {
        (200, _) => Ok(response),
        (_, "invalid_client") => Err(Failure::rejected(said).fields(&["client_id", "client_secret"])),
        (_, "unauthorized_client" | "invalid_scope") => Err(Failure::insufficient_scope(said)),
        _ => Err(response.unexpected()),
    }
}

fn probe(credential: &Credential, token: &Secret, field: &str) -> Result<Verified, Failure> {
    let response = Request::get("https://api.xero.com/connections").bearer(token).send()?;
    let wanted = credential.optional_text("tenant_id");
    match response.status() {
        200 => {
            let told = response.json()?;
            let Json::List(connections) = &told else { return Err(response.unexpected()) };
            let verified = Verified::new().expires_at_ms(credential.future_ms("expires_at"));
            let is_wanted = |id: &str| wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(id));
            let found = connections.iter().find(|one| one.optional_text("/tenantId").is_some_and(is_wanted));
            match (found, wanted, connections.as_slice()) {
                (_, _, []) => {
                    Err(Failure::wrong_tenant("The token is live, but no organisation is connected to it any more"))
                }
                (None, Some(_), _) => {
                    Err(Failure::wrong_tenant("The token is live, but not for that organisation").field("tenant_id"))
                }
                (Some(one), _, _) | (None, None, [one]) => Ok(verified
                    .account_id(one.text("/tenantId")?)
                    .display_name(one.optional_text("/tenantName").unwrap_or_default())
                    .config("tenant_type", one.optional_text("/tenantType").unwrap_or_default())),
                (None, None, several) => {
                    Ok(verified.warning(format!("it reaches {} organisations; name one by `tenant_id`", several.len())))
                }
            }
        }
        401 => Err(Failure::rejected(said(&response)).field(field)),
        // A page is not the API that speaks, but something on the way to it.
        403 if !matches!(response.json_or_null(), Json::Null) => Err(Failure::insufficient_scope(said(&response))),
        _ => Err(response.unexpected()),
    }
}

fn said(response: &Response) -> String {
    response.json_or_null().said("Xero", &[], &["/Detail", "/detail", "/Title", "/title"])
}

keyferry_plugin::export!(Xero);
