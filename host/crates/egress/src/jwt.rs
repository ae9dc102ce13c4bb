//! JSON Web Tokens (RFC 7519), signed as JWS in compact form (RFC 7515) with RS256 or ES256 (RFC 7518).
//!
//! Signed by `ring`, which TLS uses already. The crate `jsonwebtoken` would parse the key into memory that is not wiped, and has
//! no messages that tell what is wrong with a key. Session tokens (`vault/session`) are HMACs that are compared, not parsed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use keyferry_types::pem;
use keyferry_types::secret::Secret;

use super::error::Invalid;
use super::offending_parts::breaks_json;
use super::request::{Jwt, JwtAlgorithm, Part};

/// Builds and signs a token.
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
    serde_json::from_str(text)
        .map_err(|_| Invalid::with_text(format!("the JWT's {what} must be a JSON object"), text, breaks_json))
}

fn signature(jwt: &Jwt, message: &[u8]) -> Result<Vec<u8>, Invalid> {
    let unusable = |problem: String| {
        Invalid::with_parts(format!("the private key {problem}"), &[Part::Secret(Arc::clone(&jwt.key))], |_| true)
    };
    let key = pem::private_key(jwt.key.expose()).map(Wiped).map_err(|problem| unusable(problem.to_string()))?;
    match jwt.algorithm {
        JwtAlgorithm::Rs256 => rs256(&key.0, message),
        JwtAlgorithm::Es256 => es256(&key.0, message),
    }
    .map_err(|problem| unusable(problem.to_owned()))
}

fn rs256(key: &PrivateKeyDer<'_>, message: &[u8]) -> Result<Vec<u8>, &'static str> {
    if matches!(key, PrivateKeyDer::Sec1(_)) || algorithm(key) == Some(Algorithm::Ec) {
        return Err("is an EC key, and this app signs by RS256, which takes an RSA key");
    }
    let (der, kind) = (key.secret_der(), algorithm(key));
    // A label that was added by hand can be that of the other form.
    let key = RsaKeyPair::from_pkcs8(der).or_else(|first| RsaKeyPair::from_der(der).map_err(|_| first));
    let key = key.map_err(|reason| match (reason.to_string().as_str(), kind) {
        ("TooSmall", _) => "is an RSA key that is too small; RS256 takes one of 2048 to 4096 bits",
        ("TooLarge", _) => "is an RSA key that is too large; RS256 takes one of 2048 to 4096 bits",
        (_, Some(Algorithm::Other)) => {
            "is neither an RSA key nor an EC key, and this app signs by RS256, which takes an RSA key"
        }
        _ => "is not a whole RSA key, or has other parameters than RS256 takes; copy it once more from its file",
    })?;
    let mut signature = vec![0; key.public().modulus_len()];
    let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
    signed.map(|()| signature).map_err(|_| "does not sign: its numbers do not belong together")
}

fn es256(key: &PrivateKeyDer<'_>, message: &[u8]) -> Result<Vec<u8>, &'static str> {
    let random = SystemRandom::new();
    match (key, algorithm(key)) {
        (PrivateKeyDer::Pkcs1(_), _) | (_, Some(Algorithm::Rsa)) => {
            return Err("is an RSA key, and this app signs by ES256, which takes an EC key on P-256");
        }
        (PrivateKeyDer::Sec1(_), _) => {
            return Err(
                "is an EC key in SEC1 and must be PKCS#8 (`BEGIN PRIVATE KEY`); `openssl pkcs8 -topk8 -nocrypt` \
                        converts it",
            );
        }
        _ => {}
    }
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_der(), &random)
        .map_err(|_| "is not an EC key on P-256 that is whole; ES256 takes no other curve")?;
    let signature = key.sign(&random, message).map_err(|_| "does not sign: its numbers do not belong together")?;
    Ok(signature.as_ref().to_vec())
}

/// The algorithm that a key in PKCS#8 belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rsa,
    Ec,
    Other,
}

/// The algorithm that a key in PKCS#8 names at its beginning, by the object identifiers of RFC 8017 and RFC 5480.
fn algorithm(key: &PrivateKeyDer<'_>) -> Option<Algorithm> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let PrivateKeyDer::Pkcs8(der) = key else { return None };
    let der = der.secret_pkcs8_der();
    let head = der.get(..der.len().min(32))?;
    let names = |oid: &[u8]| head.windows(oid.len()).any(|window| window == oid);
    Some(match (names(RSA), names(EC)) {
        (true, _) => Algorithm::Rsa,
        (_, true) => Algorithm::Ec,
        // A key of the other form, under this one's name, begins with numbers.
        _ if head.windows(2).any(|window| window == [0x06, 0x03]) => Algorithm::Other,
        _ => return None,
    })
}

/// A private key whose bytes are wiped afterwards.
struct Wiped(PrivateKeyDer<'static>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const RSA_PKCS8: &str = include_str!("testdata/rsa-pkcs8.pem");
    const RSA_PKCS1: &str = include_str!("testdata/rsa-pkcs1.pem");
    /// A key of 1024 bits.
    const RSA_1024: &str = include_str!("testdata/rsa-1024.pem");

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
        let PrivateKeyDer::Pkcs8(der) = &pem::private_key(RSA_PKCS8).unwrap() else { panic!("not PKCS#8") };
        let public = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap().public_key().as_ref().to_vec();
        let one_line = RSA_PKCS8.replace('\n', "\\n");
        let other_name = RSA_PKCS8.replace("PRIVATE KEY", "RSA PRIVATE KEY");
        for key in [RSA_PKCS8, RSA_PKCS1, &one_line, &other_name] {
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
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        let sec1 = ec.replace("PRIVATE KEY", "EC PRIVATE KEY");
        let cut: String = RSA_PKCS8.lines().take(5).collect::<Vec<_>>().join("\n");
        let half = {
            let lines: Vec<&str> = RSA_PKCS8.lines().collect();
            [&lines[..9], &lines[lines.len() - 1..]].concat().join("\n")
        };
        for (algorithm, key, reason) in [
            (JwtAlgorithm::Rs256, "not a key s3cr3t", "is not in PEM"),
            (JwtAlgorithm::Rs256, "", "is not in PEM"),
            (JwtAlgorithm::Rs256, RSA_1024, "is an RSA key that is too small"),
            (JwtAlgorithm::Rs256, &ec, "is an EC key, and this app signs by RS256"),
            (JwtAlgorithm::Rs256, &sec1, "is an EC key, and this app signs by RS256"),
            (JwtAlgorithm::Rs256, &ed25519, "is neither an RSA key nor an EC key"),
            (JwtAlgorithm::Rs256, &cut, "is not whole"),
            (JwtAlgorithm::Rs256, &half, "is not a whole RSA key"),
            (JwtAlgorithm::Es256, &sec1, "must be PKCS#8"),
            (JwtAlgorithm::Es256, RSA_PKCS1, "is an RSA key, and this app signs by ES256"),
            (JwtAlgorithm::Es256, RSA_PKCS8, "is an RSA key, and this app signs by ES256"),
            (JwtAlgorithm::Es256, &p384, "takes no other curve"),
            (JwtAlgorithm::Es256, &ed25519, "takes no other curve"),
        ] {
            let message = sign(&jwt(algorithm, key)).unwrap_err().message;
            assert!(message.starts_with("the private key ") && message.contains(reason), "{message}");
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
