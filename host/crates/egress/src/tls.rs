//! TLS: trusted authorities, and the errors of failed handshakes.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::error::EgressSetupError;
use keyferry_types::bounded_file::{self, LARGE};

/// The trusted authorities: those that browsers trust, and those in the operator's file.
pub(super) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, EgressSetupError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(path) = ca_file else { return Ok(roots) };

    let read = bounded_file::read(path, LARGE);
    let pem = read.map_err(|source| EgressSetupError::CaFile { path: path.to_owned(), source })?.bytes;
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|source| EgressSetupError::CaPem { path: path.to_owned(), source })?;
        roots
            .add(certificate)
            .map_err(|error| EgressSetupError::CaCertificate { path: path.to_owned(), reason: error.to_string() })?;
        found += 1;
    }
    if found == 0 {
        let reason = "there is no `-----BEGIN CERTIFICATE-----` in it".to_owned();
        return Err(EgressSetupError::CaCertificate { path: path.to_owned(), reason });
    }
    Ok(roots)
}

/// The settings of one app's connections, with a session cache of their own. TLS 1.2 and 1.3, HTTP/1.1.
pub(super) fn client_config(
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The cryptography that TLS uses.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Why a handshake failed, in words.
pub(super) fn reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => certificate_reason(error),
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate => {
                "the server asks for a client certificate".to_owned()
            }
            AlertDescription::ProtocolVersion => "the server speaks no TLS version as new as 1.2".to_owned(),
            AlertDescription::HandshakeFailure => "the server accepts none of the ciphers offered".to_owned(),
            AlertDescription::UnrecognisedName => "the server does not know this host name".to_owned(),
            other => format!("the server refused the handshake ({other:?})"),
        },
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        rustls::Error::PeerIncompatible(reason) => {
            format!("the server's TLS is too old or of another kind ({reason:?})")
        }
        other => other.to_string(),
    }
}

fn certificate_reason(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::UnknownIssuer => "the certificate is from an unknown issuer",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another host"
        }
        CertificateError::Revoked => "the certificate has been revoked",
        CertificateError::BadSignature => "the certificate's signature is wrong",
        CertificateError::BadEncoding => "the certificate is malformed",
        other => return format!("the certificate is not acceptable ({other:?})"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_certificate_is_refused_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        assert!(matches!(roots(Some(&path)), Err(EgressSetupError::CaFile { .. })));
        for content in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, content).unwrap();
            let error = roots(Some(&path)).unwrap_err();
            assert!(matches!(error, EgressSetupError::CaCertificate { .. }), "{content:?}");
            assert!(error.to_string().contains("ca.pem"));
        }
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
        assert!(matches!(roots(Some(&path)), Err(EgressSetupError::CaPem { .. })));
    }

    #[test]
    fn the_authorities_of_browsers_are_trusted_always() {
        assert!(roots(None).unwrap().len() > 50);
    }
}
