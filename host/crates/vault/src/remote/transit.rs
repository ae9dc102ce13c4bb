//! The transit engine of Vault and OpenBao (<https://developer.hashicorp.com/vault/api-docs/secret/transit>,
//! <https://openbao.org/api-docs/secret/transit/>).
//!
//! A wrapped key is bound to its context three times over: by `associated_data`, which counts for the engine's AEAD ciphers; by `context`,
//! which counts for derived keys; and, because an engine that knows neither ignores it without a word, by a hash of the
//! context inside of what is wrapped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use parking_lot::Mutex;
use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::encryption_context::EncryptionContext;
use super::key::{KeyService, WrappedBy};
use super::token::TokenProblem;
use super::transit_key::TransitSettings;
use super::trust;
use crate::error::VaultError;
use crate::key_service_error::{KeyServiceError, KeyServiceFault};
use crate::locked::LockedKey;
use keyferry_service_client::{Deadlines, exchange};

/// Roots are unwrapped once, so there is nothing to keep a connection for.
const DEADLINES: Deadlines = Deadlines { connect: Duration::from_secs(3), response: Duration::from_secs(4) };
/// Attempts of one call.
const ATTEMPTS: u32 = 3;
/// The longest wait before the second attempt; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait within a call that `Retry-After` can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A key of a transit engine.
pub(crate) struct Transit {
    settings: TransitSettings,
    id: String,
    shown: String,
    tls: Arc<ClientConfig>,
    /// The token that was read last.
    former: Mutex<Option<HeaderValue>>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

#[derive(Deserialize)]
struct Problem {
    errors: Vec<String>,
}

/// The operations of the transit engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Encrypt,
    Decrypt,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
        }
    }
}

impl Transit {
    /// A client; the engine is not called yet.
    ///
    /// # Errors
    /// If the certificates to believe cannot be read.
    pub(crate) fn new(settings: TransitSettings) -> Result<Self, VaultError> {
        Ok(Self {
            id: settings.key.id(settings.namespace.as_deref()),
            shown: settings.key.to_string(),
            tls: trust::tls_config(settings.ca.as_deref().map(Path::new))?,
            settings,
            former: Mutex::default(),
        })
    }

    /// The token to ask with: the last one that was read while its file hangs, or something else is in its place.
    async fn token(&self) -> Result<HeaderValue, String> {
        let read = self.settings.token.read().await;
        let mut former = self.former.lock();
        match (read, former.as_ref()) {
            (Ok(token), _) => {
                *former = Some(token.clone());
                Ok(token)
            }
            (Err(TokenProblem { problem, is_obstructed: true }), Some(token)) => {
                tracing::warn!(problem, "the token file cannot be read; the last token that was read is used");
                Ok(token.clone())
            }
            (Err(TokenProblem { problem, .. }), _) => Err(problem),
        }
    }

    fn error(&self, fault: KeyServiceFault, detail: impl std::fmt::Display) -> KeyServiceError {
        KeyServiceError::new(&self.shown, fault, detail)
    }

    /// Calls the engine, and repeats the call where that may help.
    async fn call(
        &self,
        operation: Operation,
        body: &serde_json::Value,
    ) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        let body = Bytes::from(body.to_string());
        let mut attempt = 1;
        loop {
            let error = match self.attempt(operation, body.clone()).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            // What asks for a long wait is not asked again in this call: its caller learns how long.
            let asked = error.wait.unwrap_or_default();
            if attempt == ATTEMPTS || !error.fault.may_pass() || asked > LONGEST_WAIT {
                return Err(error);
            }
            // Any moment up to the longest: requests that failed together must not be repeated together.
            tokio::time::sleep((FIRST_WAIT * 2_u32.pow(attempt - 1)).mul_f64(fastrand::f64()).max(asked)).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, operation: Operation, body: Bytes) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        let token = self.token().await.map_err(|problem| self.error(KeyServiceFault::Refused, problem))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.settings.key.path(operation.as_str()))
            .header(header::HOST, self.settings.key.service.authority())
            .header(header::CONTENT_TYPE, "application/json")
            // Asked for by agents and proxies of Vault, so that no web page can make a browser ask.
            .header("x-vault-request", "true")
            .header("x-vault-token", token);
        if let Some(namespace) = &self.settings.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        let request = request.body(Full::new(body)).map_err(|error| self.error(KeyServiceFault::Unexpected, error))?;
        let (parts, body) = exchange(&self.settings.key.service, &self.tls, request, DEADLINES)
            .await
            .map_err(|problem| self.error(KeyServiceFault::Unreachable, problem))?;
        let status = parts.status;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let said = serde_json::from_slice::<Problem>(&body).map(|problem| problem.errors.join("; "));
        let said = said.unwrap_or_default();
        let failed = self.error(fault(operation, status, &said), format!("{status} {said}").trim_end());
        Err(failed.asking_to_wait(parts.headers.get(header::RETRY_AFTER).and_then(|text| text.to_str().ok())))
    }

    fn bound(context: &EncryptionContext<'_>) -> String {
        STANDARD.encode(context.to_string())
    }

    fn read<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, KeyServiceError> {
        match serde_json::from_slice::<Envelope<T>>(body) {
            Ok(envelope) => Ok(envelope.data),
            // The parser's message may quote what it read.
            Err(_) => Err(self.error(KeyServiceFault::Unexpected, "an answer of another shape")),
        }
    }
}

/// The fault that a status means (<https://developer.hashicorp.com/vault/api-docs#http-status-codes>). The engine says 400 for all that
/// it will not do, and tells apart only in words.
fn fault(operation: Operation, status: StatusCode, said: &str) -> KeyServiceFault {
    match status.as_u16() {
        403 => KeyServiceFault::Refused,
        404 => KeyServiceFault::KeyMissing,
        400 if said.contains("key not found") => KeyServiceFault::KeyMissing,
        400 if said.contains("disallowed by policy") => KeyServiceFault::KeyDisabled,
        400 if operation == Operation::Decrypt => KeyServiceFault::DoesNotOpen,
        429 => KeyServiceFault::Throttled,
        // 412 is a replica that is behind, 472 and 473 are standbys.
        412 | 472 | 473 | 500..=599 => KeyServiceFault::Unreachable,
        _ => KeyServiceFault::Unexpected,
    }
}

/// A key and a hash of its encryption context.
fn bundle(context: &EncryptionContext<'_>, key: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let mut bundle = Zeroizing::new([0; 64]);
    let (head, tail) = bundle.split_at_mut(32);
    head.copy_from_slice(key.as_slice());
    tail.copy_from_slice(&Sha256::digest(context.to_string()));
    bundle
}

#[async_trait]
impl KeyService for Transit {
    fn shown(&self) -> &str {
        &self.shown
    }

    fn id(&self) -> Option<String> {
        Some(self.id.clone())
    }

    async fn wrap(&self, context: &EncryptionContext<'_>, key: &[u8; 32]) -> Result<WrappedBy, KeyServiceError> {
        let bound = Self::bound(context);
        let body = json!({
            "plaintext": STANDARD.encode(bundle(context, key).as_slice()), "associated_data": bound, "context": bound,
        });
        let answer = self.call(Operation::Encrypt, &body).await?;
        let Encrypted { ciphertext } = self.read(&answer)?;
        if ciphertext.is_empty() {
            return Err(self.error(KeyServiceFault::Unexpected, "an empty ciphertext"));
        }
        Ok(WrappedBy { kek_id: self.id.clone(), bytes: ciphertext.into_bytes() })
    }

    async fn unwrap(&self, context: &EncryptionContext<'_>, wrapped: &[u8]) -> Result<LockedKey, KeyServiceError> {
        let not_ours =
            || self.error(KeyServiceFault::DoesNotOpen, "the stored form does not come from a transit engine");
        let ciphertext = std::str::from_utf8(wrapped).map_err(|_| not_ours())?;
        let bound = Self::bound(context);
        let body = json!({ "ciphertext": ciphertext, "associated_data": bound, "context": bound });
        let answer = self.call(Operation::Decrypt, &body).await?;
        let plaintext = Zeroizing::new(self.read::<Decrypted>(&answer)?.plaintext);
        let opened = Zeroizing::new(STANDARD.decode(plaintext.as_bytes()).unwrap_or_default());
        let Some(key) = opened.first_chunk::<32>() else {
            return Err(self.error(KeyServiceFault::DoesNotOpen, "the result is not a key of 32 bytes"));
        };
        if !bool::from(bundle(context, key).ct_eq(&opened)) {
            return Err(self.error(KeyServiceFault::DoesNotOpen, "the result is bound to another purpose"));
        }
        LockedKey::write(|plain| {
            plain.copy_from_slice(key);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_told_apart_by_who_has_to_act() {
        use KeyServiceFault::*;
        use Operation::{Decrypt, Encrypt};
        for (operation, status, said, expected) in [
            (Encrypt, 403, "permission denied", Refused),
            (Decrypt, 403, "permission denied", Refused),
            (Encrypt, 404, "no handler for route \"x/encrypt/k\". route entry not found.", KeyMissing),
            (Decrypt, 400, "encryption key not found", KeyMissing),
            (Decrypt, 400, "ciphertext or signature version is disallowed by policy (too old)", KeyDisabled),
            (Decrypt, 400, "cipher: message authentication failed", DoesNotOpen),
            (Decrypt, 400, "invalid ciphertext: no prefix", DoesNotOpen),
            (Encrypt, 400, "associated_data not allowed", Unexpected),
            (Encrypt, 429, "request path rate limit quota exceeded", Throttled),
            (Decrypt, 503, "Vault is sealed", Unreachable),
            (Decrypt, 500, "internal error", Unreachable),
            (Decrypt, 502, "", Unreachable),
            (Encrypt, 412, "required index state not present", Unreachable),
            (Encrypt, 473, "", Unreachable),
            (Encrypt, 307, "", Unexpected),
            (Encrypt, 204, "", Unexpected),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(fault(operation, status, said), expected, "{operation:?} {status} {said}");
        }
    }
}
