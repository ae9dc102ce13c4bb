//! Which certificates of key services are trusted, in the vault's own errors.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::error::VaultError;
use keyferry_service_client::{self as service_client, TrustError};

/// Reads a PEM file: its bytes, and the certificates in it.
#[cfg(feature = "aws-kms")]
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, rustls::RootCertStore), VaultError> {
    service_client::read_certificates(path).map_err(wrong)
}

/// A TLS configuration that trusts the public certificate authorities and those in the file.
pub(super) fn tls_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, VaultError> {
    service_client::tls_config(ca).map_err(wrong)
}

fn wrong(error: TrustError) -> VaultError {
    match error {
        TrustError::Certificates { path, problem } => VaultError::KeyServiceCa { path, problem },
        TrustError::Tls(_) => VaultError::Cipher,
    }
}
