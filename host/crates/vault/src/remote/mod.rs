//! Key-encryption keys that stay in a key service, which wraps and unwraps roots for us.
//!
//! | file | answers |
//! |---|---|
//! | `place` | what is a wrapped key bound to? |
//! | `key` | when is the service asked, how long, how often? |
//! | `error` | what does a failure mean? |
//! | `kms_key`, `kms` | AWS KMS; `kms_absent` where the feature `aws-kms` is off |
//! | `transit_key`, `token`, `transit` | the transit engine of Vault, OpenBao and what speaks like them |
//! | `trust` | which certificates are believed? |
//! | `foreign_files` | which files does AWS' client read, and do they answer? |
//!
//! Nothing here is asked once a request: a root is unwrapped once and stays on the key ring.

mod error;
#[cfg(feature = "aws-kms")]
mod foreign_files;
mod key;
#[cfg(feature = "aws-kms")]
mod kms;
#[cfg(not(feature = "aws-kms"))]
mod kms_absent;
mod kms_key;
mod place;
mod token;
mod transit;
mod transit_key;
mod trust;

pub use error::{KeyServiceError, KeyServiceFault};
pub use key::KeyServiceState;
pub(super) use key::RemoteKey;
#[cfg(test)]
pub(super) use key::tests;
pub use kms_key::{KmsKey, MalformedKmsKey};
pub(super) use place::Place;
pub use token::TokenSource;
pub use transit_key::{MalformedTransitKey, TransitKey, TransitSettings};

#[cfg(feature = "aws-kms")]
pub(super) use kms::Kms;
#[cfg(not(feature = "aws-kms"))]
pub(super) use kms_absent::Kms;
pub(super) use transit::Transit;
