//! The sources of the key-encryption key.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize as _, Zeroizing};

use super::derive::random;
use super::error::VaultError;
use super::kek::KeyEncryptionKey;
use super::local::LocalKey;
use super::remote::{Kms, RemoteKey, Transit};
use super::remote::{KmsKey, TransitSettings};
use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// Source of the key-encryption key. There is no default key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyProvider {
    /// A file that only its owner can read: 32 bytes in base64 or hex. Made on the first start, with mode 0600.
    File(PathBuf),
    /// The environment variable of this name, in base64 or hex.
    Env(String),
    /// A key of AWS KMS, which wraps roots and is never given out.
    Kms {
        /// The AWS KMS key that wraps roots.
        key: KmsKey,
        /// Certificates (PEM) to believe besides those of the machine.
        ca: Option<PathBuf>,
    },
    /// A key of a transit engine, which wraps roots and is never given out.
    Transit(TransitSettings),
}

/// Whether a missing key may be created.
///
/// Refuse it wherever sealed data exists already: a new key opens none of it, and a clear error at the start is better than
/// accounts that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateKey {
    /// Make one, for a first start. A variable is never made.
    Allowed,
    /// Do not create a key; a missing key is an error.
    Refused,
}

/// A key file has one short line; what is longer is something else.
const LONGEST_KEY_FILE: u64 = 4096;

impl KeyProvider {
    /// Gets the key, or a client of the service that has it. The service is not asked yet.
    ///
    /// # Errors
    /// [`VaultError::KeyFileMissing`], [`VaultError::KeyFileExposed`] (group or others have any access),
    /// [`VaultError::KeyFile`], [`VaultError::KeyVariableMissing`] and [`VaultError::NotAKey`];
    /// [`VaultError::KeyServiceSetup`] and [`VaultError::KeyServiceCa`].
    pub async fn load(&self, create: CreateKey) -> Result<KeyEncryptionKey, VaultError> {
        match self {
            Self::File(path) => from_file(path, create).map(KeyEncryptionKey::from),
            Self::Env(name) => from_variable(name, std::env::var_os(name)).map(KeyEncryptionKey::from),
            Self::Kms { key, ca } => Ok(RemoteKey::new(Kms::new(key.clone(), ca.as_deref()).await?).into()),
            Self::Transit(settings) => {
                if let Some((path, mode)) = settings.token.exposed().await {
                    let (file, mode) = (path.shown(), format!("{mode:04o}"));
                    tracing::warn!(%file, mode, "others can read the token of the key service; chmod 600 it");
                }
                Ok(RemoteKey::new(Transit::new(settings.clone())?).into())
            }
        }
    }
}

impl KeyProvider {
    /// Checks that existing files can be used. A missing key file is no error, and a key service is not called.
    ///
    /// # Errors
    /// Those of [`Self::load`] for files.
    pub fn check(&self) -> Result<(), VaultError> {
        match self {
            Self::File(path) => read_key_file(path).map(|_| ()),
            Self::Kms { key, ca } => Kms::check(key, ca.as_deref()),
            Self::Transit(settings) => Transit::new(settings.clone()).map(|_| ()),
            Self::Env(_) => Ok(()),
        }
    }
}

fn from_file(path: &Path, create: CreateKey) -> Result<LocalKey, VaultError> {
    match read_key_file(path)? {
        Some(key) => Ok(key),
        None if create == CreateKey::Refused => Err(VaultError::KeyFileMissing { path: path.to_owned() }),
        None => make_key_file(path)
            .map_err(|failure| failure.into_error(path))
            .and_then(|()| read_key_file(path))?
            .ok_or_else(|| VaultError::KeyFileMissing { path: path.to_owned() }),
    }
}

fn from_variable(name: &str, value: Option<OsString>) -> Result<LocalKey, VaultError> {
    let value = value.ok_or_else(|| VaultError::KeyVariableMissing { name: name.to_owned() })?;
    let origin = format!("the environment variable {name}");
    let mut bytes = value.into_encoded_bytes();
    let key = match std::str::from_utf8(&bytes) {
        Ok(text) => LocalKey::parse(text, &origin),
        Err(_) => Err(VaultError::NotAKey { origin, problem: "it is not text" }),
    };
    bytes.zeroize();
    key
}

/// `None` where there is no such file.
fn read_key_file(path: &Path) -> Result<Option<LocalKey>, VaultError> {
    let failed = |source| VaultError::KeyFile { action: "read", path: path.to_owned(), source };
    let file = match bounded_file::read(path, LONGEST_KEY_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.is_exposed() {
        return Err(VaultError::KeyFileExposed { path: path.to_owned(), mode: file.mode });
    }
    LocalKey::parse(file.text().map_err(failed)?, &format!("the key file {}", path.shown())).map(Some)
}

enum MakeFailure {
    Io(io::Error),
    Vault(VaultError),
}

impl MakeFailure {
    fn into_error(self, path: &Path) -> VaultError {
        match self {
            Self::Io(source) => VaultError::KeyFile { action: "make", path: path.to_owned(), source },
            Self::Vault(error) => error,
        }
    }
}

impl From<io::Error> for MakeFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<VaultError> for MakeFailure {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

/// Puts a new key under `path`, whole and on disk before it has its name. If another process was faster, its key stays.
fn make_key_file(path: &Path) -> Result<(), MakeFailure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            fs::File::open(above)?.sync_all()?;
        }
    }
    let key = random::<32>()?;
    // A temporary file of this kind has mode 0600 from its first moment.
    let mut file = tempfile::Builder::new().prefix(".key.").tempfile_in(folder)?;
    let mut line = Zeroizing::new([b'\n'; 45]);
    STANDARD.encode_slice(key.as_slice(), line.as_mut_slice()).map_err(io::Error::other)?;
    file.write_all(line.as_slice())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error.error.into()),
    }
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;
    use crate::ring::tests::now;

    impl KeyProvider {
        fn load_now(&self, create: CreateKey) -> Result<KeyEncryptionKey, VaultError> {
            now(self.load(create))
        }
    }

    #[test]
    fn a_first_start_makes_a_private_key_file_and_later_ones_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("kek");
        let provider = KeyProvider::File(path.clone());
        let made = provider.load_now(CreateKey::Allowed).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "something else was left there");
        for create in [CreateKey::Allowed, CreateKey::Refused] {
            assert_eq!(provider.load_now(create).unwrap().shown().to_owned(), made.shown().to_owned());
        }
        let other = KeyProvider::File(folder.path().join("other")).load_now(CreateKey::Allowed).unwrap();
        assert_ne!(other.shown().to_owned(), made.shown().to_owned());
    }

    #[test]
    fn a_missing_key_is_an_error_where_none_may_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        let error = KeyProvider::File(path.clone()).load_now(CreateKey::Refused).unwrap_err();
        assert!(matches!(error, VaultError::KeyFileMissing { .. }), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn refuses_a_key_file_that_others_can_touch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        let provider = KeyProvider::File(path.clone());
        provider.load_now(CreateKey::Allowed).unwrap();
        for (mode, fine) in
            [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false), (0o610, false)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let loaded = provider.load_now(CreateKey::Allowed);
            assert_eq!(loaded.is_ok(), fine, "mode {mode:o}");
            if let Err(error) = loaded {
                assert!(matches!(error, VaultError::KeyFileExposed { .. }));
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn a_damaged_key_file_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek");
        for content in ["", "half a k", "\u{fffd}"] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert!(KeyProvider::File(path.clone()).load_now(CreateKey::Allowed).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_variable_holds_the_key_or_the_error_names_it() {
        let key = hex::encode((0..32).collect::<Vec<u8>>());
        assert!(from_variable("KEYFERRY_KEK", Some(key.into())).is_ok());
        for value in [None, Some(OsString::from("secret-but-short"))] {
            let error = from_variable("KEYFERRY_KEK", value).unwrap_err().to_string();
            assert!(error.contains("KEYFERRY_KEK") && !error.contains("secret"), "{error}");
        }
        let unset = KeyProvider::Env("KEYFERRY_TEST_VARIABLE_THAT_NOBODY_SETS".to_owned());
        assert!(matches!(unset.load_now(CreateKey::Allowed), Err(VaultError::KeyVariableMissing { .. })));
    }
}
