//! The webhook that `keyferry webhook listen` registers at the server, and deletes at its end.

use clap::ValueEnum;
use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::cli::api_client::ApiClient;
use crate::cli::error::CliError;
use crate::cli::members::text;
use keyferry_store::{ConnectionEvent, ObjectId};
use keyferry_types::ids::Slug;
use keyferry_types::secret::Secret;

pub(super) const WEBHOOKS: &str = "/api/v2/public/webhook";
/// What the webhook is, for those who find it in a list.
const DESCRIPTION: &str = "keyferry webhook listen";

/// An event to register for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Event {
    /// An app was connected to a linked account that had none of it.
    Created,
    /// An app's credential was deleted.
    Deleted,
    /// The provider no longer takes a credential.
    Expired,
}

impl Event {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => ConnectionEvent::Created.as_str(),
            Self::Deleted => ConnectionEvent::Deleted.as_str(),
            Self::Expired => ConnectionEvent::Expired.as_str(),
        }
    }
}

/// A registered webhook.
pub(super) struct Registration {
    pub(super) id: ObjectId,
    client: ApiClient,
}

impl Registration {
    /// Registers a webhook with this URL. Returns its signing secret too.
    pub(super) async fn create(
        client: ApiClient,
        url: &Url,
        events: &[Event],
        slug: Option<&Slug>,
    ) -> Result<(Self, Secret), CliError> {
        let events: Vec<_> = events.iter().map(|event| event.as_str()).collect();
        let mut body =
            json!({ "webhook_url": url.as_str(), "webhook_events": events, "webhook_description": DESCRIPTION });
        if let (Some(slug), Some(members)) = (slug, body.as_object_mut()) {
            members.insert("slug".to_owned(), json!(slug));
        }
        let mut made = client.post_json(WEBHOOKS, &body).await.map_err(|error| refused(url, &error))?;
        let id = text(&made, "_id").parse().map_err(|_| "the server's response has no id of the webhook")?;
        let secret = match made.get_mut("signing_secret").map(Value::take) {
            Some(Value::String(secret)) => Secret::new(secret),
            _ => return Err("the server's response has no signing secret".into()),
        };
        Ok((Self { id, client }, secret))
    }

    /// Deletes the webhook.
    pub(super) async fn delete(self) -> Result<(), CliError> {
        let id = self.id;
        let deleted = self.client.json(Method::DELETE, &format!("{WEBHOOKS}/{id}")).await;
        deleted.map_err(|error| format!("webhook {id} is not deleted: {error}; `keyferry webhook delete {id}`"))?;
        Ok(())
    }
}

/// The error of a registration. A server calls addresses of its own machine only if it may.
fn refused(url: &Url, error: &CliError) -> String {
    let is_plain = url.scheme() == "http";
    let hint = match is_plain {
        true => {
            "\nA server calls a plain http address of its own machine only if it was started with --dev-allow-loopback, which is for \
             development. For another server, lead a public https URL here and name it with --url"
        }
        false => "",
    };
    format!("the webhook {url} cannot be registered: {error}{hint}")
}
