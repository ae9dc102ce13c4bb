//! Where a sealed value belongs: the associated data of its encryption.

use super::KeyId;
use super::envelope::{MAGIC, Suite, VERSION};
use crate::ids::{AccountId, AuthTypeName, Environment, FieldName, OrgId, Slug};

/// Everything that a sealed version of an integration is bound to. To open it, give the very same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealContext {
    /// Whose integration it is. Selects the root.
    pub org: OrgId,
    /// Test or production.
    pub environment: Environment,
    /// The linked account.
    pub account: AccountId,
    /// The app.
    pub slug: Slug,
    /// How it authenticates.
    pub auth_type: AuthTypeName,
    /// The integration's version, so that an older one does not pass for the newest.
    pub version: u64,
}

impl SealContext {
    /// The associated data of each field of one envelope.
    pub(super) fn bind(&self, suite: Suite, key_id: KeyId, fields: u32) -> Binding {
        let mut common = Vec::with_capacity(256);
        push(&mut common, MAGIC);
        push(&mut common, &[VERSION, suite.id()]);
        push(&mut common, &key_id.get().to_be_bytes());
        push(&mut common, self.org.as_str().as_bytes());
        push(&mut common, self.environment.as_str().as_bytes());
        push(&mut common, self.account.as_str().as_bytes());
        push(&mut common, self.slug.as_str().as_bytes());
        push(&mut common, self.auth_type.as_str().as_bytes());
        push(&mut common, &self.version.to_be_bytes());
        push(&mut common, &fields.to_be_bytes());
        Binding { common }
    }
}

/// A context with suite, key id and number of fields: all but the field itself.
pub(super) struct Binding {
    common: Vec<u8>,
}

impl Binding {
    /// The associated data of the field of this name at this place.
    pub(super) fn field(&self, index: u32, name: &FieldName) -> Vec<u8> {
        let mut data = self.common.clone();
        push(&mut data, &index.to_be_bytes());
        push(&mut data, name.as_str().as_bytes());
        data
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
            context.bind(Suite::HkdfSha256Aes256Gcm, KeyId::FIRST, 1).field(0, &"token".parse().unwrap())
        };
        assert_ne!(data("ab", "c"), data("a", "bc"));
        assert_eq!(data("ab", "c"), data("ab", "c"));
    }
}
