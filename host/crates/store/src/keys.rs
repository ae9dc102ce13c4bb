//! The keys under which records are stored: each names its organisation and environment.

use serde::{Deserialize, Serialize};

use crate::values::ObjectId;
use keyferry_types::ids::{Environment, LinkedAccountId, OAuthClientName, OrgId, Slug};

/// Key of a linked account: its id is unique within an organisation's environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountKey {
    /// Organisation of the account.
    pub org: OrgId,
    /// Environment of the account.
    pub environment: Environment,
    /// The caller's id of the account.
    pub account: LinkedAccountId,
}

/// Key of an integration: an account has at most one of each app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IntegrationKey {
    /// The linked account of the integration.
    pub account: AccountKey,
    /// The app of the integration.
    pub slug: Slug,
}

/// Key of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WebhookKey {
    /// Organisation of the webhook.
    pub org: OrgId,
    /// Environment of the webhook.
    pub environment: Environment,
    /// Id that the server gave the webhook.
    pub id: ObjectId,
}

/// Key of an OAuth client: an app has any number of them, each with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OAuthClientKey {
    /// Organisation of the client.
    pub org: OrgId,
    /// Environment of the client.
    pub environment: Environment,
    /// The app at whose provider the client is registered.
    pub slug: Slug,
    /// The name of the client among those of the app.
    pub name: OAuthClientName,
}

/// Key of a bulk import.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImportKey {
    /// Organisation of the import.
    pub org: OrgId,
    /// Environment of the import.
    pub environment: Environment,
    /// Id that the server gave the import.
    pub id: ObjectId,
}

impl ImportKey {
    /// Key of a linked account in the organisation and environment of the import.
    pub fn account(&self, account: &LinkedAccountId) -> AccountKey {
        AccountKey { org: self.org.clone(), environment: self.environment, account: account.clone() }
    }
}

/// An `Idempotency-Key` with the organisation and environment that it is valid in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The organisation that sent it.
    pub org: OrgId,
    /// The environment that it was sent to.
    pub environment: Environment,
    /// Digest of the key that the caller chose. The key itself is not stored: a caller can put a secret there.
    pub key: String,
}
