//! Errors of setting up a mock provider.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use keyferry_types::path_text::ShowPath as _;

/// A mock provider could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A key or certificate could not be made, or a certificate cannot contain a name.
    #[error("cannot make a throw-away certificate for {names}; give host names such as `api.example.com`")]
    Certificate {
        /// The names asked for, or what the certificate was for.
        names: String,
        /// Error of the certificate generator.
        source: rcgen::Error,
    },
    /// The made certificate was refused by the TLS library.
    #[error("cannot set up TLS with the throw-away certificate")]
    Tls(#[from] rustls::Error),
    /// The port could not be opened.
    #[error("cannot listen on {address} for the mock provider of {hosts}")]
    Listen {
        /// Address to listen on.
        address: SocketAddr,
        /// Host names of the mocked provider.
        hosts: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The authority's key could not be read.
    #[error("cannot read the throw-away authority's key in {}; remove the file, and a new one is made", path.shown())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Reason why it cannot be read.
        source: io::Error,
    },
    /// The authority's certificate or key could not be written.
    #[error("cannot write the throw-away authority to {}; choose a folder that can be written", path.shown())]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}
