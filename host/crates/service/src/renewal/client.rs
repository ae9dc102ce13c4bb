//! The OAuth client of a renewal.

use super::RenewalProblem;
use super::pair::value;
use super::persist::refused;
use crate::credential_service::CredentialService;
use crate::error::ServiceError;
use crate::oauth_clients::OpenClient;
use keyferry_sandbox::{ClientUse, Renewable, RenewalClient};
use keyferry_schema::Credential;
use keyferry_store::IntegrationKey;
use keyferry_types::ids::OAuthClientName;
use keyferry_types::secret::SharedSecret;

/// The field of a credential that names the organisation's OAuth client.
const NAME: &str = "oauth_client";

/// An OAuth client, and the organisation's that it is, unless it is the credential's own.
pub(super) struct Chosen {
    pub(super) client: RenewalClient,
    pub(super) organisations: Option<OpenClient>,
}

impl Chosen {
    /// The name of the organisation's client.
    pub(super) fn name(&self) -> Option<String> {
        self.organisations.as_ref().map(|client| client.key.name.to_string())
    }
}

impl CredentialService {
    /// The client that the credential has, else the organisation's that it names, else the organisation's only one.
    pub(super) async fn client_for(
        &self,
        key: &IntegrationKey,
        credential: &Credential,
        pair: &Renewable,
    ) -> Result<Option<Chosen>, RenewalProblem> {
        if pair.client == ClientUse::None {
            return Ok(None);
        }
        let field = |name: &str| value(credential, name).map(SharedSecret::clone);
        if let Some(id) = field("client_id") {
            let client = RenewalClient { id, secret: field("client_secret") };
            return Ok(Some(Chosen { client, organisations: None }));
        }
        let no_client = |why: String| RenewalProblem::NoClient { why };
        let name = credential.plain(NAME).filter(|name| !name.is_empty());
        let name = name.map(str::parse::<OAuthClientName>).transpose();
        let name = name.map_err(|error| no_client(format!("`{NAME}` of the credential names none: {error}")))?;
        let account = &key.account;
        let opened = self.open_oauth_client(&account.org, account.environment, &key.slug, name.as_ref()).await;
        match opened {
            Ok(Some(opened)) => {
                let client = RenewalClient { id: opened.id.clone(), secret: opened.secret.clone() };
                Ok(Some(Chosen { client, organisations: Some(opened) }))
            }
            Ok(None) => Err(no_client(match name {
                Some(name) => format!("the organisation has no OAuth client `{name}` of `{}`", key.slug),
                None => format!(
                    "the credential has no `client_id` and `client_secret`, and the organisation has no OAuth client of `{}`",
                    key.slug
                ),
            })),
            Err(error @ ServiceError::SeveralOAuthClients { .. }) => {
                Err(no_client(format!("{error}; name one as `{NAME}` in the credential")))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// Records what the provider says of the organisation's client, if that is new: one event, however many connections it is of.
    pub(super) async fn note_chosen(&self, chosen: Option<&Chosen>, refusal: Option<&str>, actor: &str) {
        let Some(client) = chosen.and_then(|chosen| chosen.organisations.as_ref()) else { return };
        if client.refused.is_some() == refusal.is_some() {
            return;
        }
        if let Err(error) = self.note_client(client, refusal, actor).await {
            tracing::warn!(%error, client = %client.key.name, "what the provider says of an OAuth client is not recorded");
        }
    }
}
