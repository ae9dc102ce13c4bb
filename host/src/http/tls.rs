//! TLS for the public interface: a certificate and its key, read again when their files change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at. Tools that renew certificates swap them in all kinds of ways (renamed files, symbolic
/// links to folders) that a watch would not see alike.
const LOOK: Duration = Duration::from_secs(1);

/// Where the certificate and its key lie, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to a root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TlsError {
    #[error("the TLS {what} {} cannot be read: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the TLS {what} {} is not PEM of one: {reason}", path.display())]
    Pem { what: &'static str, path: PathBuf, reason: String },
    #[error("{} and {} do not go together: {source}", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, source: rustls::Error },
}

/// A certificate that is in use, and the files that it came from.
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
}

/// What a change of the files changes: times and sizes of what the names stand for now.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads certificate and key for the first time.
    ///
    /// # Errors
    /// Where one cannot be read, or they do not go together.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let config = ArcSwap::from(read(&files)?);
        Ok(Arc::new(Self { files, config }))
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Reads the files again whenever they change, until everyone else has let go of this. Files that cannot be used leave
    /// the former certificate in use: they may be half-way through being replaced.
    pub async fn follow(self: Arc<Self>) {
        let mut known = stamp(&self.files);
        let files = self.files.clone();
        let tls = Arc::downgrade(&self);
        drop(self);
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(tls) = tls.upgrade() else { return };
            let now = stamp(&files);
            if now == known {
                continue;
            }
            match read(&files) {
                Ok(config) => {
                    tls.config.store(config);
                    tracing::info!(cert = %files.cert.display(), "the TLS certificate was read again");
                }
                Err(error) => tracing::error!(%error, "the former TLS certificate stays in use"),
            }
            known = now;
        }
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.cert, &files.key].map(|path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    })
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let (cert, key) = (&files.cert, &files.key);
    let pem = |what, path: &Path, reason: String| TlsError::Pem { what, path: path.to_owned(), reason };
    let bytes =
        |what, path: &Path| fs::read(path).map_err(|source| TlsError::File { what, path: path.to_owned(), source });
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes("certificate", cert)?)
        .collect::<Result<_, _>>()
        .map_err(|error| pem("certificate", cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(pem("certificate", cert, "it holds none".to_owned()));
    }
    let secret = zeroize::Zeroizing::new(bytes("key", key)?);
    let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(|error| pem("key", key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|source| TlsError::Pair { cert: cert.clone(), key: key.clone(), source })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
