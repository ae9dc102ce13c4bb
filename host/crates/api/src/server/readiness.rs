//! Where the server is in its life: starting, serving, or draining.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use crate::server::tls::Tls;

/// Where the server is in its life.
#[derive(Default)]
pub struct Readiness {
    state: AtomicU8,
    /// The certificate of the public interface.
    tls: OnceLock<Arc<Tls>>,
}

impl Readiness {
    const SERVING: u8 = 1;
    const DRAINING: u8 = 2;

    /// Has `/readyz` warn of a certificate that expires.
    pub fn watch_certificate(&self, tls: Arc<Tls>) {
        // There is one, for as long as the process lives.
        let _ = self.tls.set(tls);
    }

    /// The server accepts requests.
    pub fn set_serving(&self) {
        self.state.store(Self::SERVING, Ordering::Release);
    }

    /// No more requests should come; those that do are still served.
    pub fn set_draining(&self) {
        self.state.store(Self::DRAINING, Ordering::Release);
    }

    /// Whether the server is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.state.load(Ordering::Acquire) == Self::DRAINING
    }

    /// What of that certificate is worth a warning.
    pub(crate) fn certificate_warnings(&self) -> Vec<String> {
        self.tls.get().map(|tls| tls.certificate_warnings()).unwrap_or_default()
    }

    /// Why no requests should come now.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        match self.state.load(Ordering::Acquire) {
            Self::SERVING => None,
            Self::DRAINING => Some("shutting down"),
            _ => Some("starting"),
        }
    }
}
