//! Secrets at rest: the only crate that names a cipher. It does not know where the sealed bytes are stored.
//!
//! A key-encryption key from a [`KeyProvider`] wraps one root for each organisation and key id. The key-encryption key is in
//! this process, or in a key service (AWS KMS, a transit engine) that wraps and unwraps. Each sealed version of a record
//! draws a salt; HKDF-SHA256 of root and salt gives a data key that is used once, and a commitment to it that is checked
//! before anything is opened. Values are sealed by AES-256-GCM and bound to their position by a [`SealContext`],
//! [`WebhookContext`], [`OAuthClientContext`] or [`RowContext`].
//!
//! Keyferry cannot run without a key-encryption key, and a sealed value has no plain stored form.
//!
//! | file | answers |
//! |---|---|
//! | `provider` | where does the key-encryption key come from? |
//! | `kek`, `local`, `remote` | how does it wrap a root: in this process, or in a key service? |
//! | `wrap` | what is a wrapped root? |
//! | `ring`, `key_id` | which roots of an organisation are unlocked, and which one seals? |
//! | `derive` | how is a data key derived from a root? |
//! | `seal`, `envelope` | how is a record sealed, and what is its stored form? |
//! | `context` | which position is a sealed value bound to? |
//! | `fingerprint` | how are request bodies and compiled code fingerprinted under a key? |
//! | `code_key` | which secret seals compiled code where the key is in a key service? |
//! | `api_key`, `session`, `signature` | how are API keys, session tokens and webhook signatures made and checked? |
//! | `locked`, `harden` | how are keys in memory kept out of swap and dumps? |
//! | `error`, `key_service_error` | what can fail, and what does a failure of a key service mean? |
//!
//! ```
//! use keyferry_vault::{new_signing_secret, signature};
//!
//! let secret = new_signing_secret()?;
//! assert_eq!(signature(&secret, b"{}")?.len(), 64);
//! # Ok::<(), keyferry_vault::VaultError>(())
//! ```

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
mod key_service_error;
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
pub use context::{AssociatedData, OAuthClientContext, RowContext, SealContext, WebhookContext};
pub use envelope::{Envelope, EnvelopeError};
pub use error::{SizeLimit, VaultError};
pub use fingerprint::digest_name;
pub use harden::{HardenWarning, harden};
pub use kek::{KeyEncryptionKey, NewRoot};
pub use key_id::KeyId;
pub use key_service_error::{KeyServiceError, KeyServiceFault};
pub use provider::{CreateKey, KeyProvider};
pub use remote::{
    KeyServiceState, KmsKey, MalformedKmsKey, MalformedTransitKey, TokenSource, TransitKey, TransitSettings,
};
pub use ring::Vault;
pub use seal::check_size;
pub use session::{SessionClaims, TokenUse};
pub use signature::{is_signature, new_signing_secret, signature};
pub use wrap::WrappedRoot;
