//! Sealing one version of a record, and opening it.

use std::borrow::Borrow;

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::context::{AssociatedData, bind};
use super::derive::{expand, random};
use super::envelope::{BLOCK, Envelope, MAX_BYTES, MAX_FIELDS, SUITE, Writer, length_of};
use super::error::{SizeLimit, VaultError};
use super::key_id::KeyId;
use super::ring::Vault;
use keyferry_types::ids::FieldName;
use keyferry_types::secret::Secret;

/// Data key and commitment of one envelope.
struct Derived(Zeroizing<[u8; 2 * BLOCK]>);

impl Derived {
    fn new(root: &[u8; BLOCK], key_id: KeyId, salt: &[u8]) -> Result<Self, VaultError> {
        let info: [&[u8]; 3] = [b"keyferry/v1|", &[SUITE.id()], &key_id.get().to_be_bytes()];
        expand(root, Some(salt), &info).map(Self)
    }

    fn cipher(&self) -> Result<Aes256Gcm, VaultError> {
        Aes256Gcm::new_from_slice(self.0.split_at(BLOCK).0).map_err(|_| VaultError::Cipher)
    }

    fn commitment(&self) -> &[u8] {
        self.0.split_at(BLOCK).1
    }
}

/// Checks that a credential is not too large to be sealed, before anything else is done with it.
///
/// # Errors
/// [`VaultError::TooLarge`] for more than 64 fields or 48 KiB in all.
pub fn check_size(fields: &[(impl Borrow<FieldName>, &Secret)]) -> Result<(), VaultError> {
    check_size_within(fields, MAX_BYTES).map(|_| ())
}

/// The length of an envelope of these fields, if it is not too large.
fn check_size_within(fields: &[(impl Borrow<FieldName>, &Secret)], most_bytes: usize) -> Result<usize, VaultError> {
    if fields.len() > MAX_FIELDS {
        return Err(VaultError::TooLarge(SizeLimit::Fields));
    }
    let length = length_of(fields.iter().map(|(name, value)| (name.borrow(), value.len())));
    if length > most_bytes {
        return Err(VaultError::TooLarge(SizeLimit::Bytes(most_bytes)));
    }
    Ok(length)
}

/// The field's index as a nonce. A data key seals one envelope only, so the index is unique under it.
fn nonce(index: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let Some(end) = nonce.last_chunk_mut::<4>() {
        *end = index.to_be_bytes();
    }
    nonce
}

impl Vault {
    /// Seals the fields of one version under the organisation's newest root. Each call draws a new salt.
    ///
    /// # Errors
    /// [`VaultError::NoRoot`], [`VaultError::NoFields`], [`VaultError::DuplicateField`], and [`VaultError::TooLarge`] for more than 64
    /// fields, or more than 48 KiB in all (60 KiB where a row of an import is sealed).
    pub fn seal(
        &self,
        context: &impl AssociatedData,
        fields: &[(impl Borrow<FieldName>, &Secret)],
    ) -> Result<Envelope, VaultError> {
        if fields.is_empty() {
            return Err(VaultError::NoFields);
        }
        let length = check_size_within(fields, context.most_bytes())?;
        let mut names = fields.iter().map(|(name, _)| name.borrow());
        while let Some(name) = names.next() {
            if names.clone().any(|other| other == name) {
                return Err(VaultError::DuplicateField { field: name.clone() });
            }
        }
        let (key_id, root) = self.newest(context.org())?;
        let salt = random::<BLOCK>()?;
        let derived = Derived::new(&root, key_id, salt.as_slice())?;
        let cipher = derived.cipher()?;
        let mut binding = bind(context, SUITE, key_id, fields.len() as u32);
        let unfit = || VaultError::TooLarge(SizeLimit::Bytes(context.most_bytes()));
        let mut envelope =
            Writer::begin(length, key_id, salt.as_slice(), derived.commitment(), fields.len()).ok_or_else(unfit)?;
        for (index, (name, value)) in (0_u32..).zip(fields) {
            let name = name.borrow();
            let data = binding.field(index, name);
            let seal = |value: &mut [u8]| {
                cipher.encrypt_inout_detached(&Nonce::from(nonce(index)), data, value.into()).ok().map(Into::into)
            };
            envelope.field(name, value.expose().as_bytes(), seal).ok_or(VaultError::Cipher)?;
        }
        Ok(envelope.end())
    }

    /// Opens an envelope that was sealed in this very context, the fields in the order in which they were sealed.
    ///
    /// The commitment is compared before any value is touched. All fields open, or none is returned.
    ///
    /// # Errors
    /// [`VaultError::NoRoot`] and [`VaultError::UnknownRoot`] where a root has to be unlocked first;
    /// [`VaultError::NotCommitted`] and [`VaultError::NotAuthentic`] where bytes or context are not what was sealed.
    pub fn open(
        &self,
        context: &impl AssociatedData,
        envelope: &Envelope,
    ) -> Result<Vec<(FieldName, Secret)>, VaultError> {
        let parts = envelope.parts()?;
        let key_id = parts.key_id;
        let root = self.root(context.org(), key_id)?;
        let derived = Derived::new(&root, key_id, parts.salt)?;
        if !bool::from(derived.commitment().ct_eq(parts.commitment)) {
            return Err(VaultError::NotCommitted { org: context.org().clone(), key_id });
        }
        let cipher = derived.cipher()?;
        let mut binding = bind(context, SUITE, key_id, parts.fields.len() as u32);

        let mut opened = Vec::with_capacity(parts.fields.len());
        for (index, (name, sealed)) in (0_u32..).zip(parts.fields) {
            let mut buffer = Zeroizing::new(sealed.to_vec());
            cipher
                .decrypt_in_place(&Nonce::from(nonce(index)), binding.field(index, &name), &mut *buffer)
                .map_err(|_| VaultError::NotAuthentic { field: name.clone() })?;
            let text = String::from_utf8(std::mem::take(&mut *buffer)).map_err(|error| {
                error.into_bytes().zeroize();
                VaultError::NotAuthentic { field: name.clone() }
            })?;
            opened.push((name, Secret::new(text)));
        }
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::envelope::Parsed;
    use crate::ring::tests::with_root;
    use crate::{KeyEncryptionKey, SealContext};
    use keyferry_types::ids::Environment;

    fn context() -> SealContext {
        SealContext {
            org: "acme".parse().unwrap(),
            environment: Environment::Test,
            account: "user_1".parse().unwrap(),
            slug: "hubspot".parse().unwrap(),
            auth_type: "oauth2".parse().unwrap(),
            version: 1,
        }
    }

    fn vault() -> Vault {
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&[5; 32]).unwrap());
        for org in ["acme", "umbrella"] {
            with_root(&vault, &org.parse().unwrap(), KeyId::FIRST);
        }
        vault
    }

    fn seal(vault: &Vault, context: &SealContext, fields: &[(&str, &str)]) -> Result<Envelope, VaultError> {
        let owned: Vec<(FieldName, Secret)> =
            fields.iter().map(|(name, value)| (name.parse().unwrap(), Secret::new(*value))).collect();
        let fields: Vec<(FieldName, &Secret)> = owned.iter().map(|(name, value)| (name.clone(), value)).collect();
        vault.seal(context, &fields)
    }

    const FIELDS: [(&str, &str); 3] = [("access_token", "at-1"), ("refresh_token", "rt-22"), ("empty", "")];

    #[test]
    fn what_is_sealed_opens_to_the_same_fields_and_shows_none_of_them() {
        let vault = vault();
        let envelope = seal(&vault, &context(), &FIELDS).unwrap();
        let opened = vault.open(&context(), &envelope).unwrap();
        let opened: Vec<(&str, &str)> = opened.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(opened, FIELDS);
        for secret in ["at-1", "rt-22"] {
            assert!(!envelope.as_bytes().windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
        let again = seal(&vault, &context(), &FIELDS).unwrap();
        assert_ne!(envelope.as_bytes()[9..41], again.as_bytes()[9..41], "two envelopes have the same salt");
    }

    #[test]
    fn an_envelope_with_any_bit_changed_does_not_open() {
        let vault = vault();
        let envelope = seal(&vault, &context(), &FIELDS).unwrap();
        for bit in 0..envelope.as_bytes().len() * 8 {
            let mut bytes = envelope.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = Envelope::from_bytes(bytes) {
                assert!(vault.open(&context(), &changed).is_err(), "bit {bit} does not matter");
            }
        }
    }

    #[test]
    fn an_envelope_does_not_open_elsewhere() {
        let vault = vault();
        let envelope = seal(&vault, &context(), &FIELDS).unwrap();
        let elsewhere = [
            SealContext { org: "umbrella".parse().unwrap(), ..context() },
            SealContext { environment: Environment::Production, ..context() },
            SealContext { account: "user_2".parse().unwrap(), ..context() },
            SealContext { slug: "slack".parse().unwrap(), ..context() },
            SealContext { auth_type: "keybased".parse().unwrap(), ..context() },
            SealContext { version: 2, ..context() },
        ];
        for other in elsewhere {
            let error = vault.open(&other, &envelope).unwrap_err();
            assert!(matches!(error, VaultError::NotCommitted { .. } | VaultError::NotAuthentic { .. }), "{error}");
        }
    }

    #[test]
    fn fields_cannot_be_swapped_renamed_dropped_or_taken_from_another_envelope() {
        let vault = vault();
        let envelope = seal(&vault, &context(), &FIELDS).unwrap();
        let other = seal(&vault, &context(), &FIELDS).unwrap();
        let (parts, others) = (envelope.parts().unwrap(), other.parts().unwrap());
        let (first, second, third) = (parts.fields[0].clone(), parts.fields[1].clone(), parts.fields[2].clone());
        let cases = [
            vec![second.clone(), first.clone(), third.clone()],
            vec![(first.0.clone(), second.1), (second.0.clone(), first.1), third.clone()],
            vec![("renamed".parse().unwrap(), first.1), second.clone(), third.clone()],
            vec![first.clone(), second.clone()],
            vec![],
            vec![first.clone(), second.clone(), third.clone(), ("fourth".parse().unwrap(), third.1)],
            vec![others.fields[0].clone(), second, third],
        ];
        for (number, fields) in cases.into_iter().enumerate() {
            let forged = Parsed { fields, ..parts.clone() }.write().unwrap();
            let error = vault.open(&context(), &forged).unwrap_err();
            assert!(
                matches!(error, VaultError::NotAuthentic { .. } | VaultError::Envelope(_)),
                "case {number}: {error}"
            );
        }
        let salted = Parsed { salt: others.salt, ..parts }.write().unwrap();
        assert!(matches!(vault.open(&context(), &salted), Err(VaultError::NotCommitted { .. })));
    }

    #[test]
    fn the_newest_root_seals_and_older_ones_go_on_opening() {
        let vault = vault();
        let org = context().org;
        let old = seal(&vault, &context(), &FIELDS).unwrap();
        with_root(&vault, &org, KeyId::new(2));
        let new = seal(&vault, &context(), &FIELDS).unwrap();
        assert_eq!((old.key_id(), new.key_id()), (KeyId::FIRST, KeyId::new(2)));
        assert!(vault.open(&context(), &old).is_ok() && vault.open(&context(), &new).is_ok());
        let mut bytes = new.into_bytes();
        bytes[8] = 1;
        let relabelled = Envelope::from_bytes(bytes).unwrap();
        assert!(matches!(vault.open(&context(), &relabelled), Err(VaultError::NotCommitted { .. })));
    }

    #[test]
    fn refuses_duplicates_and_what_is_too_large() {
        let vault = vault();
        assert!(matches!(
            seal(&vault, &context(), &[("a", "1"), ("a", "2")]),
            Err(VaultError::DuplicateField { field }) if field.as_str() == "a"
        ));
        assert!(matches!(seal(&vault, &context(), &[]), Err(VaultError::NoFields)));
        let long = "x".repeat(MAX_BYTES);
        assert!(matches!(seal(&vault, &context(), &[("a", &long)]), Err(VaultError::TooLarge { .. })));
        let names: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("f{n}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(matches!(seal(&vault, &context(), &many), Err(VaultError::TooLarge { .. })));
        assert!(seal(&vault, &context(), &many[1..]).is_ok());
    }

    #[test]
    fn nothing_is_sealed_without_a_root() {
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&[5; 32]).unwrap());
        assert!(matches!(seal(&vault, &context(), &FIELDS), Err(VaultError::NoRoot { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_survives(fields in prop::collection::btree_map("[A-Za-z0-9_]{1,20}", ".{0,200}", 1..8)) {
            let vault = vault();
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let envelope = Envelope::from_bytes(seal(&vault, &context(), &fields).unwrap().into_bytes()).unwrap();
            let opened = vault.open(&context(), &envelope).unwrap();
            let opened: Vec<(&str, &str)> = opened.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
            prop_assert_eq!(opened, fields);
        }
    }
}
