//! Stripe: secret and restricted API keys, of a platform's connected accounts too.
//!
//! `GET /v1/account` tells whose key it is. A restricted key may not be allowed to ask that; but Stripe answers 403 only
//! to a key that it knows (to any other it answers 401), so the key is proven live all the same.
//! See <https://docs.stripe.com/error-low-level#errors>.

use keyferry_plugin::prelude::*;

struct Stripe;

impl Plugin for Stripe {
    fn describe() -> App {
        App::new("stripe", "Stripe")
            .about("Payments and billing", &["payments", "billing"])
            .docs("https://docs.stripe.com/keys")
            .grant(Grant::host("api.stripe.com").get("/v1/account"))
            .auth(
                AuthType::keybased("API key")
                    .field(
                        Field::secret("api_key", "API key")
                            .required()
                            .hint("^(sk|rk)_(test|live)_")
                            .help("Stripe Dashboard > Developers > API keys: a secret key, or better a restricted one.")
                            .example("rk_test_example"),
                    )
                    .field(
                        Field::text("stripe_account", "Connected account")
                            .pattern("^acct_[0-9A-Za-z]+$")
                            .help("For a platform's key: the connected account to act for. Sent as `Stripe-Account`.")
                            .example("acct_0example0"),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let mut request = Request::get("https://api.stripe.com/v1/account").bearer(credential.secret("api_key")?);
        let connected = credential.optional_text("stripe_account");
        if let Some(account) = connected {
            request = request.header("Stripe-Account", account);
        }
        let answer = request.send()?;

        let mode = credential.hint("api_key").map_or("", |kind| if kind.ends_with("live_") { "live" } else { "test" });
        let verified = Verified::new().config("mode", mode);
        let problem = answer.json_or_null();
        let said = problem.said("Stripe", &[], &["/error/message"]);
        // `The provided key 'rk_test_***' does not have the required permissions for this endpoint on account 'acct_1'.`
        let mut words = problem.optional_text("/error/message").unwrap_or_default().split('\'');
        let named = words.clone().find(|word| word.starts_with("acct_") && !word.contains('*'));
        let is_strange = problem.optional_text("/error/code") == Some("account_invalid")
            || words.any(|words| words == " does not have access to account ");
        match answer.status() {
            200 => {
                let account = answer.json()?;
                let name =
                    account.first_text(&["/settings/dashboard/display_name", "/business_profile/name", "/email"]);
                Ok(verified.account_id(account.text("/id")?).display_name(name.unwrap_or_default()))
            }
            401 => Err(Failure::rejected(said).field("api_key")),
            // About `Stripe-Account` rather than about the key: <https://docs.stripe.com/error-codes>.
            400 | 403 if connected.is_some() && is_strange => Err(Failure::wrong_tenant(said).field("stripe_account")),
            403 => {
                // Without a message it is not the API that speaks, but something on the way to it.
                answer.json()?.text("/error/message")?;
                if connected.is_some() && connected != named {
                    return Err(Failure::insufficient_scope(said));
                }
                let warning = format!("live but restricted, so its account could not be asked for: {said}");
                Ok(verified.account_id(named.unwrap_or_default()).warning(warning))
            }
            _ => Err(answer.unexpected()),
        }
    }
}

keyferry_plugin::export!(Stripe);
