//! Key-encryption keys that stay in a key service, which wraps and unwraps roots for us.
//!
//! | file | answers |
//! |---|---|
//! | `encryption_context` | what is a wrapped key bound to? |
//! | `key` | when is the service asked, how long, how often? |
//! | `kms_key`, `kms` | AWS KMS; `kms_disabled` where the feature `aws-kms` is off |
//! | `transit_key`, `token`, `transit` | the transit engine of Vault, OpenBao and what speaks like them |
//! | `trust` | which certificates are trusted? |
//! | `aws_files` | which files does AWS' client read, and can they be read? |
//!
//! Nothing here is asked once a request: a root is unwrapped once and stays on the key ring.

#[cfg(feature = "aws-kms")]
mod aws_files;
mod encryption_context;
mod key;
#[cfg(feature = "aws-kms")]
mod kms;
#[cfg(not(feature = "aws-kms"))]
mod kms_disabled;
mod kms_key;
mod token;
mod transit;
mod transit_key;
mod trust;

pub(super) use encryption_context::EncryptionContext;
pub use key::KeyServiceState;
pub(super) use key::RemoteKey;
#[cfg(test)]
pub(super) use key::tests;
pub use kms_key::{KmsKey, MalformedKmsKey};
pub use token::TokenSource;
pub use transit_key::{MalformedTransitKey, TransitKey, TransitSettings};

#[cfg(feature = "aws-kms")]
pub(super) use kms::Kms;
#[cfg(not(feature = "aws-kms"))]
pub(super) use kms_disabled::Kms;
pub(super) use transit::Transit;
