//! [`Egress`]: the operator's settings, made into HTTP clients that dial checked addresses only.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

use super::error::{EgressSetupError, SendError};
use super::origin::Origin;
use super::resolver::{CheckedResolver, DialPolicy};
use super::settings::{EgressLimits, EgressSettings};
use super::{receive, tls, transport_error};

/// Idle connections are closed before most servers do that, and after at most twice this time: until then, the buffers of
/// a connection still hold the head of the last request that it carried, with its secrets.
const IDLE: Duration = Duration::from_secs(5);

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

    /// A client that dials checked addresses only, follows no redirect, uses no proxy, and keeps at most `most_idle`
    /// idle connections to a host.
    pub(super) fn http_client(&self, most_idle: usize) -> Result<reqwest::Client, EgressSetupError> {
        let tls = tls::client_config(Arc::clone(&self.shared.roots), Arc::clone(&self.shared.provider))?;
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(CheckedResolver(Arc::clone(&self.shared.dial_policy)))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .http1_max_headers(receive::MOST_HEADERS)
            .connect_timeout(self.limits().connect_time)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(most_idle)
            .build()
            .map_err(|error| EgressSetupError::Client(Box::new(error)))
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

    /// Checks the address that a response came from. It was checked before it was dialled; this holds if a layer below
    /// ever decides otherwise.
    pub(super) fn check_peer(&self, response: &reqwest::Response, origin: &Origin) -> Result<(), SendError> {
        if let Some(peer) = response.remote_addr()
            && let Err(refused) = self.dial_policy().check(peer.ip())
        {
            tracing::warn!(host = origin.host(), peer = %peer.ip(), class = %refused.class, "an answer from an address that is never dialled");
            return Err(SendError { sent: true, ..transport_error::forbidden(origin) });
        }
        Ok(())
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}
