//! [`KeyProblem`]: what a text is instead of a private key in PEM.

use base64::Engine as _;
use base64::engine::general_purpose;

use super::chars::{LINE, is_blank, is_quote};

/// Why a text is not a usable private key. Each message continues "the private key".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum KeyProblem {
    #[error(
        "is not in PEM: a private key begins with `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`; \
         give the whole key, with that line"
    )]
    NotPem,
    #[error("is a JSON file and not a key; give the value of its member `private_key` alone")]
    Json,
    #[error(
        "is base64 without the lines `-----BEGIN PRIVATE KEY-----` and `-----END PRIVATE KEY-----`; give it with them"
    )]
    Bare,
    #[error("is a PEM key that was encoded in base64 once more; decode it first: `base64 -d`")]
    Encoded,
    #[error(
        "is protected by a passphrase; give it without one: `openssl pkcs8 -topk8 -nocrypt -in KEY` asks for the passphrase \
         and writes it"
    )]
    Encrypted,
    #[error(
        "is in the format of OpenSSH; give it in PEM: `ssh-keygen -p -N '' -m PEM -f COPY_OF_KEY` converts a copy of an RSA \
         key in place"
    )]
    OpenSsh,
    #[error(
        "is in the format of PuTTY; export it in PEM: PuTTYgen, Conversions, and then `openssl pkcs8 -topk8 -nocrypt`"
    )]
    Putty,
    #[error("is a public key; give the private key that belongs to it")]
    PublicKey,
    #[error("is a certificate; give the private key that belongs to it")]
    Certificate,
    #[error("is a PGP key; give an RSA or EC key in PEM")]
    Pgp,
    #[error(
        "begins as a PEM key and is not whole: a part of it is missing, or was changed; copy it once more from its file"
    )]
    Damaged,
}

/// The problem of a text without a PEM block.
pub(super) fn without_block(text: &str) -> KeyProblem {
    let text = text.trim_matches(|c: char| is_blank(c) || is_quote(c));
    if text.starts_with("PuTTY-User-Key-File") {
        return KeyProblem::Putty;
    }
    if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") {
        return KeyProblem::PublicKey;
    }
    // `-----BEGIN` in base64.
    if text.starts_with("LS0tLS1CRUdJT") {
        return KeyProblem::Encoded;
    }
    if is_encoded_json(text) {
        return KeyProblem::Json;
    }
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') || is_blank(c);
    // A sequence (ASN.1) of more than 127 bytes, or of fewer.
    let is_der = text.starts_with("MI") || text.starts_with("MH") || text.starts_with("MG") || text.starts_with("ME");
    if is_der && text.len() > LINE && text.chars().all(is_base64) { KeyProblem::Bare } else { KeyProblem::NotPem }
}

/// Whether a text is a JSON object in base64, and no JSON Web Token, which has dots.
fn is_encoded_json(text: &str) -> bool {
    let head = text.get(..16).and_then(|head| general_purpose::STANDARD.decode(head).ok()).unwrap_or_default();
    let head = head.strip_prefix(b"{").map(|rest| rest.trim_ascii_start()).unwrap_or_default();
    head.first() == Some(&b'"') && !text.contains('.')
}
