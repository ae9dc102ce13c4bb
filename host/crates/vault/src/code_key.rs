//! The secret that seals compiled code, where the key-encryption key is in a key service.
//!
//! A local key gives one by derivation. A key service gives no key out, so a random one is created, wrapped by the
//! service, and kept in the data folder. A process that can write there but cannot use the service can neither read it
//! nor create another one that is accepted. Its loss costs only the time to compile again, so one that does not open is
//! replaced.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::VaultError;
use super::key_service_error::KeyServiceFault;
use super::locked::LockedKey;
use super::remote::{EncryptionContext, RemoteKey};
use super::ring::Vault;
use keyferry_types::bounded_file;
use keyferry_types::path_text::ShowPath as _;

/// Content of the file that holds the wrapped secret.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// The key that wrapped it.
    key: String,
    /// The wrapped secret, in base64.
    wrapped: String,
}

impl Vault {
    /// Unwraps the secret that seals compiled code, or makes one. It is also the first that a key service is asked for: when
    /// this succeeds, the service is there and the key is one that can be used. With a local key there is nothing to do.
    ///
    /// # Errors
    /// `KeyService`, and `CodeKeyFile` where a new one cannot be kept.
    pub async fn open_code_key(&self, path: &Path) -> Result<(), VaultError> {
        let Some(service) = self.kek().remote() else { return Ok(()) };
        if self.code_key.get().is_some() {
            return service.probe().await;
        }
        let key = match stored(path) {
            Some(stored) => open(service, path, &stored).await?,
            None => None,
        };
        let key = match key {
            Some(key) => key,
            None => make(service, path).await?,
        };
        // A concurrent call may have set it already, to the same value.
        let _ = self.code_key.set(key);
        Ok(())
    }
}

/// Reads the file. `None` if it does not exist or is not one that this module wrote.
fn stored(path: &Path) -> Option<Stored> {
    serde_json::from_slice(&bounded_file::read_regular(path, bounded_file::SMALL).ok()?.bytes).ok()
}

/// `None` where it does not open and another is to take its place.
async fn open(service: &RemoteKey, path: &Path, stored: &Stored) -> Result<Option<LockedKey>, VaultError> {
    if stored.key != service.id().await? {
        tracing::info!(path = %path.shown(), "compiled code was sealed under another key; plugins are compiled again");
        return Ok(None);
    }
    let wrapped = STANDARD.decode(&stored.wrapped).unwrap_or_default();
    match service.unwrap(&EncryptionContext::CompiledCode, &wrapped).await {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.fault == KeyServiceFault::DoesNotOpen => {
            tracing::warn!(path = %path.shown(), "the key that seals compiled code does not open; it is replaced, and plugins are compiled again");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn make(service: &RemoteKey, path: &Path) -> Result<LockedKey, VaultError> {
    let key = LockedKey::write(|key| getrandom::fill(key))?;
    let wrapped = service.wrap(&EncryptionContext::CompiledCode, &key).await?;
    let stored = Stored { key: wrapped.kek_id, wrapped: STANDARD.encode(wrapped.bytes) };
    let failed = |source| VaultError::CodeKeyFile { action: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    // A temporary file of this kind has mode 0600 from its first moment.
    let mut file = tempfile::Builder::new().prefix(".code.").tempfile_in(folder).map_err(failed)?;
    let text =
        serde_json::to_vec(&stored).map_err(|error| failed(std::io::Error::new(ErrorKind::InvalidData, error)))?;
    file.write_all(&text).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::KeyEncryptionKey;
    use crate::remote::tests::FakeService;

    fn vault(service: &FakeService) -> Vault {
        Vault::new(RemoteKey::new(service.clone()).into())
    }

    #[tokio::test]
    async fn it_is_made_once_survives_restarts_and_lies_wrapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code-key.json");
        let service = FakeService::default();
        let first = vault(&service);
        assert!(matches!(first.cache_mac(b"code"), Err(VaultError::NoCodeKey)));
        first.open_code_key(&path).await.unwrap();
        let tag = first.cache_mac(b"code").unwrap();
        let second = vault(&service);
        assert!(!second.verify_cache_mac(b"code", &tag));
        second.open_code_key(&path).await.unwrap();
        assert!(second.verify_cache_mac(b"code", &tag));
        let key = first.code_key.get().unwrap();
        let text = fs::read(&path).unwrap();
        assert!(!text.windows(44).any(|part| part == STANDARD.encode(key.as_slice()).as_bytes()));
    }

    #[tokio::test]
    async fn one_that_does_not_open_is_replaced_and_one_that_cannot_be_asked_for_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code-key.json");
        let service = FakeService::default();
        for content in [
            "",
            "nonsense",
            r#"{"key":"other:1","wrapped":"AAAA"}"#,
            r#"{"key":"fake:1","wrapped":"AAAA"}"#,
            r#"{"key":"fake:1","wrapped":"not base64"}"#,
        ] {
            fs::write(&path, content).unwrap();
            let vault = vault(&service);
            vault.open_code_key(&path).await.unwrap();
            assert!(vault.cache_mac(b"code").is_ok(), "{content}");
            assert_ne!(fs::read_to_string(&path).unwrap(), content);
        }
        let kept = fs::read_to_string(&path).unwrap();
        service.fail([KeyServiceFault::Unreachable]);
        let vault = vault(&service);
        let error = vault.open_code_key(&path).await.unwrap_err();
        assert!(error.may_pass() && vault.cache_mac(b"code").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), kept);
    }

    #[tokio::test]
    async fn a_local_key_has_its_own_and_needs_no_file() {
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&[5; 32]).unwrap());
        vault.open_code_key(Path::new("/nowhere/code-key.json")).await.unwrap();
        assert!(vault.cache_mac(b"code").is_ok());
    }
}
