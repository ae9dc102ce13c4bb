//! The smallest plugin: one API key, sent as a bearer token to one path.
//!
//! `cargo build --example bearer --release --target wasm32-unknown-unknown` makes a core module of it; `keyferry plugin build`
//! makes components of whole crates.

use keyferry_plugin::prelude::*;

struct Example;

impl Plugin for Example {
    fn describe() -> App {
        App::new("example", "Example")
            .about("An example that is not there", &["example"])
            .docs("https://example.com/docs/authentication")
            .grant(Grant::host("api.example.com").get("/v1/me"))
            .auth(
                AuthType::keybased("API key").help("A key that acts as one user.").field(
                    Field::secret("api_key", "API key")
                        .required()
                        .help("Settings > API keys.")
                        .example("ex_0000000000000000"),
                ),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let response = Request::get("https://api.example.com/v1/me").bearer(credential.secret("api_key")?).send()?;
        match response.status() {
            200 => Ok(Verified::new().account_id(response.json()?.text("/id")?)),
            401 => Err(Failure::rejected("Example does not accept the API key.").field("api_key")),
            403 => Err(Failure::insufficient_scope("The API key may not read its own user.")),
            _ => Err(response.unexpected()),
        }
    }
}

keyferry_plugin::export!(Example);
