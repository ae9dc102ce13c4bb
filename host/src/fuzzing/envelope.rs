//! Sealed bytes, as a store that was tampered with could give them back.

use std::sync::LazyLock;

use futures_util::FutureExt as _;

use keyferry_types::ids::{Environment, FieldName};
use keyferry_types::secret::Secret;
use keyferry_vault::{Envelope, KeyEncryptionKey, KeyId, SealContext, Vault};

struct Sealed {
    vault: Vault,
    context: SealContext,
    envelope: Envelope,
}

static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let context = SealContext {
        org: "acme".parse().unwrap(),
        environment: Environment::Test,
        account: "user_1".parse().unwrap(),
        slug: "hubspot".parse().unwrap(),
        auth_type: "oauth2".parse().unwrap(),
        version: 1,
    };
    let vault = Vault::new(KeyEncryptionKey::from_bytes(&[7; 32]).unwrap());
    // With a local key there is nothing to wait for.
    let root = vault.create_root(&context.org, KeyId::FIRST).now_or_never().unwrap().unwrap();
    vault.adopt_root(&context.org, root);
    let fields = [("access_token", "a-token"), ("refresh_token", "another-token")];
    let fields = fields.map(|(name, value)| (name.parse::<FieldName>().unwrap(), Secret::new(value)));
    let borrowed: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), value)).collect();
    let envelope = vault.seal(&context, &borrowed).unwrap();
    Sealed { vault, context, envelope }
});

/// Bytes are an envelope in one way or none, and nothing opens but what was sealed.
///
/// The bytes are tried as an envelope, and as changes to a good one: place (two bytes) and new value, again and again.
pub fn envelope(bytes: &[u8]) {
    let Sealed { vault, context, envelope } = &*SEALED;
    if let Ok(read) = Envelope::from_bytes(bytes) {
        assert_eq!(read.as_bytes(), bytes);
        assert!(vault.open(context, &read).is_err(), "bytes that were never sealed were opened");
    }
    let mut changed = envelope.as_bytes().to_vec();
    for change in bytes.chunks_exact(3) {
        let [high, low, value] = *change else { continue };
        let place = usize::from(u16::from_be_bytes([high, low])) % changed.len();
        if let Some(byte) = changed.get_mut(place) {
            *byte = value;
        }
    }
    let Ok(read) = Envelope::from_bytes(changed) else { return };
    assert_eq!(vault.open(context, &read).is_ok(), read == *envelope, "only what was sealed opens");
}
