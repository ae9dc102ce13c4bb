//! The secrets of a webhook, sealed and opened: its signing secret and the values of its headers.

use super::error::WebhookError;
use keyferry_egress::WebhookHeader;
use keyferry_service::webhook_context;
use keyferry_store::{WebhookKey, WebhookRecord};
use keyferry_types::ids::FieldName;
use keyferry_types::secret::{Secret, SharedSecret};
use keyferry_vault::{Envelope, Vault, VaultError};

/// The field of an envelope that holds the signing secret. Headers' values follow, in the order of their names.
const SIGNING_SECRET: &str = "signing_secret";

/// The opened secrets of a webhook.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) signing_secret: SharedSecret,
    pub(super) headers: Vec<WebhookHeader>,
}

/// Seals the secrets of a version of a webhook.
pub(super) fn seal(
    vault: &Vault,
    key: &WebhookKey,
    version: u64,
    signing_secret: &Secret,
    headers: &[WebhookHeader],
) -> Result<Envelope, WebhookError> {
    let mut fields = vec![(field(SIGNING_SECRET)?, signing_secret)];
    for (number, header) in headers.iter().enumerate() {
        fields.push((field(&format!("header_{number}"))?, header.value()));
    }
    Ok(vault.seal(&webhook_context(key, version), &fields)?)
}

/// Opens the secrets of a webhook. The roots of its organisation must be unlocked.
pub(super) fn open(vault: &Vault, record: &WebhookRecord) -> Result<Opened, WebhookError> {
    let envelope = Envelope::from_bytes(record.envelope.as_slice()).map_err(VaultError::from)?;
    let mut fields = vault.open(&webhook_context(&record.key, record.version), &envelope)?.into_iter();
    let (_, signing_secret) = fields.next().ok_or(VaultError::NoFields)?;
    let named = record.header_names.iter().zip(fields);
    // Each was taken when it was stored.
    let headers =
        named.filter_map(|(name, (_, value))| WebhookHeader::new(name, SharedSecret::new(value)).ok()).collect();
    Ok(Opened { signing_secret: SharedSecret::new(signing_secret), headers })
}

fn field(name: &str) -> Result<FieldName, WebhookError> {
    name.parse().map_err(|_| WebhookError::Vault(VaultError::NoFields))
}
