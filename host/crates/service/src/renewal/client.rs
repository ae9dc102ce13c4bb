//! The OAuth client of a renewal.

use super::RenewalProblem;
use crate::credential_service::CredentialService;
use keyferry_sandbox::{ClientUse, Renewable, RenewalClient};
use keyferry_schema::Credential;
use keyferry_store::IntegrationKey;
use keyferry_types::secret::SharedSecret;

/// An OAuth client, and its name where it is one of the organisation's.
pub(super) struct Chosen {
    pub(super) client: RenewalClient,
    pub(super) name: Option<String>,
}

impl CredentialService {
    /// The client that the credential itself has, else the organisation's.
    pub(super) async fn client_for(
        &self,
        key: &IntegrationKey,
        credential: &Credential,
        pair: &Renewable,
    ) -> Result<Option<Chosen>, RenewalProblem> {
        if pair.client == ClientUse::None {
            return Ok(None);
        }
        let field = |name: &str| {
            let found = credential.fields.iter().find(|field| field.name.as_str() == name);
            found.map(|field| SharedSecret::clone(&field.value)).filter(|value| !value.expose().is_empty())
        };
        if let Some(id) = field("client_id") {
            let client = RenewalClient { id, secret: field("client_secret") };
            return Ok(Some(Chosen { client, name: None }));
        }
        let why = format!(
            "the credential has no `client_id` and `client_secret`, and the organisation has no OAuth client of `{}`",
            key.slug
        );
        Err(RenewalProblem::NoClient { why })
    }
}
