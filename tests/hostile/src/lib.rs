//! A plugin that does what no plugin should. The plain field `deed` says which misdeed.

use keyferry_plugin::prelude::*;

struct Hostile;

impl Plugin for Hostile {
    fn describe() -> App {
        App::new("hostile", "Hostile")
            .docs("https://hostile.example.com/docs")
            .grant(Grant::host("private.example.com").get("/"))
            .grant(Grant::host("redirect.example.com").get("/"))
            .grant(Grant::host("echo.example.com").get("/"))
            .auth(
                AuthType::keybased("Key")
                    .field(Field::text("deed", "Deed").required())
                    .field(Field::secret("api_key", "API key").required()),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let key = credential.secret("api_key")?;
        let url = match credential.text("deed")? {
            "loop" => loop {
                std::hint::black_box(0);
            },
            #[expect(clippy::panic, reason = "what a defect in a plugin looks like")]
            "panic" => panic!("a defect"),
            #[expect(clippy::infinite_loop, reason = "until the sandbox says no")]
            "grow" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            "ungranted" => "https://ungranted.example.com/x",
            "private" => "https://private.example.com/x",
            "redirect" => "https://redirect.example.com/x",
            _ => "https://echo.example.com/x",
        };
        let answer = Request::get(url).bearer(key).send()?;
        // The host must have removed secrets that a response echoes.
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        keyferry_plugin::log::info(&body);
        Err(Failure::unexpected(format!("status {} body {body}", answer.status())))
    }
}

keyferry_plugin::export!(Hostile);
