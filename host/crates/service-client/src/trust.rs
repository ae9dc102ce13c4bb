//! Which certificates of services are trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use keyferry_types::bounded_file::{self, LARGE};
use keyferry_types::path_text::ShowPath as _;

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read, or has no certificates.
    #[error("{}: {problem}", path.shown())]
    Certificates {
        /// Path of the file with certificates.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Reads a PEM file: its bytes, and the certificates in it.
///
/// # Errors
/// [`TrustError::Certificates`].
pub fn read_certificates(path: &Path) -> Result<(Vec<u8>, RootCertStore), TrustError> {
    let wrong = |problem: String| TrustError::Certificates { path: PathBuf::from(path), problem };
    let pem = bounded_file::read(path, LARGE).map_err(|error| wrong(error.to_string()))?.into_vec();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no `-----BEGIN CERTIFICATE-----` in it".to_owned()));
    }
    Ok((pem, roots))
}

/// A TLS configuration that trusts the public certificate authorities and those in the file.
///
/// # Errors
/// [`TrustError`].
pub fn tls_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca {
        roots.roots.extend(read_certificates(path)?.1.roots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(tls_config(Some(&path)).is_err());
        for content in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, content).unwrap();
            let error = tls_config(Some(&path)).unwrap_err().to_string();
            assert!(error.contains("ca.pem"), "{error}");
        }
        assert!(tls_config(None).is_ok());
    }
}
