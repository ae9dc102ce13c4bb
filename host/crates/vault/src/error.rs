//! Errors of keys and sealed values.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::envelope::EnvelopeError;
use super::envelope::{FIELD_OVERHEAD, MAX_BYTES, MAX_FIELDS};
use super::key_id::KeyId;
use super::key_service_error::KeyServiceError;
use keyferry_types::ids::{FieldName, OrgId};
use keyferry_types::path_text::ShowPath as _;

/// A key that cannot be had, or a value that cannot be sealed or opened. Never holds key material or a plain value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key file is not there, and making one was not allowed.
    #[error(
        "there is no key file at {}: restore it from your backup. What is stored cannot be read without the key that sealed it",
        path.shown()
    )]
    KeyFileMissing {
        /// Path at which the key was expected.
        path: PathBuf,
    },
    /// Others than its owner can read or write the key file.
    #[error("the key file {} has mode {mode:04o}: only its owner may have access. Run `chmod 600 {}`", path.shown(), path.shown())]
    KeyFileExposed {
        /// Path of the key file.
        path: PathBuf,
        /// Permission bits of the file, as `st_mode` has them.
        mode: u32,
    },
    /// The key file could not be read or made.
    #[error("cannot {action} the key file {}", path.shown())]
    KeyFile {
        /// The attempted action, as a verb for the message: `read`, `make`.
        action: &'static str,
        /// Path of the key file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The environment variable that should hold the key is not set.
    #[error(
        "the environment variable {name} is not set: it must hold the key, 32 random bytes in base64 or hex (`openssl rand -base64 32` makes some)"
    )]
    KeyVariableMissing {
        /// Name of the environment variable.
        name: String,
    },
    /// The given text is not a key of 32 bytes.
    #[error(
        "{origin} does not hold a key: {problem}. A key is 32 random bytes in base64 or hex (`openssl rand -base64 32` makes some)"
    )]
    NotAKey {
        /// Source of the key, as the message names it: a file or a variable.
        origin: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// A root was wrapped by another key-encryption key than the configured one.
    #[error(
        "root {key_id} of organisation {org} needs the key {needed}, and {given} is configured: start with the key that wrapped it"
    )]
    WrongKey {
        /// Organisation of the root.
        org: OrgId,
        /// Id of the root within its organisation.
        key_id: KeyId,
        /// The key that wrapped the root.
        needed: String,
        /// Id of the configured key.
        given: String,
    },
    /// A key service was given something that it cannot be used with.
    #[error("the key {key} cannot be used: {problem}")]
    KeyServiceSetup {
        /// The key, as it was configured.
        key: String,
        /// What is missing or wrong.
        problem: String,
    },
    /// The file with certificates to believe of a key service.
    #[error("the certificates in {} cannot be used for the key service: {problem}", path.shown())]
    KeyServiceCa {
        /// Path of the file with certificates.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A key service did not do what it was asked for.
    #[error(transparent)]
    KeyService(#[from] KeyServiceError),
    /// The file with the secret that seals compiled code could not be written.
    #[error("cannot {action} {}", path.shown())]
    CodeKeyFile {
        /// The attempted action, as a verb for the message: `write`.
        action: &'static str,
        /// Path of the file with the wrapped secret.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The secret that seals compiled code is not there, because the key service has not responded yet.
    #[error("compiled code cannot be sealed before the key service answers")]
    NoCodeKey,
    /// An organisation's roots could not be unlocked a moment ago, and were not tried again.
    #[error("{reason}")]
    StillLocked {
        /// The error of the last attempt.
        reason: Arc<VaultError>,
    },
    /// A wrapped root is damaged, or belongs to another organisation or key id.
    #[error(
        "root {key_id} of organisation {org} does not unwrap: it is damaged, or belongs elsewhere. Restore the store from your backup"
    )]
    RootDamaged {
        /// Organisation of the root.
        org: OrgId,
        /// Id of the root within its organisation.
        key_id: KeyId,
    },
    /// No root of the organisation has been unlocked.
    #[error("no root of organisation {org} is unlocked: make an API key for it, or unlock its stored roots first")]
    NoRoot {
        /// The organisation without an unlocked root.
        org: OrgId,
    },
    /// The very root that something is sealed under has not been unlocked.
    #[error(
        "root {key_id} of organisation {org} is not unlocked: it was destroyed, or its stored form has not been loaded"
    )]
    UnknownRoot {
        /// The organisation of the root that is needed.
        org: OrgId,
        /// The root that is needed.
        key_id: KeyId,
    },
    /// The bytes are no envelope that this version can read.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The envelope was sealed under another root, or its head is damaged.
    #[error(
        "the envelope does not commit to root {key_id} of organisation {org}: it is damaged, or was sealed for another organisation"
    )]
    NotCommitted {
        /// The organisation that the envelope should belong to.
        org: OrgId,
        /// The root that the envelope names.
        key_id: KeyId,
    },
    /// A sealed value is damaged, or was moved here from another place or version.
    #[error("field {field} does not open: it is damaged, or was sealed for another account, app, auth type or version")]
    NotAuthentic {
        /// Name of the field that does not open.
        field: FieldName,
    },
    /// Nothing was given to seal. An envelope without fields would have nothing that shows where it belongs.
    #[error("a credential needs at least one field")]
    NoFields,
    /// The same field was given twice.
    #[error("field {field} was given twice")]
    DuplicateField {
        /// Name of the field that was given twice.
        field: FieldName,
    },
    /// More was given than an envelope may hold. The error does not say how much: the length of a secret is part of it.
    #[error("{0}")]
    TooLarge(SizeLimit),
    /// A primitive refused lengths that are constants of this module.
    #[error("the cipher refused a key or a length; this is a defect of Keyferry")]
    Cipher,
}

/// A limit on the size of what is sealed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeLimit {
    /// The number of fields.
    Fields,
    /// Bytes of the envelope.
    Bytes(usize),
}

impl SizeLimit {
    /// The limit of a credential, for every entry point.
    pub const CREDENTIAL: Self = Self::Bytes(MAX_BYTES);
}

impl fmt::Display for SizeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields => write!(f, "the credential has too many fields: at most {MAX_FIELDS} can be stored"),
            Self::Bytes(limit) => write!(
                f,
                "the credential is too large: sealed, all its fields together may have {limit} bytes ({} KiB), counting their \
                 names and values and {FIELD_OVERHEAD} bytes for each field",
                limit / 1024,
            ),
        }
    }
}

impl VaultError {
    /// What prevents unlocking an organisation's roots, in words that callers may read, and when to try again. `None`
    /// for errors that do not concern the unlocking of roots.
    pub fn locked(&self) -> Option<(&'static str, Duration)> {
        match self {
            Self::KeyService(error) => Some((error.fault.summary(), error.retry_after())),
            Self::StillLocked { reason } => reason.locked(),
            Self::WrongKey { .. } => Some(("they need another key than the server has", Duration::from_secs(60))),
            Self::RootDamaged { .. } => Some(("they do not open with the server's key", Duration::from_secs(60))),
            _ => None,
        }
    }

    /// Whether waiting may be all that is needed.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::KeyService(error) => error.fault.may_pass(),
            Self::StillLocked { reason } => reason.may_pass(),
            _ => false,
        }
    }
}

impl From<getrandom::Error> for VaultError {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}
