//! AWS KMS (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>), by AWS' own client: region and
//! credentials come from where AWS' other tools find them, and the client repeats failed requests.
//!
//! A wrapped key is bound to its encryption context, which shows in CloudTrail and which key policies can require.

use std::error::Error;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use url::Url;
use zeroize::Zeroizing;

use super::encryption_context::EncryptionContext;
use super::key::{KeyService, WrappedBy};
use super::kms_key::KmsKey;
use super::{aws_files, transit_key, trust};
use crate::error::VaultError;
use crate::key_service_error::{KeyServiceError, KeyServiceFault};
use crate::locked::LockedKey;

/// Attempts of one call.
const ATTEMPTS: u32 = 3;
/// The longest wait before the second attempt; it is random, and doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// To a connection, with TLS.
const CONNECT: Duration = Duration::from_secs(2);
/// Time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(4);
/// A call with all attempts.
const CALL: Duration = Duration::from_secs(9);

/// A key of AWS KMS.
pub(crate) struct Kms {
    client: Client,
    key: KmsKey,
    /// The key's ARN, once it is known.
    arn: OnceLock<String>,
}

impl Kms {
    /// A client; KMS is not asked yet. Where no region is set, the machine's own is looked for.
    ///
    /// # Errors
    /// If there is no region, or the certificates to believe cannot be read.
    pub(crate) async fn new(key: KmsKey, ca: Option<&Path>) -> Result<Self, VaultError> {
        Self::check(&key, ca)?;
        // The client takes it for granted that there are some.
        let native = !rustls_native_certs::load_native_certs().certs.is_empty();
        let mut trust = TrustStore::empty().with_native_roots(native);
        match ca {
            Some(path) => trust = trust.with_pem_certificate(trust::read(path)?.0),
            None if !native => {
                tracing::warn!(
                    "this machine has no certificates to believe a key service by: install them, or give key-ca"
                );
            }
            None => {}
        }
        let setup = |problem: String| not_usable(&key, problem);
        let tls = TlsContext::builder().with_trust_store(trust).build().map_err(|error| setup(error.to_string()))?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls)
            .build_https();
        let mut config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_WAIT))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_attempt_timeout(ATTEMPT)
                    .operation_timeout(CALL)
                    .build(),
            );
        if let Some(region) = key.region() {
            // An ARN works in its own region only.
            config = config.region(Region::new(region.to_owned()));
        }
        let config = config.load().await;
        if config.region().is_none() {
            return Err(setup("no AWS region is set: set AWS_REGION, or give the key by its ARN".to_owned()));
        }
        let config = aws_sdk_kms::config::Builder::from(&config).interceptor(OnlyHttps).build();
        let arn = key.arn().map(|arn| OnceLock::from(arn.to_owned())).unwrap_or_default();
        Ok(Self { client: Client::from_conf(config), key, arn })
    }

    /// Looks at the files that a client reads.
    ///
    /// # Errors
    /// If one hangs or is no file, or the certificates to believe cannot be read.
    pub(crate) fn check(key: &KmsKey, ca: Option<&Path>) -> Result<(), VaultError> {
        ca.map(trust::read).transpose()?;
        aws_files::fault().map_or(Ok(()), |problem| Err(not_usable(key, problem)))
    }

    fn error(&self, fault: KeyServiceFault, detail: impl std::fmt::Display) -> KeyServiceError {
        KeyServiceError::new(self.key.as_str(), fault, detail)
    }

    fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> KeyServiceError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(answer) = error {
            let (meta, status) = (answer.err().meta(), answer.raw().status().as_u16());
            let (code, said) = (meta.code().unwrap_or_default(), meta.message().unwrap_or_default());
            let failed = self.error(service_fault(code, status), format!("{status} {code} {said}").trim_end());
            return failed.asking_to_wait(answer.raw().headers().get("retry-after"));
        }
        self.error(transport_fault(error), chain(error))
    }

    /// Remembers the key that the service used.
    fn learn(&self, arn: Option<String>) -> String {
        let known = self.arn.get_or_init(|| arn.clone().unwrap_or_else(|| self.key.to_string()));
        arn.unwrap_or_else(|| known.clone())
    }
}

fn not_usable(key: &KmsKey, problem: String) -> VaultError {
    VaultError::KeyServiceSetup { key: key.to_string(), problem }
}

/// The fault that an error code means. Those of KMS itself stand with each operation, the others at
/// <https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html>.
fn service_fault(code: &str, status: u16) -> KeyServiceFault {
    match code {
        "InvalidCiphertextException" | "IncorrectKeyException" => KeyServiceFault::DoesNotOpen,
        "NotFoundException" | "InvalidArnException" | "InvalidKeyUsageException" => KeyServiceFault::KeyMissing,
        "DisabledException" | "KMSInvalidStateException" => KeyServiceFault::KeyDisabled,
        "AccessDeniedException"
        | "AccessDenied"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "OptInRequired"
        | "NotAuthorized" => KeyServiceFault::Refused,
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "RequestThrottled" => KeyServiceFault::Throttled,
        "KMSInternalException" | "DependencyTimeoutException" | "KeyUnavailableException" => {
            KeyServiceFault::Unreachable
        }
        _ if status == 429 => KeyServiceFault::Throttled,
        _ if status == 403 || status == 401 => KeyServiceFault::Refused,
        _ if status >= 500 => KeyServiceFault::Unreachable,
        _ => KeyServiceFault::Unexpected,
    }
}

/// Maps a call without a response to a fault.
fn transport_fault<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> KeyServiceFault {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<NotHttps>() {
            return KeyServiceFault::Unexpected;
        }
        match error.downcast_ref::<CredentialsError>() {
            // The place that gives them could not be asked.
            Some(CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_)) => {
                return KeyServiceFault::Unreachable;
            }
            Some(_) => return KeyServiceFault::Refused,
            None => cause = error.source(),
        }
    }
    match error {
        SdkError::ResponseError(_) | SdkError::ConstructionFailure(_) => KeyServiceFault::Unexpected,
        _ => KeyServiceFault::Unreachable,
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

/// Sends nothing that is not encrypted, wherever `AWS_ENDPOINT_URL_KMS` or a profile points to.
#[derive(Debug)]
struct OnlyHttps;

#[derive(Debug, thiserror::Error)]
#[error("a key service is spoken to over https; http is for this very machine (localhost, 127.0.0.1) only")]
struct NotHttps;

impl Intercept for OnlyHttps {
    fn name(&self) -> &'static str {
        "OnlyHttps"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if is_private(context.request().uri()) { Ok(()) } else { Err(Box::new(NotHttps)) }
    }
}

/// Whether the connection to the address cannot be read on the way: TLS, or loopback.
fn is_private(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    match url.scheme() {
        "https" => true,
        "http" => url.host().is_some_and(|host| transit_key::is_loopback(&host)),
        _ => false,
    }
}

#[async_trait]
impl KeyService for Kms {
    fn shown(&self) -> &str {
        self.key.as_str()
    }

    fn id(&self) -> Option<String> {
        self.arn.get().cloned()
    }

    async fn wrap(&self, context: &EncryptionContext<'_>, key: &[u8; 32]) -> Result<WrappedBy, KeyServiceError> {
        let mut call = self.client.encrypt().key_id(self.key.as_str()).plaintext(Blob::new(key.as_slice()));
        for (name, value) in context.pairs() {
            call = call.encryption_context(name, value);
        }
        let answer = call.send().await.map_err(|error| self.failed(&error))?;
        let bytes = answer.ciphertext_blob.map(Blob::into_inner).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or_else(|| self.error(KeyServiceFault::Unexpected, "an answer without a ciphertext"))?;
        Ok(WrappedBy { kek_id: self.learn(answer.key_id), bytes })
    }

    async fn unwrap(&self, context: &EncryptionContext<'_>, wrapped: &[u8]) -> Result<LockedKey, KeyServiceError> {
        // With the key's name, so that a ciphertext under another key that these credentials open does not pass for ours.
        let mut call = self.client.decrypt().key_id(self.key.as_str()).ciphertext_blob(Blob::new(wrapped));
        for (name, value) in context.pairs() {
            call = call.encryption_context(name, value);
        }
        let answer = call.send().await.map_err(|error| self.failed(&error))?;
        if answer.key_id.as_ref().is_some_and(|by| self.arn.get().is_some_and(|ours| ours != by)) {
            return Err(self.error(KeyServiceFault::DoesNotOpen, "it was wrapped by another key"));
        }
        self.learn(answer.key_id);
        let plain = Zeroizing::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default());
        LockedKey::write(|key| {
            if plain.len() != key.len() {
                return Err(self.error(KeyServiceFault::DoesNotOpen, "the result is not a key of 32 bytes"));
            }
            key.copy_from_slice(&plain);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_told_apart_by_who_has_to_act() {
        use KeyServiceFault::*;
        for (code, status, expected) in [
            ("DisabledException", 400, KeyDisabled),
            ("KMSInvalidStateException", 400, KeyDisabled),
            ("NotFoundException", 400, KeyMissing),
            ("InvalidArnException", 400, KeyMissing),
            ("InvalidKeyUsageException", 400, KeyMissing),
            ("InvalidCiphertextException", 400, DoesNotOpen),
            ("IncorrectKeyException", 400, DoesNotOpen),
            ("AccessDeniedException", 400, Refused),
            ("UnrecognizedClientException", 400, Refused),
            ("ExpiredTokenException", 400, Refused),
            ("", 403, Refused),
            ("ThrottlingException", 400, Throttled),
            ("LimitExceededException", 400, Throttled),
            ("", 429, Throttled),
            ("KeyUnavailableException", 500, Unreachable),
            ("DependencyTimeoutException", 500, Unreachable),
            ("KMSInternalException", 500, Unreachable),
            ("ServiceUnavailable", 503, Unreachable),
            ("ValidationException", 400, Unexpected),
            ("", 404, Unexpected),
        ] {
            assert_eq!(service_fault(code, status), expected, "{code} {status}");
        }
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for (address, private) in [
            ("https://kms.eu-west-1.amazonaws.com/", true),
            ("http://127.0.0.1:5000/", true),
            ("http://localhost:5000/", true),
            ("http://[::1]:5000/", true),
            ("http://kms.eu-west-1.amazonaws.com/", false),
            ("http://10.0.0.7/", false),
            ("http://127.0.0.1.nip.io/", false),
            ("ftp://127.0.0.1/", false),
            ("", false),
        ] {
            assert_eq!(is_private(address), private, "{address}");
        }
    }
}
