//! JSON Web Tokens (RFC 7519), signed as JWS in compact form (RFC 7515) with RS256 or ES256 (RFC 7518).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::Secret;

use super::error::Invalid;
use super::request::{Jwt, JwtAlgorithm};

/// Signs a token.
pub(super) fn sign(jwt: &Jwt) -> Result<Secret, Invalid> {
    let header = header(jwt)?;
    object(&jwt.claims, "claims")?;
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(jwt.claims.trim()));
    let signature = signature(jwt, signed.as_bytes())?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn header(jwt: &Jwt) -> Result<String, Invalid> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), Value::from(jwt.algorithm.as_str()));
    header.insert("typ".to_owned(), Value::from("JWT"));
    for (name, value) in object(jwt.header.as_deref().unwrap_or("{}"), "header")? {
        if name == "alg" || name == "typ" {
            return Err(Invalid::new(format!("the JWT's header member `{name}` is not for the plugin to set")));
        }
        header.insert(name, value);
    }
    Ok(Value::Object(header).to_string())
}

fn object(text: &str, what: &str) -> Result<Map<String, Value>, Invalid> {
    serde_json::from_str(text).map_err(|_| Invalid::new(format!("the JWT's {what} must be a JSON object")))
}

fn signature(jwt: &Jwt, message: &[u8]) -> Result<Vec<u8>, Invalid> {
    let key = PrivateKey::parse(jwt.key.expose())?;
    let random = SystemRandom::new();
    match (jwt.algorithm, &key.0) {
        (JwtAlgorithm::Rs256, PrivateKeyDer::Pkcs1(der)) => {
            sign_rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()), message, &random)
        }
        (JwtAlgorithm::Rs256, PrivateKeyDer::Pkcs8(der)) => {
            sign_rsa(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()), message, &random)
        }
        (JwtAlgorithm::Es256, PrivateKeyDer::Pkcs8(der)) => {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &random)
                .map_err(|reason| Invalid::new(format!("the private key is not one for ES256 (P-256): {reason}")))?;
            let signature = key.sign(&random, message);
            Ok(signature.map_err(|_| Invalid::new("the private key cannot sign"))?.as_ref().to_vec())
        }
        (JwtAlgorithm::Es256, _) => Err(Invalid::new(
            "the private key for ES256 must be PKCS#8 (`BEGIN PRIVATE KEY`); `openssl pkcs8 -topk8 -nocrypt` converts others",
        )),
        (JwtAlgorithm::Rs256, _) => Err(Invalid::new(
            "the private key for RS256 must be an RSA key in PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`)",
        )),
    }
}

fn sign_rsa(
    key: Result<RsaKeyPair, ring::error::KeyRejected>,
    message: &[u8],
    random: &SystemRandom,
) -> Result<Vec<u8>, Invalid> {
    let key = key.map_err(|reason| {
        Invalid::new(format!("the private key is not one for RS256 (RSA of 2048 to 4096 bits): {reason}"))
    })?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, random, message, &mut signature)
        .map_err(|_| Invalid::new("the private key cannot sign"))?;
    Ok(signature)
}

/// A private key whose bytes are wiped afterwards.
struct PrivateKey(PrivateKeyDer<'static>);

impl PrivateKey {
    fn parse(pem: &str) -> Result<Self, Invalid> {
        // A key copied out of a JSON file often has the two characters `\n` where its lines end.
        let unescaped;
        let pem = if pem.contains("\\n") && !pem.trim().contains('\n') {
            unescaped = Zeroizing::new(pem.replace("\\r", "").replace("\\n", "\n"));
            unescaped.as_str()
        } else {
            pem
        };
        if pem.contains("ENCRYPTED") {
            return Err(Invalid::new("the private key is protected by a passphrase; give it without one"));
        }
        PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map(Self)
            .map_err(|_| Invalid::new("the private key is not in PEM (`-----BEGIN PRIVATE KEY-----` and so on)"))
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const RSA_PKCS8: &str = include_str!("testdata/rsa-pkcs8.pem");
    const RSA_PKCS1: &str = include_str!("testdata/rsa-pkcs1.pem");

    fn jwt(algorithm: JwtAlgorithm, key: &str) -> Jwt {
        Jwt {
            algorithm,
            key: Arc::new(Secret::new(key)),
            header: Some(r#"{"kid":"k1"}"#.to_owned()),
            claims: r#" {"iss":"me","exp":1700000000} "#.to_owned(),
        }
    }

    /// Takes a token apart: what is signed, header, claims, signature.
    fn parts(token: &Secret) -> (String, Value, String, Vec<u8>) {
        let (signed, signature) = token.expose().rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let header = serde_json::from_slice(&decode(header)).unwrap();
        (signed.to_owned(), header, String::from_utf8(decode(claims)).unwrap(), decode(signature))
    }

    #[test]
    fn rs256_signatures_verify_with_keys_of_both_forms() {
        let PrivateKeyDer::Pkcs8(der) = &PrivateKey::parse(RSA_PKCS8).unwrap().0 else { panic!("not PKCS#8") };
        let public = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap().public_key().as_ref().to_vec();
        let one_line = RSA_PKCS8.replace('\n', "\\n");
        for key in [RSA_PKCS8, RSA_PKCS1, &one_line] {
            let (signed, header, claims, signature) = parts(&sign(&jwt(JwtAlgorithm::Rs256, key)).unwrap());
            assert_eq!(header, serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
            assert_eq!(claims, r#"{"iss":"me","exp":1700000000}"#);
            let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public);
            assert!(public.verify(signed.as_bytes(), &signature).is_ok());
            assert!(public.verify(b"something else", &signature).is_err());
        }
    }

    #[test]
    fn es256_signatures_verify() {
        let key = rcgen::KeyPair::generate().unwrap();
        let (signed, header, _, signature) = parts(&sign(&jwt(JwtAlgorithm::Es256, &key.serialize_pem())).unwrap());
        assert_eq!(header["alg"], "ES256");
        assert_eq!(signature.len(), 64);
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key_raw());
        assert!(public.verify(signed.as_bytes(), &signature).is_ok());
    }

    #[test]
    fn an_unusable_key_is_explained_and_not_shown() {
        let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let sec1 = ec.replace("PRIVATE KEY", "EC PRIVATE KEY");
        let encrypted = RSA_PKCS8.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let cut: String =
            RSA_PKCS8.lines().filter(|line| !line.ends_with("==") && line.len() != 64).collect::<Vec<_>>().join("\n");
        for (algorithm, key, reason) in [
            (JwtAlgorithm::Rs256, "not a key s3cr3t", "not in PEM"),
            (JwtAlgorithm::Rs256, "", "not in PEM"),
            (JwtAlgorithm::Rs256, &encrypted, "passphrase"),
            (JwtAlgorithm::Rs256, &ec, "not one for RS256"),
            (JwtAlgorithm::Rs256, &sec1, "must be an RSA key"),
            (JwtAlgorithm::Rs256, &cut, "RS256"),
            (JwtAlgorithm::Es256, &sec1, "must be PKCS#8"),
            (JwtAlgorithm::Es256, RSA_PKCS1, "must be PKCS#8"),
            (JwtAlgorithm::Es256, RSA_PKCS8, "not one for ES256"),
        ] {
            let message = sign(&jwt(algorithm, key)).unwrap_err().0;
            assert!(message.contains(reason), "{message}");
            assert!(
                !key.lines().any(|line| line.len() > 8 && !line.starts_with('-') && message.contains(line)),
                "{message}"
            );
        }
    }

    #[test]
    fn claims_and_header_must_be_objects_and_the_algorithm_is_ours() {
        let good = || jwt(JwtAlgorithm::Rs256, RSA_PKCS8);
        for bad in [
            Jwt { claims: "[]".to_owned(), ..good() },
            Jwt { claims: String::new(), ..good() },
            Jwt { header: Some("1".to_owned()), ..good() },
            Jwt { header: Some(r#"{"alg":"none"}"#.to_owned()), ..good() },
            Jwt { header: Some(r#"{"typ":"x"}"#.to_owned()), ..good() },
        ] {
            assert!(sign(&bad).is_err(), "{bad:?}");
        }
    }
}
