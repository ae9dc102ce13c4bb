//! One request on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body_util::{BodyExt as _, Full, Limited};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use super::address::ServiceAddress;
use super::connection::{Connection, ExchangeError};

/// The largest response body in bytes. The services called here send a few hundred.
const MAX_BODY: usize = 64 * 1024;

/// Time limits of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Time until there is a connection, TLS included.
    pub connect: Duration,
    /// Time from the connection to the end of the response.
    pub response: Duration,
}

/// Sends a request and reads the whole response.
///
/// # Errors
/// If no whole response arrives in time.
pub async fn exchange(
    to: &ServiceAddress,
    tls: &Arc<ClientConfig>,
    request: Request<Full<Bytes>>,
    deadlines: Deadlines,
) -> Result<(Parts, Zeroizing<Vec<u8>>), ExchangeError> {
    let authority = to.authority();
    let mut connection = Connection::open(to, tls, deadlines.connect).await?;
    let response = async {
        let (parts, body) = connection.send(request).await?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let incomplete = |error| ExchangeError::Failed(format!("the response of {authority} is incomplete: {error}"));
        Ok((parts, Zeroizing::new(body.map_err(incomplete)?.to_bytes().to_vec())))
    };
    let late = |_| ExchangeError::Failed(format!("{authority} took too long to respond"));
    tokio::time::timeout(deadlines.response, response).await.map_err(late)?
}
