//! Response bodies of OAuth clients.

use serde::Serialize;
use utoipa::ToSchema;

use keyferry_service::{ClientKind, OAuthClient as Stored};
use keyferry_store::ClientRefusal;
use keyferry_types::ids::{Environment, OAuthClientName, Slug};

/// An OAuth client, without its id and its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct OAuthClient {
    /// The app at whose provider the client is registered.
    #[schema(value_type = String, example = "hubspot")]
    slug: Slug,
    /// The name of the client among those of the app.
    #[schema(value_type = String, example = "default")]
    name: OAuthClientName,
    /// The environment of the API key that stored it.
    environment: Environment,
    /// The last 4 characters of the client's id; `null` if the id has fewer than 9.
    #[schema(required = true, example = "8d40")]
    client_id_ends_with: Option<String>,
    /// Whether the client has a secret.
    has_client_secret: bool,
    /// The redirection URI that is registered at the provider.
    #[schema(required = true, example = "https://acme.example.com/oauth/callback")]
    callback_url: Option<String>,
    /// The provider's refusal of this client's id and secret; `null` while the provider has not refused them.
    #[schema(required = true)]
    refused: Option<OAuthClientRefusal>,
    /// The revision of the client's values, as `ETag` has it in quotes.
    #[schema(pattern = "^[0-9a-f]{24}-[0-9]+$")]
    revision: String,
    /// The time of creation.
    #[schema(format = DateTime)]
    created_at: String,
    /// The time of the last write.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A provider's refusal of an OAuth client.
#[derive(Serialize, ToSchema)]
pub(crate) struct OAuthClientRefusal {
    /// When the provider first refused it.
    #[schema(format = DateTime)]
    at: String,
    /// What the provider said, without any secret.
    #[schema(example = "invalid_client: the client secret has expired")]
    detail: String,
}

/// An OAuth client is gone.
#[derive(Serialize, ToSchema)]
pub(crate) struct OAuthClientDeleted {
    /// Always true.
    success: bool,
    /// The app of the client.
    #[schema(value_type = String, example = "hubspot")]
    slug: Slug,
    /// The name of the client.
    #[schema(value_type = String, example = "default")]
    name: OAuthClientName,
}

impl OAuthClient {
    /// A stored client.
    pub(crate) fn new(client: &Stored) -> Self {
        let record = &client.record;
        Self {
            slug: record.key.slug.clone(),
            name: record.key.name.clone(),
            environment: record.key.environment,
            client_id_ends_with: client.client_id_ends_with.clone(),
            has_client_secret: client.kind == ClientKind::Confidential,
            callback_url: record.callback_url.clone(),
            refused: record.refused.as_ref().map(OAuthClientRefusal::new),
            revision: client.revision().to_string(),
            created_at: record.created_at.to_string(),
            updated_at: record.updated_at.to_string(),
        }
    }
}

impl OAuthClientRefusal {
    fn new(refusal: &ClientRefusal) -> Self {
        Self { at: refusal.at.to_string(), detail: refusal.detail.clone() }
    }
}

impl OAuthClientDeleted {
    /// The client of this app and name.
    pub(crate) fn new(slug: Slug, name: OAuthClientName) -> Self {
        Self { success: true, slug, name }
    }
}
