//! A plugin that reads a token, asks for the time and returns its verdict: measures the cost of the call around it.

use keyferry_plugin::prelude::*;

#[path = "../../verdict.rs"]
mod verdict;

struct Bench;

impl Plugin for Bench {
    fn describe() -> App {
        App::new("bench", "Bench").docs("https://bench.example/docs").auth(
            AuthType::keybased("Token")
                .field(Field::text("input", "Input").required())
                .field(Field::secret("api_key", "API key").required()),
        )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let Some(token) = verdict::read(credential.text("input")?) else {
            return Err(Failure::rejected("the token is malformed").field("input"));
        };
        if keyferry_plugin::clock::now_ms() >= token.ends_at_ms {
            return Err(Failure::rejected("the token has ended").field("input"));
        }
        Ok(Verified::new().account_id(token.account).expires_at_ms(token.ends_at_ms))
    }
}

keyferry_plugin::export!(Bench);
