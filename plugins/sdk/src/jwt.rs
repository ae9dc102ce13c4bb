use crate::Secret;
use crate::bindings::keyferry::plugin::http as wit;

/// A JSON Web Token that Keyferry signs with a private key, usable wherever a [`Value`](crate::Value) is.
///
/// Keyferry adds nothing to the claims, so put `iat` and `exp` in.
///
/// ```no_run
/// # use keyferry_plugin::prelude::*;
/// # fn plugin(private_key: &Secret, client_email: &str) -> Result<Response, Failure> {
/// let now = keyferry_plugin::clock::now_ms() / 1000;
/// let claims = format!(
///     r#"{{"iss":"{client_email}","aud":"https://oauth2.googleapis.com/token","iat":{now},"exp":{}}}"#,
///     now + 600,
/// );
/// Request::post("https://oauth2.googleapis.com/token")
///     .form_field("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
///     .form_field("assertion", Jwt::rs256(private_key, claims))
///     .send()
/// # }
/// ```
pub struct Jwt<'a>(wit::Jwt<'a>);

impl<'a> Jwt<'a> {
    /// Signed by RSASSA-PKCS1-v1_5 with SHA-256. `key` is PEM, PKCS#8 or PKCS#1; `claims` is a JSON object.
    pub fn rs256(key: &'a Secret, claims: impl Into<String>) -> Self {
        Self(wit::Jwt { algorithm: wit::JwtAlgorithm::Rs256, key, header: None, claims: claims.into() })
    }

    /// Signed by ECDSA on P-256 with SHA-256. `key` is PEM, PKCS#8; `claims` is a JSON object.
    pub fn es256(key: &'a Secret, claims: impl Into<String>) -> Self {
        Self(wit::Jwt { algorithm: wit::JwtAlgorithm::Es256, key, header: None, claims: claims.into() })
    }

    /// Adds header members, as a JSON object such as `{"kid":"..."}`. `alg` and `typ` are Keyferry's.
    #[must_use]
    pub fn header(mut self, members: impl Into<String>) -> Self {
        self.0.header = Some(members.into());
        self
    }

    pub(crate) fn into_wit(self) -> wit::Jwt<'a> {
        self.0
    }
}
