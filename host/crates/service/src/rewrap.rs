//! One key-encryption key in another's place.
//!
//! Each root is stored under both for a while, so that a server can be started with either, and nothing depends on the
//! moment at which it is. Only then is the old form forgotten.

use super::error::ServiceError;
use keyferry_store::{RootRecord, RootStore, Wrapping};
use keyferry_types::ids::OrgId;
use keyferry_vault::{KeyEncryptionKey, KeyId, VaultError, WrappedRoot};

/// The form of a root that this key-encryption key has wrapped; else another form, which the key does not open.
pub(super) fn wrapped_by(root: &RootRecord, kek_id: &str) -> WrappedRoot {
    let forms = root.wrappings();
    let form = forms.iter().find(|form| form.kek_id == kek_id).or(forms.first()).cloned();
    let Wrapping { kek_id, wrapped } =
        form.unwrap_or_else(|| Wrapping { kek_id: root.kek_id.clone(), wrapped: root.wrapped.clone() });
    WrappedRoot { key_id: KeyId::new(root.key_id), kek_id, wrapped }
}

/// Whether a key-encryption key is one of those that each root in use is stored under. Found out once, at the start, rather
/// than by one organisation's requests after the other's.
///
/// # Errors
/// `WrongKey` names the first root that is not; `KeyService` if only the key service can identify the key, and it fails.
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

/// The forms of a root with one more, by the other key.
///
/// # Errors
/// Where this key does not open the root, or the other one does not wrap it.
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

/// The one form of a root that a key has wrapped, once that key has opened it.
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
