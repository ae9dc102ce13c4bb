//! Reading a credential back. The audit trail records the read before the credential is returned.

use super::{Caller, CredentialService, ServiceError, keys, seal_context};
use keyferry_store::{AccountKey, AuditAction, AuditEvent, IntegrationKey, IntegrationRecord, Timestamp};
use keyferry_types::ids::{FieldName, LinkedAccountId, Slug};
use keyferry_types::secret::Secret;
use keyferry_vault::{Envelope, VaultError};

/// Which credential, and who asks.
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
    /// Opens a credential, once the trail durably has it that it was read. `None` where there is no such integration.
    ///
    /// # Errors
    /// `AccountMissing`, and where it cannot be read or opened.
    pub async fn read(&self, asked: ReadCredential) -> Result<Option<StoredCredential>, ServiceError> {
        let _live = self.live.enter();
        let key = self.place(&asked.caller, &asked.account, &asked.slug).await?;
        let audit = AuditEvent {
            action: AuditAction::CredentialRead,
            actor: asked.caller.actor,
            environment: Some(asked.caller.environment),
            account: Some(asked.account),
            slug: Some(asked.slug),
            outcome: "read".to_owned(),
            request_id: Some(asked.request_id),
            at: Timestamp::now(),
        };
        // The keys come first: a failed attempt to open the credential must not be recorded as a read.
        keys::unlock(self.store.as_ref(), &self.vault, &key.account.org).await?;
        let found = self.store.read_integration(&key, audit).await.map_err(ServiceError::Store)?;
        let Some(record) = found else { return Ok(None) };
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
        let key = self.place(&asked.caller, &asked.account, &asked.slug).await?;
        let view = self.store.account(&key.account).await.map_err(ServiceError::Store)?;
        let mut integrations = view.map(|view| view.integrations).unwrap_or_default();
        integrations.retain(|record| record.slug == key.slug);
        let Some(record) = integrations.pop() else { return Ok(None) };
        let names = envelope(&record)?.field_names().map_err(VaultError::from)?;
        let fields = names.into_iter().map(|name| (name, Shown::Masked)).collect();
        Ok(Some(StoredCredential { record, fields }))
    }

    /// Where an integration of an account is that is there.
    pub(super) async fn place(
        &self,
        caller: &Caller,
        account: &LinkedAccountId,
        slug: &Slug,
    ) -> Result<IntegrationKey, ServiceError> {
        let Caller { org, environment, .. } = caller;
        let account = AccountKey { org: org.clone(), environment: *environment, account: account.clone() };
        self.require_account(&account).await?;
        Ok(IntegrationKey { account, slug: slug.clone() })
    }
}

pub(super) fn envelope(record: &IntegrationRecord) -> Result<Envelope, ServiceError> {
    Ok(Envelope::from_bytes(record.envelope.as_slice()).map_err(VaultError::from)?)
}
