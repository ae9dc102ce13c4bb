//! TLS for the public interface: a certificate and its key, read again when their files change.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::server::certificate::{self, Validity};
use keyferry_types::bounded_file::{self, Content, PATIENCE, SMALL};
use keyferry_types::path_text::ShowPath as _;

/// How often the files are looked at. Tools that renew certificates swap them in all kinds of ways (renamed files, symbolic
/// links to folders) that a watch would not see alike.
const LOOK: Duration = Duration::from_secs(1);

/// Where the certificate and its key lie, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to a root.
    pub cert: PathBuf,
    /// The private key of the certificate, in PEM.
    pub key: PathBuf,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TlsError {
    #[error("the TLS {what} {} cannot be read: {source}", path.shown())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the TLS {what} file {} holds no {what} in PEM{reason}", path.shown())]
    Pem { what: &'static str, path: PathBuf, reason: String },
    #[error("the TLS certificate {} and the key {} do not go together: {reason}", cert.shown(), key.shown())]
    Pair { cert: PathBuf, key: PathBuf, reason: String },
}

impl TlsError {
    /// Whether a file hangs, or something else is in its place.
    fn is_obstructed(&self) -> bool {
        matches!(self, Self::File { source, .. } if bounded_file::is_obstructed(source))
    }
}

/// A certificate that is in use, and the files that it came from.
pub struct Tls {
    files: TlsFiles,
    loaded: ArcSwap<Loaded>,
}

/// What was read of the files.
struct Loaded {
    config: Arc<ServerConfig>,
    /// Expiry of each certificate in the file, if it could be parsed.
    chain: Vec<Validity>,
    /// The permissions of the key file.
    key_mode: u32,
}

/// The content of the files at their current names; compared to detect a change.
type Stamp = [Option<FileStamp>; 2];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    modified: SystemTime,
    length: u64,
    inode: u64,
    /// A key that was open to others can be closed to them without being written.
    mode: u32,
}

impl Tls {
    /// Reads certificate and key for the first time.
    ///
    /// # Errors
    /// Where one cannot be read, or they do not go together.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let loaded = ArcSwap::from_pointee(read(&files)?);
        Ok(Arc::new(Self { files, loaded }))
    }

    /// The acceptor for the next connection, with the present certificate.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.loaded.load().config))
    }

    /// What is wrong with the certificates in use, in words: expired, not valid yet, or about to expire.
    pub fn certificate_warnings(&self) -> Vec<String> {
        certificate::problems(&self.loaded.load().chain, &self.files.cert, jiff::Timestamp::now())
    }

    /// All that an operator should mend although TLS is served.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.certificate_warnings();
        let mode = self.loaded.load().key_mode;
        if mode & 0o077 != 0 {
            let key = self.files.key.shown();
            warnings.push(format!("others can read the TLS key {key} (mode {mode:04o}): chmod 600 it"));
        }
        warnings
    }

    /// Reads the files again whenever they change, until everyone else has let go of this. Files that cannot be used leave
    /// the former certificate in use: they may be half-way through being replaced. What [`Self::warnings`] says is logged when it
    /// changes, which for a certificate that expires time alone does.
    pub async fn follow(self: Arc<Self>) {
        let files = self.files.clone();
        let mut known = stamp_apart(&files).await;
        let mut told = None;
        let mut warned = Vec::new();
        let tls = Arc::downgrade(&self);
        drop(self);
        loop {
            let Some(tls) = tls.upgrade() else { return };
            let now = stamp_apart(&files).await;
            if now != known {
                let named = files.clone();
                let read = tokio::task::spawn_blocking(move || read(&named)).await;
                let mut tell = |error: &dyn std::fmt::Display| {
                    if told.replace(now) != Some(now) {
                        tracing::error!(%error, "the former TLS certificate stays in use");
                    }
                };
                match read {
                    Ok(Ok(loaded)) => {
                        tls.loaded.store(Arc::new(loaded));
                        tracing::info!(cert = %files.cert.shown(), "the TLS certificate was read again");
                        (known, told) = (now, None);
                    }
                    // It may respond the next time, without having changed.
                    Ok(Err(error)) if error.is_obstructed() => tell(&error),
                    Ok(Err(error)) => {
                        tell(&error);
                        known = now;
                    }
                    Err(error) => {
                        tell(&error);
                        known = now;
                    }
                }
            }
            let warnings = tls.warnings();
            for warning in warnings.iter().filter(|warning| !warned.contains(*warning)) {
                tracing::warn!("{warning}");
            }
            warned = warnings;
            drop(tls);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The stamp, apart from the threads that serve: a mount that hangs does not respond.
async fn stamp_apart(files: &TlsFiles) -> Stamp {
    let mut stamp = Stamp::default();
    for (slot, path) in stamp.iter_mut().zip([&files.cert, &files.key]) {
        let named = path.clone();
        let meta = bounded_file::apart(path, PATIENCE, move || std::fs::metadata(named)).await;
        *slot = meta.ok().and_then(|meta| {
            let (modified, mode) = (meta.modified().ok()?, meta.mode() & 0o7777);
            Some(FileStamp { modified, length: meta.len(), inode: meta.ino(), mode })
        });
    }
    stamp
}

fn read(files: &TlsFiles) -> Result<Loaded, TlsError> {
    let (cert, key) = (&files.cert, &files.key);
    let holds_none = |what, path: &Path, error: Option<pem::Error>| {
        let reason = match error {
            None | Some(pem::Error::NoItemsFound) => String::new(),
            Some(error) => format!(": {error}"),
        };
        TlsError::Pem { what, path: path.to_owned(), reason }
    };
    let file = |what, path: &Path| -> Result<Content, TlsError> {
        bounded_file::read(path, SMALL).map_err(|source| TlsError::File { what, path: path.to_owned(), source })
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&file("certificate", cert)?.bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| holds_none("certificate", cert, Some(error)))?;
    if chain.is_empty() {
        return Err(holds_none("certificate", cert, None));
    }
    let validity = chain.iter().filter_map(|certificate| Validity::from_der(certificate)).collect();
    let secret = file("key", key)?;
    let key_mode = secret.mode;
    let secret = PrivateKeyDer::from_pem_slice(&secret.bytes).map_err(|error| holds_none("key", key, Some(error)))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|source| TlsError::Pair { cert: cert.clone(), key: key.clone(), reason: pair_reason(&source) })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Loaded { config: Arc::new(config), chain: validity, key_mode })
}

fn pair_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the certificate was issued for another key".to_owned(),
        other => other.to_string(),
    }
}
