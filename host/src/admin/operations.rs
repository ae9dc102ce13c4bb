//! What an operation is.

use async_trait::async_trait;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{AdminError, Operator};

/// Something that an operator can ask for.
#[async_trait]
pub trait Operation: Serialize + DeserializeOwned + Send + Sync {
    /// What it gives.
    type Done: Serialize + DeserializeOwned + Send;
    /// How it is asked for over HTTP. The body is the operation itself as JSON; what the path says counts more.
    fn route(&self) -> (Method, String);
    /// Carries it out.
    async fn perform(&self, operator: &Operator) -> Result<Self::Done, AdminError>;
}

/// The path of what belongs to an organisation.
pub(super) fn of_organisation(org: &crate::ids::OrgId, rest: &str) -> String {
    format!("/admin/v1/organisations/{}/{rest}", utf8_percent_encode(org.as_str(), NON_ALPHANUMERIC))
}
