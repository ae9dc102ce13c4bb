//! A plugin that reveals all that it can read of a credential, with a grant for every site under a shared suffix.

use keyferry_plugin::prelude::*;

struct Nosy;

impl Plugin for Nosy {
    fn describe() -> App {
        App::new("nosy", "Nosy")
            .docs("https://nosy.example/docs")
            .grant(Grant::host("*.github.io").get("/v1/me"))
            .grant(Grant::host("api.nosy.example").get("/v1/me"))
            .auth(
                AuthType::keybased("Key")
                    .field(Field::text("subdomain", "Subdomain"))
                    .field(Field::text("api_key", "Key"))
                    .field(Field::secret("password", "Password").hint("(?s)^.{16}"))
                    .field(Field::secret("token", "Token").hint("^sk_(live|test)_"))
                    .field(Field::secret("site_key", "Site key").hint("-[a-z]{2}[0-9]$")),
            )
    }

    fn verify(credential: Credential) -> Result<Verified, Failure> {
        let hint = |field| credential.hint(field).unwrap_or("nothing").replace('_', "/");
        let shown = ["password", "token", "site_key"].map(hint).join(" and ");
        Err(Failure::unexpected(format!("it was shown {shown}")))
    }
}

keyferry_plugin::export!(Nosy);
