use crate::bindings::exports::keyferry::plugin::app as wit;
use crate::{Field, Renewal};

/// One way to authenticate with an app.
pub struct AuthType(wit::AuthType, Vec<Renewal>);

impl AuthType {
    /// An auth type with any name: the key in `auth_object`.
    pub fn new(name: &str, label: &str) -> Self {
        Self(
            wit::AuthType { name: name.to_owned(), label: label.to_owned(), help: None, fields: Vec::new() },
            Vec::new(),
        )
    }

    /// `oauth2`: tokens that an OAuth 2.0 flow has issued.
    pub fn oauth2(label: &str) -> Self {
        Self::new("oauth2", label)
    }

    /// `keybased`: keys, tokens and passwords that a person has copied out of the app's settings.
    pub fn keybased(label: &str) -> Self {
        Self::new("keybased", label)
    }

    /// `client_credentials`: the id and the secret of an app, which gets tokens for itself by them (RFC 6749, section 4.4).
    /// `help` says where to find the id; the secret is beside it.
    pub fn client_credentials(label: &str, help: &str) -> Self {
        Self::new("client_credentials", label)
            .field(
                Field::text("client_id", "Client ID")
                    .required()
                    .pattern("^[0-9A-Za-z._-]+$")
                    .help(help)
                    .example("0a1b2c3d-example"),
            )
            .field(
                Field::secret("client_secret", "Client secret")
                    .required()
                    .help("Beside the client ID.")
                    .example("example-client-secret"),
            )
    }

    /// One or two sentences on when to use it.
    #[must_use]
    pub fn help(mut self, text: &str) -> Self {
        self.0.help = Some(text.to_owned());
        self
    }

    /// Adds a field of the credential.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.0.fields.push(field.into_wit());
        self
    }

    /// Adds what an OAuth 2.0 credential is made of: `access_token`, which is required and whose `help` says where it comes
    /// from, `refresh_token`, `expires_at`, and the [app's](Self::oauth_app) fields.
    #[must_use]
    pub fn tokens(self, help: &str) -> Self {
        let access_token = Field::secret("access_token", "Access token").required();
        self.field(access_token.help(help).example("example-access-token"))
            .field(Field::refresh_token())
            .field(Field::expires_at())
            .oauth_app()
    }

    /// Adds the fields of the OAuth app that issued the tokens (`client_id`, `client_secret`, `callback_url`, or `oauth_client`, the
    /// name of one of the organisation's), which the organisation's own settings supply and no caller has to.
    #[must_use]
    pub fn oauth_app(self) -> Self {
        self.field(
            Field::text("client_id", "Client ID")
                .by_organisation()
                .help("The id of the OAuth app that issued the tokens.")
                .example("0a1b2c3d-example"),
        )
        .field(
            Field::secret("client_secret", "Client secret")
                .by_organisation()
                .help("The secret of the OAuth app that issued the tokens.")
                .example("example-client-secret"),
        )
        .field(
            Field::url("callback_url", "Callback URL")
                .by_organisation()
                .help("Where that OAuth app sends people back to.")
                .example("https://app.example.com/oauth/callback"),
        )
        .field(
            Field::text("oauth_client", "Client name")
                .by_organisation()
                .pattern("^[a-z0-9][a-z0-9_-]{0,63}$")
                .help("One of the organisation's OAuth clients, by its name.")
                .example("default"),
        )
    }

    /// Says that tokens of this auth type can be renewed, and how. An auth type with several pairs of tokens has several.
    #[must_use]
    pub fn renewal(mut self, renewal: Renewal) -> Self {
        self.1.push(renewal);
        self
    }

    pub(crate) fn into_wit(self) -> (wit::AuthType, Vec<Renewal>) {
        (self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oauth_app_is_never_demanded_from_a_caller() {
        let fields = AuthType::oauth2("OAuth").oauth_app().into_wit().0.fields;
        assert_eq!(fields.len(), 4);
        for field in fields {
            assert_eq!(field.supplier, wit::Supplier::Organisation, "{}", field.name);
            assert!(!field.required, "{}", field.name);
            assert_eq!(field.secret, field.name == "client_secret");
        }
    }
}
