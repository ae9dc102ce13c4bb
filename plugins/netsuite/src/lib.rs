//! NetSuite: token-based authentication (OAuth 1.0a) and OAuth 2.0, both by the REST web services of one account.
//!
//! The request is `GET /services/rest/record/v1/metadata-catalog`, kept small by `select`, which takes the names of records:
//! it reads no business data, and a role needs the two permissions that any use of the API needs.
//! See <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1545126526.html>.

use keyferry_plugin::prelude::*;

struct NetSuite;

/// Where an error of the REST web services has its name:
/// <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156570709583.html>.
const CODE: &str = "/o:errorDetails/0/o:errorCode";

/// The domains below which an account has hosts of its own:
/// <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1498251763.html>.
const SERVICES: [&str; 5] = [
    "suitetalk.api.netsuite.com",
    "restlets.api.netsuite.com",
    "app.netsuite.com",
    "extforms.netsuite.com",
    "connect.api.netsuite.com",
];

impl Plugin for NetSuite {
    fn describe() -> App {
        App::new("netsuite", "NetSuite")
            .about("ERP and accounting", &["erp", "accounting"])
            .docs("https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4247337262.html")
            .grant(Grant::host("*.suitetalk.api.netsuite.com").get("/services/rest/record/v1/metadata-catalog"))
            .auth(
                AuthType::keybased("Token-based authentication")
                    .help("The keys of an integration record and of an access token. They do not expire.")
                    .field(account_id())
                    .field(key(
                        "consumer_key",
                        "Consumer key",
                        "Shown once, when an integration record is made or reset.",
                    ))
                    .field(key("consumer_secret", "Consumer secret", "Shown once, beside the consumer key."))
                    .field(key("token_id", "Token ID", "Shown once, when an access token is made."))
                    .field(key("token_secret", "Token secret", "Shown once, beside the token ID.")),
            )
            .auth(
                AuthType::oauth2("OAuth 2.0")
                    .help("Tokens of an integration record that allows the authorization code grant.")
                    .field(account_id())
                    .tokens("`access_token` in the answer of NetSuite's token endpoint. It lasts an hour.")
                    // A confidential client gets no new refresh token, and its own ends 7 days after the consent:
                    // https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_160855594402.html
                    .renewal(
                        Renewal::refresh(
                            "https://{account_id}.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token",
                        )
                        .client(ClientAuth::Basic)
                        .access_life(HOUR),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let realm = realm(&credential)?;
        let host = host(&realm);
        let request = Request::get(format!("https://{host}.suitetalk.api.netsuite.com"))
            .path("/services/rest/record/v1/metadata-catalog")
            .query("select", "customer")
            .header("Accept", "application/json");

        let tokens = credential.auth_type() == "keybased";
        let request = if tokens {
            let signature = OAuth1::consumer(credential.secret("consumer_key")?, credential.secret("consumer_secret")?)
                .token(credential.secret("token_id")?, credential.secret("token_secret")?)
                .realm(realm.as_str());
            request.oauth1(signature)
        } else {
            request.bearer(credential.secret("access_token")?)
        };

        let response = request.send()?;
        if response.status() == 200 {
            // A page with a 200 comes from a proxy before NetSuite, which knows nothing of these keys.
            response.json()?;
            return Ok(Verified::new()
                .account_id(realm.as_str())
                .display_name(format!("NetSuite account {realm}"))
                .expires_at_ms(credential.future_ms("expires_at")));
        }
        let (error, said) = explained(&response);
        match response.status() {
            401 if tokens => Err(refused(&error, said)),
            401 => Err(Failure::rejected(said).fields(&["access_token", "account_id"])),
            403 => {
                // Without NetSuite's own words it is not the API that speaks, but something on the way to it.
                response.json()?.text(CODE)?;
                let log_in = if tokens { "Log in using Access Tokens" } else { "Log in using OAuth 2.0 Access Tokens" };
                Err(Failure::insufficient_scope(said).scopes(["REST Web Services", log_in]))
            }
            404 if response.json_or_null().at(CODE).is_none() => Err(Failure::wrong_tenant(said).field("account_id")),
            _ => Err(response.unexpected()),
        }
    }

    fn renew(credential: &Credential, renewal: Renewal, client: Option<&Client>) -> Result<Renewed, RenewalFailure> {
        let host = host(&realm(credential)?);
        let url = format!("https://{host}.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token");
        renewal.at(&url).send(credential, client)
    }
}

fn account_id() -> Field {
    Field::text("account_id", "Account ID")
        .required()
        .pattern(r"(?i)^(https?://)?[a-z0-9]+([_-][a-z0-9]+)*(/?|\.[a-z0-9.]+\.netsuite\.com\.?(:443)?([/?#].*)?)$")
        .help("Setup > Company > Company Information > Account ID. A sandbox's ends in `_SB1`, a Release Preview's in `_RP`.")
        .example("1234567_SB1")
}

fn key(name: &str, label: &str, help: &str) -> Field {
    Field::secret(name, label).required().help(help).example(&"0123456789abcdef".repeat(4))
}

/// The name of an error, and what NetSuite says of it: `token_rejected`, `NetSuite says token_rejected: Invalid login attempt.`
///
/// The name in `WWW-Authenticate: OAuth error="..."` is the exact one. The body's is mostly `INVALID_LOGIN`.
fn explained(response: &Response) -> (String, String) {
    let body = response.json_or_null();
    let words = response.header("www-authenticate").unwrap_or_default().split([' ', ',']);
    let named = words.into_iter().find_map(|word| word.strip_prefix("error=\"")?.split('"').next());
    let error = named.or(body.optional_text(CODE)).unwrap_or("an unnamed error");
    let detail = body.first_text(&["/o:errorDetails/0/detail", "/title"]);
    (error.to_owned(), format!("NetSuite says {error}: {}", detail.unwrap_or("no details")))
}

/// Which of the five keys a 401 is about, by NetSuite's list of errors:
/// <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/subsect_156935170194.html>. It writes them as
/// `token_rejected` and as `TokenRejected`.
fn refused(error: &str, said: String) -> Failure {
    let error: String = error.chars().filter(|char| *char != '_').collect();
    let fields: &[&str] = match error.to_ascii_lowercase().as_str() {
        "consumerkeyunknown" | "consumerkeyrefused" => &["consumer_key"],
        "tokenrejected" | "tokenrevoked" | "tokenexpired" | "entityorroledisabled" => &["token_id"],
        "signatureinvalid" | "invalidsignature" => &["consumer_secret", "token_secret"],
        // Nothing is wrong with the keys: the account does not take any, or it is the signer's clock, or its nonce.
        "featuredisabled" => return Failure::insufficient_scope(said).scope("Token-based Authentication"),
        "timestamprefused" | "invalidtimestamp" | "noncerejected" | "nonceused" => return Failure::unexpected(said),
        _ => &["account_id", "consumer_key", "consumer_secret", "token_id", "token_secret"],
    };
    Failure::rejected(said).fields(fields)
}

/// `TSTDRV123-sb1` is `TSTDRV123_SB1` as a realm and `tstdrv123-sb1` as a host, which may have been pasted instead.
fn realm(credential: &Credential) -> Result<String, Failure> {
    let address = Address::read(credential.text("account_id")?);
    let account = SERVICES.into_iter().find_map(|service| address.label_below(service));
    match account.or((!address.host().contains('.')).then_some(address.host())) {
        Some(account) if !account.is_empty() => Ok(account.to_ascii_uppercase().replace('-', "_")),
        _ => {
            let detail = "`account_id` names no host of an account: see Setup > Company > Company Information";
            Err(Failure::wrong_tenant(detail).field("account_id"))
        }
    }
}

fn host(realm: &str) -> String {
    realm.to_ascii_lowercase().replace('_', "-")
}

keyferry_plugin::export!(NetSuite);
