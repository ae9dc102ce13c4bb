//! The position of a sealed value: the associated data of its encryption.

use super::envelope::{MAGIC, MAX_BYTES, MAX_ROW_BYTES, Suite, VERSION};
use super::key_id::KeyId;
use keyferry_types::ids::{AuthTypeName, Environment, FieldName, LinkedAccountId, OAuthClientName, OrgId, Slug};

/// The position of a sealed version of an integration. Opening needs the same context as sealing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealContext {
    /// Organisation of the integration. Selects the root.
    pub org: OrgId,
    /// The environment of the linked account.
    pub environment: Environment,
    /// The linked account of the credential.
    pub account: LinkedAccountId,
    /// The app of the credential.
    pub slug: Slug,
    /// The auth type of the credential.
    pub auth_type: AuthTypeName,
    /// The integration's version, so that an older one does not pass for the newest.
    pub version: u64,
}

/// The position of the sealed secrets of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookContext {
    /// Organisation of the webhook. Selects the root.
    pub org: OrgId,
    /// The environment of the webhook.
    pub environment: Environment,
    /// The webhook's own id.
    pub id: String,
    /// The version of the webhook that the values belong to.
    pub version: u64,
}

/// The position of the sealed id and secret of an OAuth client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthClientContext {
    /// Organisation of the client. Selects the root.
    pub org: OrgId,
    /// The environment of the client.
    pub environment: Environment,
    /// The app at whose provider the client is registered.
    pub slug: Slug,
    /// The name of the client among those of the app.
    pub name: OAuthClientName,
    /// The version of the client that the values belong to.
    pub version: u64,
}

/// The position of the sealed credential of an import's row that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowContext {
    /// Organisation of the import. Selects the root.
    pub org: OrgId,
    /// The environment of the import.
    pub environment: Environment,
    /// The import's own id.
    pub import: String,
    /// Number of the row within its import.
    pub number: u64,
}

/// Positions that sealed values can be bound to: the associated data of their encryption.
pub trait AssociatedData: sealed::AssociatedData {}

mod sealed {
    use super::{MAX_BYTES, OrgId};

    /// Cannot be implemented elsewhere: no two kinds of positions may have the same members.
    pub trait AssociatedData {
        /// The organisation whose root the data key is derived from.
        fn org(&self) -> &OrgId;
        /// The members that distinguish this position from every other.
        fn members(&self, push: &mut dyn FnMut(&[u8]));
        /// Maximum bytes of an envelope that is bound to it.
        fn most_bytes(&self) -> usize {
            MAX_BYTES
        }
    }
}

impl AssociatedData for SealContext {}

impl sealed::AssociatedData for SealContext {
    fn org(&self) -> &OrgId {
        &self.org
    }

    fn members(&self, push: &mut dyn FnMut(&[u8])) {
        push(self.org.as_str().as_bytes());
        push(self.environment.as_str().as_bytes());
        push(self.account.as_str().as_bytes());
        push(self.slug.as_str().as_bytes());
        push(self.auth_type.as_str().as_bytes());
        push(&self.version.to_be_bytes());
    }
}

impl AssociatedData for WebhookContext {}

impl sealed::AssociatedData for WebhookContext {
    fn org(&self) -> &OrgId {
        &self.org
    }

    /// One member more than an integration has, and a word that is no environment.
    fn members(&self, push: &mut dyn FnMut(&[u8])) {
        push(self.org.as_str().as_bytes());
        push(b"webhook");
        push(self.environment.as_str().as_bytes());
        push(self.id.as_bytes());
        push(&[]);
        push(&[]);
        push(&self.version.to_be_bytes());
    }
}

impl AssociatedData for OAuthClientContext {}

impl sealed::AssociatedData for OAuthClientContext {
    fn org(&self) -> &OrgId {
        &self.org
    }

    /// A word that is no environment, and that no other kind of position has.
    fn members(&self, push: &mut dyn FnMut(&[u8])) {
        push(self.org.as_str().as_bytes());
        push(b"oauth client");
        push(self.environment.as_str().as_bytes());
        push(self.slug.as_str().as_bytes());
        push(self.name.as_str().as_bytes());
        push(&self.version.to_be_bytes());
    }
}

impl AssociatedData for RowContext {}

impl sealed::AssociatedData for RowContext {
    fn org(&self) -> &OrgId {
        &self.org
    }

    /// Fewer members than an integration has, and a word that is no environment.
    fn members(&self, push: &mut dyn FnMut(&[u8])) {
        push(self.org.as_str().as_bytes());
        push(b"import row");
        push(self.environment.as_str().as_bytes());
        push(self.import.as_bytes());
        push(&self.number.to_be_bytes());
    }

    fn most_bytes(&self) -> usize {
        MAX_ROW_BYTES
    }
}

/// The associated data of each field of one envelope.
pub(super) fn bind(context: &impl AssociatedData, suite: Suite, key_id: KeyId, fields: u32) -> Binding {
    let mut data = Vec::with_capacity(256);
    push(&mut data, MAGIC);
    push(&mut data, &[VERSION, suite.id()]);
    push(&mut data, &key_id.get().to_be_bytes());
    context.members(&mut |member| push(&mut data, member));
    push(&mut data, &fields.to_be_bytes());
    Binding { common: data.len(), data }
}

/// A context with suite, key id and number of fields: all but the field itself.
pub(super) struct Binding {
    data: Vec<u8>,
    /// Bytes of it that are the same for all fields.
    common: usize,
}

impl Binding {
    /// The associated data of the field with this name and index, which replaces that of another field.
    pub(super) fn field(&mut self, index: u32, name: &FieldName) -> &[u8] {
        self.data.truncate(self.common);
        push(&mut self.data, &index.to_be_bytes());
        push(&mut self.data, name.as_str().as_bytes());
        &self.data
    }
}

/// Appends a member behind its length, so that no two lists of members give the same bytes.
pub(super) fn push(data: &mut Vec<u8>, member: &[u8]) {
    data.extend_from_slice(&(member.len() as u64).to_be_bytes());
    data.extend_from_slice(member);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_do_not_run_into_each_other() {
        let data = |account: &str, slug: &str| {
            let context = SealContext {
                org: "o".parse().unwrap(),
                environment: Environment::Test,
                account: account.parse().unwrap(),
                slug: slug.parse().unwrap(),
                auth_type: "oauth2".parse().unwrap(),
                version: 1,
            };
            bind(&context, Suite::HkdfSha256Aes256Gcm, KeyId::FIRST, 1).field(0, &"token".parse().unwrap()).to_vec()
        };
        assert_ne!(data("ab", "c"), data("a", "bc"));
        assert_eq!(data("ab", "c"), data("ab", "c"));
    }

    #[test]
    fn a_webhook_a_row_or_an_oauth_client_is_at_no_integrations_place() {
        let webhook = WebhookContext {
            org: "o".parse().unwrap(),
            environment: Environment::Test,
            id: "0123".to_owned(),
            version: 1,
        };
        let mut members = Vec::new();
        sealed::AssociatedData::members(&webhook, &mut |member| members.push(member.to_vec()));
        // An integration has an environment where a webhook has this word.
        assert!(members[1].as_slice() == b"webhook" && "webhook".parse::<Environment>().is_err());
        let row = RowContext {
            org: "o".parse().unwrap(),
            environment: Environment::Test,
            import: "0123".to_owned(),
            number: 1,
        };
        members.clear();
        sealed::AssociatedData::members(&row, &mut |member| members.push(member.to_vec()));
        assert!(members[1].as_slice() == b"import row" && "import row".parse::<Environment>().is_err());
        members.clear();
        let client = client("default", 1);
        sealed::AssociatedData::members(&client, &mut |member| members.push(member.to_vec()));
        assert!(members[1].as_slice() == b"oauth client" && "oauth client".parse::<Environment>().is_err());
    }

    fn client(name: &str, version: u64) -> OAuthClientContext {
        OAuthClientContext {
            org: "o".parse().unwrap(),
            environment: Environment::Test,
            slug: "hubspot".parse().unwrap(),
            name: name.parse().unwrap(),
            version,
        }
    }

    #[test]
    fn each_member_of_an_oauth_clients_position_counts() {
        let data = |context: &OAuthClientContext| {
            bind(context, Suite::HkdfSha256Aes256Gcm, KeyId::FIRST, 2).field(0, &"client_id".parse().unwrap()).to_vec()
        };
        let one = client("default", 1);
        assert_eq!(data(&one), data(&client("default", 1)));
        let others = [
            client("eu", 1),
            client("default", 2),
            OAuthClientContext { org: "p".parse().unwrap(), ..one.clone() },
            OAuthClientContext { environment: Environment::Production, ..one.clone() },
            OAuthClientContext { slug: "slack".parse().unwrap(), ..one.clone() },
        ];
        for other in others {
            assert_ne!(data(&one), data(&other), "{other:?}");
        }
    }
}
