//! Signatures of webhook deliveries, and the secrets for them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::derive::random;
use super::error::VaultError;
use keyferry_types::secret::Secret;

/// Stands before each signing secret that is made here, so that it is known where it turns up.
const PREFIX: &str = "whsec_";

/// A new signing secret: 256 random bits behind `whsec_`.
///
/// # Errors
/// If the system has no random bytes.
pub fn new_signing_secret() -> Result<Secret, VaultError> {
    let bytes = random::<32>()?;
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Ok(Secret::new([PREFIX, encoded.as_str()].concat()))
}

/// HMAC-SHA256 of `content` in lower-case hex. The key is the secret as it is written, `whsec_` and all.
///
/// # Errors
/// None in practice: a key of any length will do.
pub fn signature(secret: &Secret, content: &[u8]) -> Result<String, VaultError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| VaultError::Cipher)?;
    mac.update(content);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

/// Whether `signature`, in hex, is that of `content`. The comparison takes as long wherever the two differ.
pub fn is_signature(secret: &Secret, content: &[u8], signature: &str) -> bool {
    let (Ok(given), Ok(mut mac)) = (hex::decode(signature), Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()))
    else {
        return false;
    };
    mac.update(content);
    mac.verify_slice(&given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_right_for_its_secret_and_content_only() {
        let of = |text: &str| Secret::new(text);
        let signed = signature(&of("secret"), b"content").unwrap();
        for (secret, content, given, is_right) in [
            ("secret", "content", signed.as_str(), true),
            ("secret", "content", &signed.to_uppercase(), true),
            ("secret.", "content", &signed, false),
            ("secret", "content.", &signed, false),
            ("secret", "content", &signed[2..], false),
            ("secret", "content", "", false),
            ("secret", "content", "not hex", false),
        ] {
            assert_eq!(is_signature(&of(secret), content.as_bytes(), given), is_right, "{secret} {content} {given}");
        }
    }

    #[test]
    fn a_signature_is_what_another_implementation_computes() {
        // RFC 4231, test case 2.
        let cases = [(
            "Jefe",
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        )];
        for (secret, content, expected) in cases {
            assert_eq!(signature(&Secret::new(secret), content.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn each_signing_secret_is_another_and_says_what_it_is() {
        let (one, other) = (new_signing_secret().unwrap(), new_signing_secret().unwrap());
        assert!(one.expose().starts_with(PREFIX) && one.len() == PREFIX.len() + 43);
        assert_ne!(one.expose(), other.expose());
    }
}
