//! Secrets at rest: everything that names a cipher, and nothing that knows where the sealed bytes are kept.
//!
//! A key-encryption key from a [`KeyProvider`] wraps one root an organisation and key id. It is here, or in a key service
//! (AWS KMS, a transit engine) that wraps and unwraps for us. Each sealed version of a record
//! draws a salt; HKDF-SHA256 of root and salt gives a data key that is used once, and a commitment to it that is checked
//! before anything is opened. Values are sealed by AES-256-GCM and bound to where they belong by a [`SealContext`],
//! [`WebhookContext`] or [`RowContext`].
//!
//! There is no way to run without a key, and no plain form of a sealed value.

mod api_key;
mod code_key;
mod context;
mod derive;
mod envelope;
mod error;
mod fingerprint;
mod harden;
mod kek;
mod key_id;
mod local;
mod locked;
mod provider;
mod remote;
mod ring;
mod seal;
mod session;
mod signature;
mod wrap;

pub use api_key::{ApiKey, MalformedApiKey};
pub use context::{Place, RowContext, SealContext, WebhookContext};
pub use envelope::{Envelope, EnvelopeError};
pub use error::{SizeLimit, VaultError};
pub use fingerprint::blind;
pub use harden::{HardenWarning, harden};
pub use kek::{KeyEncryptionKey, NewRoot};
pub use key_id::KeyId;
pub use provider::{CreateKey, KeyProvider};
pub use remote::{
    KeyServiceError, KeyServiceFault, KeyServiceState, KmsKey, MalformedKmsKey, MalformedTransitKey, TokenSource,
    TransitKey, TransitSettings,
};
pub use ring::Vault;
pub use seal::check_size;
pub use session::{SessionClaims, TokenUse};
pub use signature::{new_signing_secret, signature};
pub use wrap::WrappedRoot;
