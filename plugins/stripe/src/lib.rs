//! Stripe: secret and restricted API keys, of a platform's connected accounts too, and the keys of an organisation.
//!
//! `GET /v1/account` tells whose key it is. A restricted key may not be allowed to ask that; but Stripe responds with 403 only
//! to a key that it knows (to any other it responds with 401), so the key is proven live all the same.
//! See <https://docs.stripe.com/error-low-level#errors>.
//!
//! The key of an organisation asks for one of its accounts, which `Stripe-Context` names, and says which version of the API it
//! means: <https://docs.stripe.com/keys/organization-api-keys>, <https://docs.stripe.com/context>.

use keyferry_plugin::prelude::*;

struct Stripe;

/// The version that a request of an organisation's key names; for any other key it is the account's own.
const VERSION: &str = "2025-12-15.clover";

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
                            .hint("^(sk_org_((test|live)_)?|[prs]k_(test|live)_)")
                            .help("Stripe Dashboard > Developers > API keys: a secret key, or better a restricted one.")
                            .example("rk_test_example"),
                    )
                    .field(
                        Field::text("stripe_account", "Connected account")
                            .pattern("^acct_[0-9A-Za-z]+$")
                            .help("For a platform's key: the connected account to act for. Sent as `Stripe-Account`.")
                            .example("acct_0example0"),
                    )
                    .field(
                        Field::text("stripe_context", "Context")
                            .pattern("^acct_[0-9A-Za-z]+(/acct_[0-9A-Za-z]+)*$")
                            .help("For an organisation's key: its account, and a connected one after `/`. Sent as `Stripe-Context`.")
                            .example("acct_0example0"),
                    ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let kind = credential.hint("api_key").unwrap_or_default();
        let is_organisations = kind.starts_with("sk_org_");
        let given = |field: &'static str| Some((field, credential.optional_text(field)?));
        let (field, context) = match (given("stripe_account"), given("stripe_context")) {
            (Some((_, account)), Some((_, context))) if account != context => {
                let fields = &["stripe_account", "stripe_context"];
                return Err(Failure::rejected("Give a connected account or a context, not both").fields(fields));
            }
            (account, context) => context.or(account).unzip(),
        };
        let mut request = Request::get("https://api.stripe.com/v1/account").bearer(credential.secret("api_key")?);
        if let Some(context) = context {
            let is_account = field == Some("stripe_account") && !is_organisations;
            request = request.header(if is_account { "Stripe-Account" } else { "Stripe-Context" }, context);
        }
        if is_organisations {
            request = request.header("Stripe-Version", VERSION);
        }
        let response = request.send()?;

        let mode = ["live", "test"].into_iter().find(|mode| is_of(kind, mode)).unwrap_or_default();
        let verified = Verified::new().config("mode", mode);
        if response.status() == 200 {
            let account = response.json()?;
            let name = account.first_text(&["/settings/dashboard/display_name", "/business_profile/name", "/email"]);
            return Ok(verified.account_id(account.text("/id")?).display_name(name.unwrap_or_default()));
        }

        let field = field.unwrap_or("stripe_context");
        let connected = context.and_then(|context| context.rsplit('/').next());
        let problem = response.json_or_null();
        let said = problem.said("Stripe", &[], &["/error/message"]);
        let has_words = problem.optional_text("/error/message").is_some();
        // `The provided key 'rk_test_***' does not have the required permissions for this endpoint on account 'acct_1'.`
        let mut words = problem.optional_text("/error/message").unwrap_or_default().split('\'');
        let named = words.clone().find(|word| word.starts_with("acct_") && !word.contains('*'));
        let is_strange = problem.optional_text("/error/code") == Some("account_invalid")
            || words.any(|words| words == " does not have access to account ");
        match response.status() {
            401 => Err(Failure::rejected(said).field("api_key")),
            // `This API call cannot be made with a publishable API key`, or the words for a restricted one: it is known, and public.
            403 if kind.starts_with("pk_") || said.contains("publishable API key") => {
                Err(Failure::rejected(said).field("api_key"))
            }
            // About `Stripe-Account` rather than about the key: <https://docs.stripe.com/error-codes>.
            400 | 403 if connected.is_some() && is_strange => Err(Failure::wrong_tenant(said).field(field)),
            // What an organisation's key lacks is the account, or the account is not one of the organisation's.
            400 | 403 if is_organisations && has_words && (response.status() == 400 || context.is_none()) => {
                Err(Failure::wrong_tenant(said).field(field))
            }
            400 if has_words => Err(Failure::unexpected(said)),
            403 => {
                // Without a message it is not the API that speaks, but something on the way to it.
                if !has_words {
                    response.json()?.text("/error/message")?;
                }
                if connected.is_some() && connected != named {
                    return Err(Failure::insufficient_scope(said));
                }
                let warning = format!("live but restricted, so its account could not be asked for: {said}");
                Ok(verified.account_id(named.unwrap_or_default()).warning(warning))
            }
            _ => Err(response.unexpected()),
        }
    }
}

/// Whether a key begins as those of a mode do: `sk_test_`.
fn is_of(kind: &str, mode: &str) -> bool {
    kind.strip_suffix('_').and_then(|kind| kind.strip_suffix(mode)).is_some_and(|kind| kind.ends_with('_'))
}

keyferry_plugin::export!(Stripe);
