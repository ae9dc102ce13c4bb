//! Which OAuth client a command is about.

use clap::Args;

use keyferry_types::ids::{OAuthClientName, Slug};

/// The path of OAuth clients.
pub(super) const OAUTH_CLIENTS: &str = "/api/v2/public/oauth-client";

/// One OAuth client.
#[derive(Args)]
pub(super) struct ClientArgs {
    /// The app.
    #[arg(value_name = "APP")]
    pub(super) slug: Slug,
    /// The client's name among those of the app.
    #[arg(long, default_value = "default")]
    pub(super) name: OAuthClientName,
}

impl ClientArgs {
    /// The path of the client.
    pub(super) fn path(&self) -> String {
        format!("{OAUTH_CLIENTS}/{}/{}", self.slug, self.name)
    }
}
