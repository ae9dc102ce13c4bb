//! The purpose of a wrapped key: the key service binds it to the purpose, so that it opens for no other.

use std::fmt;

use crate::KeyId;
use keyferry_types::ids::OrgId;

/// What a wrapped key is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// A root of an organisation.
    Root {
        /// Organisation of the root.
        org: &'a OrgId,
        /// Id of the root within its organisation.
        key_id: KeyId,
    },
    /// The secret that seals compiled code.
    CompiledCode,
    /// Nothing: the service is tried.
    Probe,
}

impl Place<'_> {
    fn purpose(&self) -> &'static str {
        match self {
            Self::Root { .. } => "root",
            Self::CompiledCode => "compiled-code",
            Self::Probe => "probe",
        }
    }

    /// The pairs of an encryption context. They show in the service's own trail, and its policies can ask for them.
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

/// One line. An organisation's id has no slash in it, so no two places have the same one.
impl fmt::Display for Place<'_> {
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
    fn no_two_places_are_bound_alike() {
        let (a, b): (OrgId, OrgId) = ("acme".parse().unwrap(), "acme.1".parse().unwrap());
        let root = |org, number| Place::Root { org, key_id: KeyId::new(number) };
        let places = [root(&a, 1), root(&a, 11), root(&b, 1), root(&b, 11), Place::CompiledCode, Place::Probe];
        for (i, one) in places.iter().enumerate() {
            for (j, other) in places.iter().enumerate() {
                assert_eq!(one.to_string() == other.to_string(), i == j, "{one} {other}");
                assert_eq!(one.pairs() == other.pairs(), i == j, "{one} {other}");
            }
        }
        assert_eq!(places[0].to_string(), "keyferry/v1/root/acme/1");
    }
}
