//! Session tokens: JSON Web Tokens that are derived from the stored session and a root of its organisation.
//!
//! No secret part of a token is stored. The claims and the root give the very same token again: so a token can be
//! issued a second time, and recognised. A token is valid if it equals, to the last byte, what would be written here,
//! so the algorithm in its header is compared and never followed.
//!
//! A token is compared, not parsed by its header, so no library for JSON Web Tokens is used: there is nothing to verify that
//! equality does not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::derive::{Key, expand, mac};
use super::error::VaultError;
use super::key_id::KeyId;
use super::ring::Vault;
use keyferry_types::ids::{Environment, LinkedAccountId, OrgId};
use keyferry_types::secret::Secret;

/// Base64url of `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// The longest token that is looked at, in bytes: an account's id of 256 characters fits, however it is escaped.
const LONGEST: usize = 8192;

/// The requests for which a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenUse {
    /// Requests of a front end.
    #[default]
    Access,
    /// Only the request for a new session in place of this one.
    Refresh,
}

impl TokenUse {
    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    fn is_access(&self) -> bool {
        *self == Self::Access
    }
}

/// Claims of a session token. None of them is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaims {
    /// Organisation of the session. Selects the root.
    #[serde(rename = "org_id")]
    pub org: OrgId,
    /// The linked account that the token acts for.
    #[serde(rename = "linked_account_id")]
    pub account: LinkedAccountId,
    /// The environment of the API key that created the session.
    pub environment: Environment,
    /// The second in which it was issued, since 1970-01-01T00:00:00Z.
    #[serde(rename = "iat")]
    pub issued_at: u64,
    /// The second from which on it no longer counts.
    #[serde(rename = "exp")]
    pub expires_at: u64,
    /// Id of the session.
    #[serde(rename = "jti")]
    pub session: String,
    /// The requests for which it is valid.
    #[serde(rename = "token_use", default, skip_serializing_if = "TokenUse::is_access")]
    pub token_use: TokenUse,
}

impl SessionClaims {
    /// The claims of a token, **unverified**: they select the session whose token it is then compared with.
    pub fn unproven(token: &str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, _) = token.rsplit_once('.')?;
        let claims = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

impl Vault {
    /// The number of the root that seals, and that new sessions hang on.
    ///
    /// # Errors
    /// [`VaultError::NoRoot`] where the organisation has to be unlocked first.
    pub fn newest_root(&self, org: &OrgId) -> Result<KeyId, VaultError> {
        self.newest(org).map(|(key_id, _)| key_id)
    }

    /// The token of these claims, signed by HMAC-SHA256 under a key that comes from the root and serves nothing else.
    ///
    /// # Errors
    /// [`VaultError::NoRoot`] and [`VaultError::UnknownRoot`] where the root is locked or out of use.
    pub fn session_token(&self, key_id: KeyId, claims: &SessionClaims) -> Result<Secret, VaultError> {
        let root = self.root(&claims.org, key_id)?;
        let info = [b"keyferry/v1/session|".as_slice(), claims.token_use.as_str().as_bytes()];
        let key: Key = expand(&root, None, &info)?;
        let claims = serde_json::to_vec(claims).map_err(|_| VaultError::Cipher)?;
        let mut signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims));
        let tag = mac(&key, &[signed.as_bytes()])?;
        signed.push('.');
        URL_SAFE_NO_PAD.encode_string(tag, &mut signed);
        Ok(Secret::new(signed))
    }

    /// Whether a token is the one of these claims; compared in constant time.
    ///
    /// # Errors
    /// As [`session_token`](Self::session_token).
    pub fn is_session_token(&self, key_id: KeyId, claims: &SessionClaims, token: &str) -> Result<bool, VaultError> {
        let expected = self.session_token(key_id, claims)?;
        Ok(expected.expose().as_bytes().ct_eq(token.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ring::tests::{now, with_root};
    use crate::{KeyEncryptionKey, WrappedRoot};

    fn claims() -> SessionClaims {
        SessionClaims {
            org: "acme".parse().unwrap(),
            account: "user_1".parse().unwrap(),
            environment: Environment::Test,
            issued_at: 1_700_000_000,
            expires_at: 1_700_604_800,
            session: "0123456789abcdef01234567".to_owned(),
            token_use: TokenUse::Access,
        }
    }

    fn vault() -> Vault {
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&[7; 32]).unwrap());
        with_root(&vault, &claims().org, KeyId::FIRST);
        vault
    }

    fn is(vault: &Vault, claims: &SessionClaims, token: &str) -> bool {
        vault.is_session_token(KeyId::FIRST, claims, token).unwrap()
    }

    #[test]
    fn a_token_is_written_the_same_again_and_says_what_it_was_made_of() {
        let (vault, claims) = (vault(), claims());
        let token = vault.session_token(KeyId::FIRST, &claims).unwrap();
        assert_eq!(token.expose(), vault.session_token(KeyId::FIRST, &claims).unwrap().expose());
        assert_eq!(SessionClaims::unproven(token.expose()), Some(claims.clone()));
        assert!(is(&vault, &claims, token.expose()));
    }

    /// The token that another implementation (Python's hmac) makes of the stored root of `ring`'s tests.
    #[test]
    fn a_token_is_what_another_implementation_makes_of_the_same_root() {
        let vault = Vault::new(KeyEncryptionKey::from_bytes(&[7; 32]).unwrap());
        let wrapped = "01016465666768696a6b6c6d6e6f619a9fb6fd4308ec50baf236816a4ca8829d6ed8b500b01099433108c8e82183635ca85650\
                       af37de96c21632b4cd02ac";
        let root = WrappedRoot {
            key_id: KeyId::FIRST,
            kek_id: "e45305259305799e".to_owned(),
            wrapped: hex::decode(wrapped).unwrap(),
        };
        now(vault.unlock_root(&claims().org, &root)).unwrap();
        let made = |token_use| {
            let token = vault.session_token(KeyId::FIRST, &SessionClaims { token_use, ..claims() }).unwrap();
            token.expose().to_owned()
        };
        assert_eq!(made(TokenUse::Access), ACCESS);
        assert_eq!(made(TokenUse::Refresh), REFRESH);
    }

    const ACCESS: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcmdfaWQiOiJhY21lIiwibGlua2VkX2FjY291bnRfaWQiOiJ1c2VyXzEiLCJlbnZpcm9ubWVudCI6InRlc3QiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDYwNDgwMCwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3In0.eiXM2piaaChMl7x8HmO2Ne6h_B6aD8CXBZMfZfmRgdY";
    const REFRESH: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcmdfaWQiOiJhY21lIiwibGlua2VkX2FjY291bnRfaWQiOiJ1c2VyXzEiLCJlbnZpcm9ubWVudCI6InRlc3QiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDYwNDgwMCwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3IiwidG9rZW5fdXNlIjoicmVmcmVzaCJ9.oWhpsWHmzMFIjlp--gA7l4PgFQGMjXgzhnQY79fMxpQ";

    #[test]
    fn no_change_of_a_token_and_none_of_its_claims_goes_unseen() {
        let (vault, claims) = (vault(), claims());
        let token = vault.session_token(KeyId::FIRST, &claims).unwrap();
        for place in 0..token.len() {
            for other in "aZ0_-.=".chars() {
                let changed: String =
                    token.expose().chars().enumerate().map(|(i, c)| if i == place { other } else { c }).collect();
                assert_eq!(is(&vault, &claims, &changed), changed == token.expose(), "{changed}");
            }
        }
        let others = [
            SessionClaims { account: "user_2".parse().unwrap(), ..claims.clone() },
            SessionClaims { environment: Environment::Production, ..claims.clone() },
            SessionClaims { expires_at: claims.expires_at + 1, ..claims.clone() },
            SessionClaims { session: "f".repeat(24), ..claims.clone() },
            SessionClaims { token_use: TokenUse::Refresh, ..claims.clone() },
        ];
        for other in others {
            let made = vault.session_token(KeyId::FIRST, &other).unwrap();
            assert!(!is(&vault, &other, token.expose()) && !is(&vault, &claims, made.expose()), "{other:?}");
        }
    }

    #[test]
    fn what_names_another_algorithm_is_no_token_whatever_it_is_signed_with() {
        let (vault, claims) = (vault(), claims());
        let token = vault.session_token(KeyId::FIRST, &claims).unwrap();
        let (_, rest) = token.expose().split_once('.').unwrap();
        let (body, _) = rest.split_once('.').unwrap();
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS512","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"HS256"}"#] {
            let header = URL_SAFE_NO_PAD.encode(header);
            for forged in [format!("{header}.{rest}"), format!("{header}.{body}."), format!("{header}.{body}")] {
                assert_eq!(SessionClaims::unproven(&forged), None, "{forged}");
                assert!(!is(&vault, &claims, &forged), "{forged}");
            }
        }
        for text in ["", ".", "..", "a.b.c", &format!("{HEADER}.e30.x"), &"x".repeat(10_000)] {
            assert_eq!(SessionClaims::unproven(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_is_no_token(text in ".{0,60}", claims in ".{0,60}") {
            let _ = SessionClaims::unproven(&text);
            let _ = SessionClaims::unproven(&format!("{HEADER}.{}.{text}", URL_SAFE_NO_PAD.encode(&claims)));
        }
    }

    #[test]
    fn a_token_hangs_on_its_root() {
        let (vault, claims) = (vault(), claims());
        let token = vault.session_token(KeyId::FIRST, &claims).unwrap();
        with_root(&vault, &claims.org, KeyId::new(2));
        assert_eq!(vault.newest_root(&claims.org).unwrap(), KeyId::new(2));
        assert!(is(&vault, &claims, token.expose()), "a newer root changes nothing");
        assert!(!vault.is_session_token(KeyId::new(2), &claims, token.expose()).unwrap());
        vault.lock_root(&claims.org, KeyId::FIRST);
        assert!(matches!(vault.session_token(KeyId::FIRST, &claims), Err(VaultError::UnknownRoot { .. })));
    }
}
