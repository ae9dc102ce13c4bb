//! Response bodies of the verification of a stored credential.

use serde::Serialize;
use utoipa::ToSchema;

use crate::responses::application::ConnectionStatus;
use crate::responses::migration::CredentialVerdict;
use keyferry_service::{Reverified, Revision};
use keyferry_store::Reauth;

/// The verdict on a stored credential, and the resulting status of its connection.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialChecked {
    /// What the provider says of the credential.
    verdict: CredentialVerdict,
    /// The time of the verification.
    #[schema(required = true, format = DateTime)]
    checked_at: Option<String>,
    /// `expired` where the user has to connect again.
    status: ConnectionStatus,
    /// Whether the user has to connect again.
    reauth_required: bool,
    /// The credential's revision, as `If-Match` takes it, in quotes.
    #[schema(pattern = "^[0-9a-f]{24}-[0-9]+$")]
    revision: String,
}

impl CredentialChecked {
    /// The response for a verification.
    pub(crate) fn new(reverified: &Reverified) -> Self {
        let record = &reverified.record;
        Self {
            verdict: CredentialVerdict::new(&reverified.verdict),
            checked_at: record.check.as_ref().map(|check| check.at.to_string()),
            status: ConnectionStatus::from_reauth(record.reauth),
            reauth_required: record.reauth == Reauth::Required,
            revision: Revision { id: record.id, version: record.version }.to_string(),
        }
    }
}
