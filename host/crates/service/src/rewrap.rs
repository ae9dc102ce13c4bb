//! Replacing one key-encryption key by another.
//!
//! Each root is stored wrapped by both keys for a while, so that a server can be started with either, at any moment. Then the
//! form of the old key is removed.

use super::error::ServiceError;
use keyferry_store::{RootRecord, RootStore, Wrapping};
use keyferry_types::ids::OrgId;
use keyferry_vault::{KeyEncryptionKey, KeyId, VaultError, WrappedRoot};

/// The form of a root that this key-encryption key has wrapped; if there is none, another form, which the key does not open.
pub(super) fn wrapped_by(root: &RootRecord, kek_id: &str) -> WrappedRoot {
    let forms = root.wrappings();
    let form = forms.iter().find(|form| form.kek_id == kek_id).or(forms.first()).cloned();
    let Wrapping { kek_id, wrapped } =
        form.unwrap_or_else(|| Wrapping { kek_id: root.kek_id.clone(), wrapped: root.wrapped.clone() });
    WrappedRoot { key_id: KeyId::new(root.key_id), kek_id, wrapped }
}

/// Checks that each root in use is wrapped by this key-encryption key: once, at the start, so that a wrong key is not found by
/// the requests of one organisation after another.
///
/// # Errors
/// `WrongKey` names the first root that is not wrapped by it; `KeyService` if only the key service can identify the key, and it fails.
pub async fn check(store: &dyn RootStore, kek: &KeyEncryptionKey) -> Result<(), ServiceError> {
    let given = kek.id().await?;
    for (org, root) in store.all_roots().await? {
        if root.disabled_at.is_some() || root.wrappings().iter().any(|form| form.kek_id == given) {
            continue;
        }
        let (key_id, needed) = (KeyId::new(root.key_id), root.kek_id);
        return Err(VaultError::WrongKey { org, key_id, needed, given }.into());
    }
    Ok(())
}

/// The forms of a root, and one more that is wrapped by the other key.
///
/// # Errors
/// If `from` does not open the root, or `to` does not wrap it.
pub async fn with_form_by(
    from: &KeyEncryptionKey,
    to: &KeyEncryptionKey,
    org: &OrgId,
    key_id: KeyId,
    forms: &[Wrapping],
) -> Result<Vec<Wrapping>, VaultError> {
    let root = form_by(from, org, key_id, forms).await?;
    let WrappedRoot { kek_id, wrapped, .. } = from.rewrap(to, org, &root).await?;
    let one_more = Wrapping { kek_id, wrapped };
    Ok(forms.iter().cloned().chain([one_more]).collect())
}

/// The form of a root that a key has wrapped, alone, after a check that the key opens it.
///
/// # Errors
/// If the organisation has no root, or the root does not open.
pub async fn only_form_by(
    kek: &KeyEncryptionKey,
    org: &OrgId,
    key_id: KeyId,
    forms: &[Wrapping],
) -> Result<Vec<Wrapping>, VaultError> {
    let root = form_by(kek, org, key_id, forms).await?;
    kek.check(org, &root).await?;
    Ok(vec![Wrapping { kek_id: root.kek_id, wrapped: root.wrapped }])
}

async fn form_by(
    kek: &KeyEncryptionKey,
    org: &OrgId,
    key_id: KeyId,
    forms: &[Wrapping],
) -> Result<WrappedRoot, VaultError> {
    let given = kek.id().await?;
    match forms.iter().find(|form| form.kek_id == given).cloned() {
        Some(Wrapping { kek_id, wrapped }) => Ok(WrappedRoot { key_id, kek_id, wrapped }),
        None => {
            let needed = forms.iter().map(|form| form.kek_id.as_str()).collect::<Vec<_>>().join(" or ");
            Err(VaultError::WrongKey { org: org.clone(), key_id, needed, given })
        }
    }
}
