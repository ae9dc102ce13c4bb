//! A plugin that sends a request with the secret to the URL that its credential names, and follows every redirect.
//! The verdict has the result of each request.

use keyferry_plugin::prelude::*;

struct Prober;

impl Plugin for Prober {
    fn describe() -> App {
        App::new("prober", "Prober")
            .docs("https://prober.example/docs")
            // The credential's owner may choose any origin.
            .grant(Grant::host("{origin}").get("/"))
            .auth(
                AuthType::keybased("Key")
                    .field(Field::url("origin", "What is granted").required())
                    .field(Field::text("ask", "What is asked for").required().multiline())
                    .field(Field::text("times", "How often, a redirect being a reason to ask elsewhere"))
                    .field(Field::secret("api_key", "API key").required()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let key = credential.secret("api_key")?;
        let mut url = credential.text("ask")?.to_owned();
        let times = credential.optional_text("times").and_then(|times| times.parse().ok()).unwrap_or(1);
        let mut told = Vec::new();
        for _ in 0..times {
            let line = match Request::get(&url).bearer(key).send_as_is() {
                Ok(answer) => {
                    let line = format!("status {} {}", answer.status(), String::from_utf8_lossy(answer.body()));
                    if let Some(location) = answer.header("location") {
                        url = location.to_owned();
                    }
                    line
                }
                Err(error) => format!("{:?}, sent {}: {}", error.kind, error.sent, error.message),
            };
            keyferry_plugin::log::info(&line);
            told.push(line);
        }
        Err(Failure::unexpected(told.join(" | ")))
    }
}

keyferry_plugin::export!(Prober);
