//! Which certificates of key services are believed, in the vault's own errors.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::VaultError;
use keyferry_service_client::{self as upstream, UpstreamError};

/// A PEM file, and the certificates in it, each checked to be one.
#[cfg(feature = "aws-kms")]
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, rustls::RootCertStore), VaultError> {
    upstream::read(path).map_err(wrong)
}

/// TLS to a host whose certificate is by an authority that browsers trust, or by one in the file.
pub(super) fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, VaultError> {
    upstream::client_config(ca).map_err(wrong)
}

fn wrong(error: UpstreamError) -> VaultError {
    match error {
        UpstreamError::Certificates { path, problem } => VaultError::KeyServiceCa { path, problem },
        UpstreamError::Tls(_) => VaultError::Cipher,
    }
}
