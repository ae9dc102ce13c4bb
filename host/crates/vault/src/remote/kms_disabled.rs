//! AWS KMS in a build without the feature `aws-kms`: a key there is refused with the way to a build that has it.

use std::path::Path;

use async_trait::async_trait;

use super::encryption_context::EncryptionContext;
use super::key::{KeyService, WrappedBy};
use super::kms_key::KmsKey;
use crate::error::VaultError;
use crate::key_service_error::KeyServiceError;
use crate::locked::LockedKey;

/// A key of AWS KMS: uninhabited, since this build cannot have one.
pub(crate) enum Kms {}

impl Kms {
    /// # Errors
    /// Always: this build cannot use AWS KMS.
    pub(crate) async fn new(key: KmsKey, _ca: Option<&Path>) -> Result<Self, VaultError> {
        Err(disabled(&key))
    }

    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn check(key: &KmsKey, _ca: Option<&Path>) -> Result<(), VaultError> {
        Err(disabled(key))
    }
}

fn disabled(key: &KmsKey) -> VaultError {
    VaultError::KeyServiceSetup {
        key: key.to_string(),
        problem: "this build of keyferry has no AWS KMS; build it with `cargo build --release --features aws-kms`"
            .into(),
    }
}

#[async_trait]
impl KeyService for Kms {
    fn shown(&self) -> &str {
        match *self {}
    }

    fn id(&self) -> Option<String> {
        match *self {}
    }

    async fn wrap(&self, _: &EncryptionContext<'_>, _: &[u8; 32]) -> Result<WrappedBy, KeyServiceError> {
        match *self {}
    }

    async fn unwrap(&self, _: &EncryptionContext<'_>, _: &[u8]) -> Result<LockedKey, KeyServiceError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_in_kms_is_refused_with_the_way_to_a_build_that_has_it() {
        let key: KmsKey = "alias/keyferry".parse().unwrap();
        for error in [Kms::check(&key, None).unwrap_err(), Kms::new(key.clone(), None).await.err().unwrap()] {
            assert!(error.to_string().contains("--features aws-kms"), "{error}");
        }
    }
}
