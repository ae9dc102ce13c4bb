//! [`Egress`]: the operator's settings, and what all clients share.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

use super::dial::Dialer;
use super::error::{EgressSetupError, SendError};
use super::origin::Origin;
use super::resolver::DialPolicy;
use super::settings::{EgressLimits, EgressSettings};
use super::{tls, transport_error};

/// Settings, dial policy and trusted authorities that all clients share. Cloning it is cheap.
#[derive(Clone)]
pub struct Egress {
    shared: Arc<Shared>,
}

struct Shared {
    settings: EgressSettings,
    dial_policy: Arc<DialPolicy>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Egress {
    /// Sets egress up: reads the certificate authorities.
    ///
    /// # Errors
    /// If the file of certificate authorities cannot be read or has no usable certificate.
    pub fn new(settings: EgressSettings) -> Result<Self, EgressSetupError> {
        let roots = Arc::new(tls::roots(settings.ca_file.as_deref())?);
        let dial_policy = Arc::new(DialPolicy::new(&settings));
        Ok(Self { shared: Arc::new(Shared { settings, dial_policy, roots, provider: tls::provider() }) })
    }

    /// The limits in force.
    pub fn limits(&self) -> &EgressLimits {
        &self.shared.settings.limits
    }

    /// The settings in force.
    pub(super) fn settings(&self) -> &EgressSettings {
        &self.shared.settings
    }

    /// The policy that decides which addresses may be dialled.
    pub(super) fn dial_policy(&self) -> &DialPolicy {
        &self.shared.dial_policy
    }

    /// Connects for one app. No other shares its TLS sessions.
    pub(super) fn dialer(&self) -> Result<Dialer, EgressSetupError> {
        let tls = tls::client_config(Arc::clone(&self.shared.roots), Arc::clone(&self.shared.provider))?;
        Ok(Dialer::new(Arc::clone(&self.shared.dial_policy), tls, self.limits().connect_time))
    }

    /// Checks an address in a URL, which is dialled without a lookup.
    pub(super) fn check_literal(&self, origin: &Origin) -> Result<(), SendError> {
        let Some(address) = origin.address() else { return Ok(()) };
        if let Err(refused) = self.dial_policy().may_dial(address) {
            tracing::warn!(%address, class = %refused.class, "a request to an address that is never dialled");
            return Err(transport_error::forbidden(origin));
        }
        if self.dial_policy().has_literal(address) { Ok(()) } else { Err(transport_error::not_found(origin)) }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
