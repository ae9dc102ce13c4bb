//! NetSuite: token-based authentication (OAuth 1.0a) and OAuth 2.0, both by the REST web services of one account.
//!
//! The request is `GET /services/rest/record/v1/metadata-catalog`, kept small by `select`: it reads no business data,
//! and a role needs the two permissions that any use of the API needs.

use keyferry_plugin::prelude::*;

struct NetSuite;

const KEYS: [&str; 5] = ["account_id", "consumer_key", "consumer_secret", "token_id", "token_secret"];

impl Plugin for NetSuite {
    fn describe() -> App {
        App::new("netsuite", "NetSuite")
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
                    .field(
                        Field::secret("access_token", "Access token")
                            .required()
                            .help("`access_token` in the answer of NetSuite's token endpoint. It lasts an hour.")
                            .example("eyJraWQiOiJleGFtcGxlIn0.eyJzdWIiOiIzOzQifQ.c2lnbmF0dXJl"),
                    )
                    .field(
                        Field::secret("refresh_token", "Refresh token")
                            .help("`refresh_token` in the same answer. It lasts seven days.")
                            .example("eyJraWQiOiJleGFtcGxlIn0.eyJzdWIiOiIzOzUifQ.c2lnbmF0dXJl"),
                    )
                    .oauth_app(),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        // `TSTDRV123-sb1` is `TSTDRV123_SB1` as a realm and `tstdrv123-sb1` as a host.
        let realm = credential.text("account_id")?.to_ascii_uppercase().replace('-', "_");
        let host = realm.to_ascii_lowercase().replace('_', "-");
        let request = Request::get(format!("https://{host}.suitetalk.api.netsuite.com"))
            .path("/services/rest/record/v1/metadata-catalog")
            .query("select", "recordTypes");

        let tokens = credential.auth_type() == "keybased";
        let request = if tokens {
            let signature = OAuth1::consumer(credential.secret("consumer_key")?, credential.secret("consumer_secret")?)
                .token(credential.secret("token_id")?, credential.secret("token_secret")?)
                .realm(realm.as_str());
            request.oauth1(signature)
        } else {
            request.bearer(credential.secret("access_token")?)
        };

        let answer = request.send()?;
        match answer.status() {
            200 => Ok(Verified::new().account_id(realm.as_str()).display_name(format!("NetSuite account {realm}"))),
            401 if tokens => Err(refused(&answer)),
            401 => Err(Failure::rejected(said(&answer)).fields(&["access_token", "account_id"])),
            403 => {
                let log_in = if tokens { "Log in using Access Tokens" } else { "Log in using OAuth 2.0 Access Tokens" };
                Err(Failure::insufficient_scope(said(&answer)).scopes(["REST Web Services", log_in]))
            }
            _ => Err(answer.unexpected()),
        }
    }
}

fn account_id() -> Field {
    Field::text("account_id", "Account ID")
        .required()
        .pattern("^[0-9A-Za-z]+([_-][0-9A-Za-z]+)*$")
        .help("Setup > Company > Company Information > Account ID. A sandbox's ends in `_SB1`.")
        .example("1234567_SB1")
}

fn key(name: &str, label: &str, help: &str) -> Field {
    Field::secret(name, label).required().help(help).example(&"0123456789abcdef".repeat(4))
}

/// Which of the five keys a 401 is about. NetSuite's names for that stand in `WWW-Authenticate: OAuth error="..."`:
/// <https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/subsect_156935170194.html>. It writes them as
/// `token_rejected` and as `TokenRejected`.
fn refused(answer: &Answer) -> Failure {
    let error: String = code(answer).chars().filter(|char| *char != '_').collect();
    let fields: &[&str] = match error.to_ascii_lowercase().as_str() {
        "consumerkeyunknown" | "consumerkeyrefused" => &["consumer_key"],
        "tokenrejected" | "tokenrevoked" | "tokenexpired" => &["token_id"],
        "signatureinvalid" | "invalidsignature" => &["consumer_secret", "token_secret"],
        // Nothing that is wrong with the keys: it is the signer's clock, or its nonce.
        "timestamprefused" | "invalidtimestamp" | "noncerejected" | "nonceused" => {
            return Failure::unexpected(said(answer));
        }
        _ => &KEYS,
    };
    Failure::rejected(said(answer)).fields(fields)
}

/// The error's name: the header's is the more exact one, the body's mostly `INVALID_LOGIN`.
fn code(answer: &Answer) -> String {
    let header = answer.header("www-authenticate").and_then(|value| value.split_once("error=\""));
    match header.and_then(|(_, rest)| rest.split('"').next()) {
        Some(error) => error.to_owned(),
        None => answer.json_or_null().optional_text("/o:errorDetails/0/o:errorCode").unwrap_or("no reason").to_owned(),
    }
}

/// `NetSuite says token_rejected: Invalid login attempt.`
fn said(answer: &Answer) -> String {
    let body = answer.json_or_null();
    let detail = body.optional_text("/o:errorDetails/0/detail").or(body.optional_text("/title"));
    match detail {
        Some(detail) => format!("NetSuite says {}: {detail}", code(answer)),
        None => format!("NetSuite says {}", code(answer)),
    }
}

keyferry_plugin::export!(NetSuite);
