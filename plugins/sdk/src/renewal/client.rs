use crate::bindings::exports::keyferry::plugin::renewal as wit;
use crate::{Request, Secret};

/// The OAuth client that the tokens were issued to. Its id is a handle, like its secret.
pub struct Client(wit::Client);

/// Where a token endpoint expects the OAuth client (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form.
    Form,
    /// In the header `Authorization: Basic`.
    Basic,
    /// `client_id` alone in the form: a public client.
    IdInForm,
    /// The request needs no client.
    None,
}

impl Client {
    pub(crate) fn from_wit(client: wit::Client) -> Self {
        Self(client)
    }

    /// `client_id`.
    pub fn id(&self) -> &Secret {
        &self.0.id
    }

    /// `client_secret`, if the client has one.
    pub fn secret(&self) -> Option<&Secret> {
        self.0.secret.as_ref()
    }

    /// Adds the client to a request whose body is a form. A client without a secret is a public one, and named in the form.
    pub(super) fn add_to<'a>(&'a self, request: Request<'a>, auth: ClientAuth) -> Request<'a> {
        match (auth, self.secret()) {
            (ClientAuth::None, _) => request,
            (ClientAuth::Basic, Some(secret)) => request.basic(self.id(), secret),
            (ClientAuth::Form, Some(secret)) => {
                request.form_field("client_id", self.id()).form_field("client_secret", secret)
            }
            (ClientAuth::IdInForm, _) | (_, None) => request.form_field("client_id", self.id()),
        }
    }
}

impl ClientAuth {
    pub(super) fn into_wit(self) -> wit::ClientUse {
        match self {
            Self::Form | Self::Basic => wit::ClientUse::IdAndSecret,
            Self::IdInForm => wit::ClientUse::Id,
            Self::None => wit::ClientUse::None,
        }
    }
}
