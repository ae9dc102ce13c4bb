//! Whether the key-encryption key at hand opens a backup, before anything is restored.

use crate::cli::config::Folders;
use crate::cli::error::CliError;
use keyferry_store::backup::Header;
use keyferry_vault::{CreateKey, KeyEncryptionKey, KeyId, WrappedRoot};

/// The key-encryption key, which opens the backup; `None` for a backup that needs none.
pub(super) async fn fitting(folders: &Folders, header: &Header) -> Result<Option<KeyEncryptionKey>, CliError> {
    if header.root_keys == 0 {
        return Ok(None);
    }
    let needed: Vec<_> = header.keys.iter().map(|key| key.id.as_str()).collect();
    let needed = needed.join(" or ");
    let missing = |error: &dyn std::error::Error| {
        let why = crate::cli::error::chain(error);
        format!("the backup needs the key-encryption key {needed}, which cannot be used; nothing was restored: {why}")
    };
    let key = folders.key.load(CreateKey::Refused).await.map_err(|error| missing(&error))?;
    let given = key.id().await.map_err(|error| missing(&error))?;
    let Some(fitting) = header.opened_by(&given) else {
        let opened = header.keys.iter().find(|key| key.id == given).map_or(0, |key| key.root_keys);
        return Err(format!(
            "the backup needs the key-encryption key {needed}, and the one at hand is {given}, which opens {opened} of its {} \
             root keys: nothing was restored. --key-file, --key-kms and --key-transit name another one",
            header.root_keys
        )
        .into());
    };
    let sample = &fitting.sample;
    let wrapped = hex::decode(&sample.wrapped).map_err(|error| missing(&error))?;
    let root = WrappedRoot { key_id: KeyId::new(sample.key_id), kek_id: given, wrapped };
    key.check(&sample.org, &root).await.map_err(|error| missing(&error))?;
    Ok(Some(key))
}
