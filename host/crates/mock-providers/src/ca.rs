//! A certificate authority that lives as long as its process, or as long as a file.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::ProviderError;
use keyferry_types::bounded_file::{self, LINE};

/// A certificate authority that only tests trust. Its key never leaves memory, unless it is [kept](ThrowAwayCa::kept_at).
///
/// Clients that have to trust the mock providers get [`pem`](ThrowAwayCa::pem), usually by `--egress-ca`.
pub struct ThrowAwayCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: String,
}

/// When a certificate is good for.
enum Validity {
    Now,
    LongAgo,
}

impl ThrowAwayCa {
    /// Makes a new authority with an ECDSA P-256 key.
    pub fn new() -> Result<Self, ProviderError> {
        Self::with_key(KeyPair::generate().map_err(of_authority)?)
    }

    /// The authority whose key is in this file; if there is no such file, a new one, whose key is written there, for its owner only.
    /// Clients that trust the authority's certificate trust it again after a restart: its name and its key are the same.
    pub fn kept_at(key_file: &Path) -> Result<Self, ProviderError> {
        let read = |source| ProviderError::Read { path: key_file.to_owned(), source };
        let write = |source| ProviderError::Write { path: key_file.to_owned(), source };
        match bounded_file::read_input(key_file, LINE) {
            Ok(file) => Self::with_key(
                KeyPair::from_pem(file.text().map_err(read)?).map_err(|error| read(io::Error::other(error)))?,
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(of_authority)?;
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(key_file);
                file.and_then(|mut file| file.write_all(key.serialize_pem().as_bytes())).map_err(write)?;
                Self::with_key(key)
            }
            Err(error) => Err(read(error)),
        }
    }

    fn with_key(key: KeyPair) -> Result<Self, ProviderError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(of_authority)?;
        params.distinguished_name.push(DnType::CommonName, "Keyferry throw-away authority: trust it in tests only");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(of_authority)?;
        let pem = issuer.pem();
        Ok(Self { issuer, pem })
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes [`pem`](Self::pem) to a file, replacing what is there.
    pub fn write_pem(&self, path: &Path) -> Result<(), ProviderError> {
        fs::write(path, &self.pem).map_err(|source| ProviderError::Write { path: path.to_owned(), source })
    }

    /// TLS for a server with these names. A name may be a wildcard (`*.suitetalk.api.netsuite.com`) or an
    /// address (`127.0.0.1`). Only HTTP/1.1 is offered.
    pub fn server_config(&self, names: &[&str]) -> Result<Arc<ServerConfig>, ProviderError> {
        self.config(names, Validity::Now)
    }

    /// The same with a certificate that ran out in 2001, for tests of a client's refusal.
    pub fn expired_server_config(&self, names: &[&str]) -> Result<Arc<ServerConfig>, ProviderError> {
        self.config(names, Validity::LongAgo)
    }

    fn config(&self, names: &[&str], validity: Validity) -> Result<Arc<ServerConfig>, ProviderError> {
        let failed = |source| ProviderError::Certificate { names: names.join(", "), source };
        let key = KeyPair::generate().map_err(failed)?;
        let subject_names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(subject_names).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, "Keyferry mock provider");
        if let Validity::LongAgo = validity {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn of_authority(source: rcgen::Error) -> ProviderError {
    ProviderError::Certificate { names: "the authority itself".to_owned(), source }
}
