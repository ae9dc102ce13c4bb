//! The body of a request that stores an OAuth client. It is validated like a credential, which shows no value in an error.

use utoipa::ToSchema;

/// An OAuth client: an app registration of your organisation at a provider. Other members are refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read by hand")]
pub(crate) struct OAuthClientBody {
    /// The client's id, as the provider shows it.
    #[schema(min_length = 1, max_length = 1024, write_only, example = "3f0c9a52-6d1e-4b7a-9a53-0f6e2f1c8d40")]
    client_id: String,
    /// The client's secret; without it, the client is a public one.
    #[schema(max_length = 8192, write_only, example = "b7e1c0d2-55aa-4e0f-8c1b-secret")]
    client_secret: Option<String>,
    /// The redirection URI that is registered at the provider: an absolute URI without a fragment. It is shown again.
    #[schema(max_length = 2048, example = "https://acme.example.com/oauth/callback")]
    callback_url: Option<String>,
}
