//! Twilio: the auth token of an account, or one of its API keys.
//!
//! A standard API key may not read `/Accounts` although it is good, so it is asked for a page of messages instead. 20003 is
//! Twilio's code for a credential that is not. See <https://www.twilio.com/docs/iam/api-keys/keys-in-console>.
//!
//! Each region knows its own auth tokens and API keys only, and responds with 20003 to another's:
//! <https://www.twilio.com/docs/global-infrastructure/manage-regional-api-credentials>. The hosts of the regions are in
//! <https://www.twilio.com/docs/global-infrastructure/using-the-twilio-rest-api-in-a-non-us-region>. There are no messages in all
//! of them, but calls: <https://www.twilio.com/docs/global-infrastructure/regional-product-and-feature-availability>.

use keyferry_plugin::prelude::*;

struct Twilio;

/// Each region, its name, and the host of its API.
const REGIONS: [(&str, &str, &str); 3] = [
    ("us1", "United States (US1)", "api.twilio.com"),
    ("ie1", "Ireland (IE1)", "api.dublin.ie1.twilio.com"),
    ("au1", "Australia (AU1)", "api.sydney.au1.twilio.com"),
];

impl Plugin for Twilio {
    fn describe() -> App {
        let app = App::new("twilio", "Twilio")
            .about("Text messages and calls", &["communication", "telephony"])
            .docs("https://www.twilio.com/docs/usage/requests-to-twilio");
        let grant = |app: App, (_, _, host)| app.grant(Grant::host(host).get("/2010-04-01/Accounts"));
        REGIONS.into_iter().fold(app, grant).auth(
            AuthType::keybased("Auth token or API key")
                .help("An account's SID, with its auth token or with the SID and the secret of an API key.")
                .field(sid("account_sid", "Account SID", "AC").required().help("Twilio Console > Account Info."))
                .field(
                    Field::secret("auth_token", "Auth token")
                        .help("Twilio Console > Account Info. It may do everything; an API key is better.")
                        .example("0123456789abcdef0123456789abcdef"),
                )
                .field(sid("api_key_sid", "API key SID", "SK").help("Twilio Console > API keys & tokens."))
                .field(
                    Field::secret("api_key_secret", "API key secret")
                        .help("Shown once, when an API key is made.")
                        .example("exampleExampleExampleExample0000"),
                )
                .field(
                    Field::select("region", "Region", &REGIONS.map(|(region, name, _)| (region, name)))
                        .help("Of the auth token or API key: each region has its own. Without it, US1."),
                ),
        )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let (account, region) = (credential.text("account_sid")?, credential.optional_text("region").unwrap_or("us1"));
        let (sid, secret) = (credential.optional_text("api_key_sid"), credential.optional_secret("api_key_secret"));
        let (key, token) = (sid.zip(secret), credential.optional_secret("auth_token"));
        if key.is_none() && token.is_none() {
            return Err(Failure::rejected("Give an auth token, or the SID and the secret of an API key").fields(&[
                "auth_token",
                "api_key_sid",
                "api_key_secret",
            ]));
        }
        let mut verified = Verified::new().account_id(account);
        // What is stored is proven: the key and the token, where both are given.
        if let Some((sid, secret)) = key {
            verified = with_key(verified, account, region, sid, secret)?;
        }
        if let Some(token) = token {
            verified = with_token(verified, account, region, token)?;
        }
        let is_half = key.is_none() && (sid.is_some() || secret.is_some());
        let warning =
            "an API key is its SID and its secret; the one that was given is stored, and could not be verified";
        Ok(if is_half { verified.warning(warning) } else { verified })
    }
}

fn accounts<'a>(region: &str) -> Request<'a> {
    let host = REGIONS.into_iter().find_map(|(name, _, host)| (name == region).then_some(host));
    Request::get(format!("https://{}/2010-04-01/Accounts", host.unwrap_or("api.twilio.com")))
}

fn with_key(verified: Verified, account: &str, region: &str, sid: &str, secret: &Secret) -> Result<Verified, Failure> {
    let list = if region == "us1" { "Messages.json" } else { "Calls.json" };
    let request = accounts(region).segment(account).segment(list).query("PageSize", "1").basic(sid, secret);
    let response = request.send()?;
    let told = response.json();
    let problem = told.as_ref().unwrap_or(&Json::Null);
    match response.status() {
        200 => {
            told?.text("/page")?;
            Ok(verified)
        }
        // <https://www.twilio.com/docs/api/errors/70051>: that is what a restricted key gets for what it may not do, though not only
        // that.
        401 | 403 if problem.optional_text("/code") == Some("70051") => {
            let advice = "allow the restricted key to read messages, or calls outside of US1, and see that it is one of this account";
            Err(Failure::insufficient_scope(format!("{}; {advice}", said(problem))))
        }
        _ => Err(refused(&response, region, &["api_key_sid", "api_key_secret", "account_sid", "region"])),
    }
}

fn with_token(verified: Verified, account: &str, region: &str, token: &Secret) -> Result<Verified, Failure> {
    let response = accounts(region).segment(format!("{account}.json")).basic(account, token).send()?;
    if response.status() != 200 {
        return Err(refused(&response, region, &["account_sid", "auth_token", "region"]));
    }
    let told = response.json()?;
    match told.optional_text("/status") {
        Some("active") => Ok(verified.display_name(told.text("/friendly_name")?)),
        Some(status) => Err(Failure::suspended(format!("Twilio says that the account is {status}"))),
        None => Err(response.unexpected()),
    }
}

fn refused(response: &Response, region: &str, fields: &[&str]) -> Failure {
    let told = response.json_or_null();
    let detail = said(&told);
    match (response.status(), told.optional_text("/code")) {
        // <https://www.twilio.com/docs/api/errors/20403>
        (403, Some("20403")) => Failure::suspended(detail),
        (401, _) => {
            let others = format!("{detail}; or it is of another region than {}", region.to_ascii_uppercase());
            Failure::rejected(others).fields(fields)
        }
        // Without a code it is not the API that speaks, but something on the way to it.
        (403, Some(_)) => Failure::insufficient_scope(detail),
        (404, _) => Failure::wrong_tenant(detail).field("account_sid"),
        _ => response.unexpected(),
    }
}

fn said(told: &Json) -> String {
    told.said("Twilio", &["/code"], &["/message"])
}

fn sid(name: &str, label: &str, prefix: &str) -> Field {
    Field::text(name, label)
        .pattern(&format!("^{prefix}[0-9A-Fa-f]{{32}}$"))
        .example(&format!("{prefix}{}", "0".repeat(32)))
}

keyferry_plugin::export!(Twilio);
