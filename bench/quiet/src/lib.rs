//! A plugin that has the schema of the one for Stripe and verifies without a request.

use keyferry_plugin::prelude::*;

struct Quiet;

impl Plugin for Quiet {
    fn describe() -> App {
        App::new("quiet", "Quiet").docs("https://quiet.example/docs").auth(
            AuthType::keybased("API key")
                .field(
                    Field::secret("api_key", "API key")
                        .required()
                        .hint("^(sk|rk)_(test|live)_")
                        .example("rk_test_example"),
                )
                .field(Field::text("stripe_account", "Connected account").pattern("^acct_[0-9A-Za-z]+$")),
        )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let mode = credential.hint("api_key").map_or("", |kind| if kind.ends_with("live_") { "live" } else { "test" });
        // The same values as from the one for Stripe, so that all later steps are the same.
        Ok(Verified::new().config("mode", mode).account_id("acct_demo0001").display_name("Keyferry Demo"))
    }
}

keyferry_plugin::export!(Quiet);
