//! Twilio: the auth token of an account, or one of its API keys.
//!
//! A standard API key may not read `/Accounts` although it is good, so it is asked for a page of messages instead. 20003 is
//! Twilio's code for a credential that is not. See <https://www.twilio.com/docs/iam/api-keys/keys-in-console>.
//!
//! Each region knows its own auth tokens and API keys only, and answers 20003 to another's:
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
        let host = REGIONS.into_iter().find_map(|(name, _, host)| (name == region).then_some(host));
        let accounts = Request::get(format!("https://{}/2010-04-01/Accounts", host.unwrap_or("api.twilio.com")));
        let list = if region == "us1" { "Messages.json" } else { "Calls.json" };
        let key = credential.optional_text("api_key_sid").zip(credential.optional_secret("api_key_secret"));
        let (request, fields): (_, &[&str]) = match (key, credential.optional_secret("auth_token")) {
            (Some((sid, secret)), _) => (
                accounts.segment(account).segment(list).query("PageSize", "1").basic(sid, secret),
                &["api_key_sid", "api_key_secret", "account_sid", "region"],
            ),
            (None, Some(token)) => (
                accounts.segment(format!("{account}.json")).basic(account, token),
                &["account_sid", "auth_token", "region"],
            ),
            (None, None) => {
                return Err(Failure::rejected("Give an auth token, or the SID and the secret of an API key")
                    .fields(&["auth_token", "api_key_sid", "api_key_secret"]));
            }
        };
        let answer = request.send()?;
        let told = answer.json_or_null();
        let detail = told.said("Twilio", &["/code"], &["/message"]);
        match answer.status() {
            200 => {
                let told = answer.json()?;
                let verified = Verified::new().account_id(account);
                match told.optional_text("/status") {
                    None if key.is_some() => {
                        told.text("/page")?;
                        Ok(verified)
                    }
                    Some("active") => Ok(verified.display_name(told.text("/friendly_name")?)),
                    Some(status) => Err(Failure::suspended(format!("Twilio says that the account is {status}"))),
                    None => Err(answer.unexpected()),
                }
            }
            // <https://www.twilio.com/docs/api/errors/20403>, and <https://www.twilio.com/docs/api/errors/70051>: that is what a
            // restricted key gets for what it may not do, though not only that.
            403 if told.optional_text("/code") == Some("20403") => Err(Failure::suspended(detail)),
            401 | 403 if key.is_some() && told.optional_text("/code") == Some("70051") => {
                let advice = "allow the restricted key to read messages, or calls outside of US1, and see that it is one of this account";
                Err(Failure::insufficient_scope(format!("{detail}; {advice}")))
            }
            401 => {
                let others = format!("{detail}; or it is of another region than {}", region.to_ascii_uppercase());
                Err(Failure::rejected(others).fields(fields))
            }
            // Without a code it is not the API that speaks, but something on the way to it.
            403 if told.optional_text("/code").is_some() => Err(Failure::insufficient_scope(detail)),
            404 => Err(Failure::wrong_tenant(detail).field("account_sid")),
            _ => Err(answer.unexpected()),
        }
    }
}

fn sid(name: &str, label: &str, prefix: &str) -> Field {
    Field::text(name, label)
        .pattern(&format!("^{prefix}[0-9A-Fa-f]{{32}}$"))
        .example(&format!("{prefix}{}", "0".repeat(32)))
}

keyferry_plugin::export!(Twilio);
