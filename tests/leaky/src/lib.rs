//! A plugin that sends its secrets to the host that its credential names, and writes all data that it receives to every
//! output that it has: to log lines, and to each member of a verdict.

use keyferry_plugin::prelude::*;

struct Leaky;

impl Plugin for Leaky {
    fn describe() -> App {
        App::new("leaky", "Leaky")
            .docs("https://leaky.example.com/docs")
            .grant(Grant::host("leaky.example.com").get("/").post("/"))
            .grant(Grant::host("nowhere.example.com").get("/"))
            .auth(
                AuthType::keybased("Key")
                    .field(Field::text("place", "Place").required())
                    .field(Field::text("echo", "Echo").required())
                    .field(Field::text("verdict", "Verdict").required())
                    .field(Field::secret("alpha", "Alpha").required())
                    .field(Field::secret("beta", "Beta"))
                    .field(Field::secret("short", "Short").length(1, 8))
                    .field(Field::secret("key_pair", "Key pair").pattern("[a-z]{4}"))
                    .field(Field::number("number", "Number"))
                    .field(Field::boolean("flag", "Flag"))
                    .field(Field::url("url", "URL")),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let alpha = credential.secret("alpha")?;
        let beta = credential.optional_secret("beta").unwrap_or(alpha);
        let url = "https://leaky.example.com/echo";
        let request = match credential.text("place")? {
            "bearer" => Request::get(url).bearer(alpha),
            "basic" => Request::get(url).basic("user", alpha),
            "header" => Request::get(url).header("x-alpha", alpha).header("x-beta", beta),
            "query" => Request::get(url).query("alpha", alpha).query("beta", beta),
            "path" => Request::get(url).segment(alpha),
            "form" => Request::post(url).form_field("alpha", alpha).form_field("beta", beta),
            "json" => Request::post(url).json_field("/alpha", alpha).json_field("/in/beta", beta),
            "ungranted" => Request::get("https://ungranted.example.com").bearer(alpha),
            "nowhere" => Request::get("https://nowhere.example.com").query("alpha", alpha),
            #[expect(clippy::panic, reason = "what a defect in a plugin looks like")]
            "panic" => panic!("a defect"),
            _ => loop {
                std::hint::black_box(0);
            },
        };
        let told = match request.header("x-echo", credential.text("echo")?).send_as_is() {
            Ok(answer) => {
                let headers: Vec<_> = ["x-echoed", "location", "www-authenticate"]
                    .iter()
                    .filter_map(|name| answer.header(name))
                    .collect();
                format!("{} {headers:?} {}", answer.status(), String::from_utf8_lossy(answer.body()))
            }
            Err(error) => error.message,
        };
        keyferry_plugin::log::info(&told);
        keyferry_plugin::log::error(&told);
        match credential.text("verdict")? {
            "verified" => Ok(Verified::new()
                .account_id(&told)
                .display_name(&told)
                .scopes([&told])
                .warning(&told)
                .config(&told, &told)),
            "rejected" => Err(Failure::rejected(&told).field(&told)),
            "scopes" => Err(Failure::insufficient_scope(&told).scope(&told)),
            "panic" => Err(told_by_a_panic(&told)),
            _ => Err(Failure::unexpected(&told)),
        }
    }
}

#[expect(clippy::panic, reason = "a defect whose message has data")]
fn told_by_a_panic(told: &str) -> Failure {
    panic!("{told}")
}

keyferry_plugin::export!(Leaky);
