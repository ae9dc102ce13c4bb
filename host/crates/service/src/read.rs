//! Reading a credential back. The audit trail records the read before the credential is returned.

use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::keys;
use super::request::Caller;
use super::sealing::{envelope, seal_context};
use keyferry_store::{AuditAction, IntegrationRecord};
use keyferry_types::ids::{FieldName, LinkedAccountId, Slug};
use keyferry_types::secret::Secret;
use keyferry_vault::VaultError;

/// A stored credential to read, and its reader.
#[derive(Debug)]
pub struct ReadCredential {
    /// The caller of the request.
    pub caller: Caller,
    /// The linked account of the request.
    pub account: LinkedAccountId,
    /// The slug of the app.
    pub slug: Slug,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

/// A stored credential, opened or masked.
#[derive(Debug)]
pub struct StoredCredential {
    /// The integration that it belongs to.
    pub record: IntegrationRecord,
    /// Its fields, in the order in which they were sealed.
    pub fields: Vec<(FieldName, Shown)>,
}

/// How much of a value its reader may see.
#[derive(Debug)]
pub enum Shown {
    /// The whole credential.
    Plain(Secret),
    /// Only the presence of the value.
    Masked,
}

impl CredentialService {
    /// Opens a credential after the audit event of the read is durable. `None` if there is no such integration.
    ///
    /// # Errors
    /// `AccountMissing`, and where it cannot be read or opened.
    pub async fn read(&self, asked: ReadCredential) -> Result<Option<StoredCredential>, ServiceError> {
        let _foreground = self.load.enter();
        let key = self.integration_key(&asked.caller, &asked.account, &asked.slug).await?;
        let audit = asked.caller.audit(AuditAction::CredentialRead, "read", &asked.request_id).on_integration(&key);
        // The keys come first: a failed attempt to open the credential must not be recorded as a read.
        keys::unlock(self.store.as_ref(), &self.vault, &key.account.org).await?;
        let Some(record) = self.store.read_integration(&key, audit).await? else { return Ok(None) };
        let context = seal_context(&key, &record.auth_type, record.version);
        let fields = self.vault.open(&context, &envelope(&record)?)?;
        let fields = fields.into_iter().map(|(name, value)| (name, Shown::Plain(value))).collect();
        Ok(Some(StoredCredential { record, fields }))
    }

    /// Lists the fields of a credential without opening it. `None` if there is no such integration.
    ///
    /// # Errors
    /// `AccountMissing`, and where it cannot be read.
    pub async fn read_masked(&self, asked: ReadCredential) -> Result<Option<StoredCredential>, ServiceError> {
        let key = self.integration_key(&asked.caller, &asked.account, &asked.slug).await?;
        let view = self.store.account(&key.account).await?;
        let mut integrations = view.map(|view| view.integrations).unwrap_or_default();
        integrations.retain(|record| record.slug == key.slug);
        let Some(record) = integrations.pop() else { return Ok(None) };
        let names = envelope(&record)?.field_names().map_err(VaultError::from)?;
        let fields = names.into_iter().map(|name| (name, Shown::Masked)).collect();
        Ok(Some(StoredCredential { record, fields }))
    }
}
