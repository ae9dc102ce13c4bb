//! The encryption context of a wrapped key: the key service binds the key to it, so that it opens in no other context.

use std::fmt;

use crate::key_id::KeyId;
use keyferry_types::ids::OrgId;

/// The purpose that a wrapped key is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncryptionContext<'a> {
    /// A root of an organisation.
    Root {
        /// Organisation of the root.
        org: &'a OrgId,
        /// Id of the root within its organisation.
        key_id: KeyId,
    },
    /// The secret that seals compiled code.
    CompiledCode,
    /// A test of the service; the wrapped key is discarded.
    Probe,
}

impl EncryptionContext<'_> {
    fn purpose(&self) -> &'static str {
        match self {
            Self::Root { .. } => "root",
            Self::CompiledCode => "compiled-code",
            Self::Probe => "probe",
        }
    }

    /// The context as pairs. They appear in the audit trail of AWS KMS, and key policies can require them.
    #[cfg(any(test, feature = "aws-kms"))]
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("keyferry:purpose", self.purpose().to_owned())];
        if let Self::Root { org, key_id } = self {
            pairs.push(("keyferry:organisation", org.to_string()));
            pairs.push(("keyferry:root", key_id.to_string()));
        }
        pairs
    }
}

/// One line, different for each context: an organisation's id has no slash in it.
impl fmt::Display for EncryptionContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keyferry/v1/{}", self.purpose())?;
        match self {
            Self::Root { org, key_id } => write!(f, "/{org}/{key_id}"),
            Self::CompiledCode | Self::Probe => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_contexts_are_bound_alike() {
        let (a, b): (OrgId, OrgId) = ("acme".parse().unwrap(), "acme.1".parse().unwrap());
        let root = |org, number| EncryptionContext::Root { org, key_id: KeyId::new(number) };
        let contexts = [
            root(&a, 1),
            root(&a, 11),
            root(&b, 1),
            root(&b, 11),
            EncryptionContext::CompiledCode,
            EncryptionContext::Probe,
        ];
        for (i, one) in contexts.iter().enumerate() {
            for (j, other) in contexts.iter().enumerate() {
                assert_eq!(one.to_string() == other.to_string(), i == j, "{one} {other}");
                assert_eq!(one.pairs() == other.pairs(), i == j, "{one} {other}");
            }
        }
        assert_eq!(contexts[0].to_string(), "keyferry/v1/root/acme/1");
    }
}
