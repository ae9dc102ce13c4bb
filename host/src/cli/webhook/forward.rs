//! Sending a delivery on to a program under development.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Request, StatusCode, header};
use http_body_util::Full;
use rustls::ClientConfig;
use url::Url;

use crate::cli::error::CliError;
use keyferry_service_client::{Deadlines, ServiceAddress, exchange, tls_config};

/// Less than a server waits for a response.
const DEADLINES: Deadlines = Deadlines { connect: Duration::from_secs(3), response: Duration::from_secs(9) };
/// Headers that belong to one connection.
const OF_THE_CONNECTION: [HeaderName; 4] =
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Where deliveries are sent on to.
pub(super) struct Forward {
    address: ServiceAddress,
    target: String,
    tls: Arc<ClientConfig>,
}

impl Forward {
    pub(super) fn to(url: &Url) -> Result<Self, CliError> {
        let address = ServiceAddress::from_url(url)
            .ok_or_else(|| format!("--forward-to: {} is neither http nor https", url.scheme()))?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self { address, target: format!("{}{query}", url.path()), tls: tls_config(None)? })
    }

    /// Sends a delivery on as it arrived. Returns the status of the response.
    pub(super) async fn send(&self, head: &Parts, body: Bytes) -> Result<StatusCode, CliError> {
        let mut request = Request::builder()
            .method(&head.method)
            .uri(&self.target)
            .header(header::HOST, self.address.authority())
            .body(Full::new(body))?;
        let kept = head.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(name));
        request.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        let (response, _body) = exchange(&self.address, &self.tls, request, DEADLINES).await?;
        Ok(response.status)
    }
}
