//! [`ExchangeObserver`]: sees the requests of one call and their results, for tests of a plugin.

use super::error::SendError;
use super::request::{Request, Response};

/// Observes the requests of one call.
pub trait ExchangeObserver: Send + Sync {
    /// Called for each request, also for a refused one, with the result that the plugin gets: secrets are redacted.
    fn exchange(&self, request: &Request, result: Result<&Response, &SendError>);
}
