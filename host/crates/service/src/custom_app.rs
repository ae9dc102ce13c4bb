//! Credentials of the organisation's own app on a linked account: whatever its own code needs to act for that customer.
//!
//! They are an integration of the app `custom`, sealed like any other and resealed, read back and deleted with the rest. No
//! plugin knows them, so they are not verified; and migrate-token refuses the slug, so no other credential replaces them.

use super::commit::{commit_error, expected};
use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::keys;
use super::request::Caller;
use super::retry::retry_on_conflict;
use super::sealing::{envelope, seal_context};
use super::verify_new::VerificationOutcome;
use keyferry_sandbox::Verified;
use keyferry_schema::{Credential, CredentialField, Exposure, without_blanks};
use keyferry_store::{
    AccountKey, AccountWrite, AuditAction, AuditEvent, IntegrationKey, IntegrationRecord, IntegrationVersion,
    MigrationWrite, PutAccount, VerificationStatus,
};
use keyferry_types::ids::{AuthTypeName, FieldName, Slug};
use keyferry_types::secret::{Secret, SharedSecret};

/// A credential of an organisation's own app, and the caller that changes it.
#[derive(Debug)]
pub struct CustomCredential {
    /// The caller of the request.
    pub caller: Caller,
    /// The linked account of the request.
    pub account: AccountKey,
    /// The name of the credential.
    pub name: FieldName,
    /// The request's id, for the audit trail.
    pub request_id: String,
}

impl CustomCredential {
    fn audit(&self, action: AuditAction, outcome: &str, key: &IntegrationKey) -> AuditEvent {
        self.caller.audit(action, outcome, &self.request_id).on_integration(key)
    }
}

/// Whether a credential was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The name was new.
    Added,
    /// The credential replaced another value.
    Updated,
}

/// The result of deleting a custom credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// The custom credential was deleted.
    Deleted,
    /// The account has no custom credential of this name.
    NoSuchName,
    /// The account has no custom credentials.
    NoneAtAll,
}

/// The credentials as they are stored.
#[derive(Default)]
struct Own {
    record: Option<IntegrationRecord>,
    fields: Vec<CredentialField>,
    /// How values were changed.
    warnings: Vec<String>,
}

impl Own {
    /// Sets a value as it was sent, without blanks around it. No plugin can say what else is not part of it.
    fn take(&mut self, name: &FieldName, value: &SharedSecret) -> PutOutcome {
        let left = without_blanks(value.expose());
        if left.len() == value.len() || left.is_empty() {
            return self.set(name, value);
        }
        self.warnings.push(format!("`{name}` was taken without the blanks around it"));
        self.set(name, &SharedSecret::new(Secret::new(left)))
    }

    /// Whether one of this name was there.
    fn set(&mut self, name: &FieldName, value: &SharedSecret) -> PutOutcome {
        let value = SharedSecret::clone(value);
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == *name) {
            field.value = value;
            return PutOutcome::Updated;
        }
        self.fields.push(CredentialField { name: name.clone(), value, exposure: Exposure::Handle { hint: None } });
        PutOutcome::Added
    }
}

impl CredentialService {
    /// Creates or updates a linked account together with these credentials of the organisation's own app. Other stored
    /// credentials stay.
    ///
    /// # Errors
    /// As [`put_account`](keyferry_store::AccountStore::put_account), and where the credentials cannot be sealed.
    pub async fn put_account(
        &self,
        write: AccountWrite,
        credentials: &[(FieldName, SharedSecret)],
    ) -> Result<PutAccount, ServiceError> {
        let _foreground = self.load.enter();
        if credentials.is_empty() {
            return Ok(self.store.put_account(write).await?);
        }
        keys::unlock(self.store.as_ref(), &self.vault, &write.key.org).await?;
        let key = IntegrationKey { account: write.key.clone(), slug: Slug::custom() };
        let attempt = || async {
            let mut own = self.own(&key).await?;
            for (name, value) in credentials {
                own.take(name, value);
            }
            let event = AuditEvent { action: AuditAction::AuthCredentialsPut, ..write.audit.clone() };
            let integration = self.own_write(&key, own, event.on_integration(&key))?;
            Ok(self.store.put_account_with(write.clone(), integration).await?)
        };
        self.write_order.alone(&key, retry_on_conflict(attempt)).await
    }

    /// Stores one custom credential.
    ///
    /// # Errors
    /// `AccountMissing`, and where it cannot be sealed or stored.
    pub async fn put_own_credential(
        &self,
        asked: &CustomCredential,
        value: &SharedSecret,
    ) -> Result<PutOutcome, ServiceError> {
        let _foreground = self.load.enter();
        let key = self.own_key(asked).await?;
        let attempt = || async {
            let mut own = self.own(&key).await?;
            let put = own.take(&asked.name, value);
            let outcome = match put {
                PutOutcome::Added => "added",
                PutOutcome::Updated => "updated",
            };
            let event = asked.audit(AuditAction::AuthCredentialsPut, outcome, &key);
            let write = self.own_write(&key, own, event)?;
            self.store.commit_migration(write).await.map_err(commit_error)?;
            Ok(put)
        };
        self.write_order.alone(&key, retry_on_conflict(attempt)).await
    }

    /// Deletes one credential, and with the last one the integration.
    ///
    /// # Errors
    /// `AccountMissing`, and where it cannot be opened or stored.
    pub async fn delete_own_credential(&self, asked: &CustomCredential) -> Result<DeleteOutcome, ServiceError> {
        let key = self.own_key(asked).await?;
        let attempt = || async {
            let mut own = self.own(&key).await?;
            let Some(record) = &own.record else { return Ok(DeleteOutcome::NoneAtAll) };
            let (version, before) = (record.version, own.fields.len());
            own.fields.retain(|field| field.name != asked.name);
            if own.fields.len() == before {
                return Ok(DeleteOutcome::NoSuchName);
            }
            let event = asked.audit(AuditAction::AuthCredentialDeleted, "deleted", &key);
            let written = if own.fields.is_empty() {
                self.store.delete_version(&key, version, event).await
            } else {
                self.store.commit_migration(self.own_write(&key, own, event)?).await
            };
            written.map_err(commit_error)?;
            Ok(DeleteOutcome::Deleted)
        };
        self.write_order.alone(&key, retry_on_conflict(attempt)).await
    }

    async fn own_key(&self, asked: &CustomCredential) -> Result<IntegrationKey, ServiceError> {
        self.require_account(&asked.account).await?;
        keys::unlock(self.store.as_ref(), &self.vault, &asked.account.org).await?;
        Ok(IntegrationKey { account: asked.account.clone(), slug: Slug::custom() })
    }

    async fn own(&self, key: &IntegrationKey) -> Result<Own, ServiceError> {
        let Some(record) = self.integration(key).await? else { return Ok(Own::default()) };
        let context = seal_context(key, &record.auth_type, record.version);
        let mut own = Own::default();
        for (name, value) in self.vault.open(&context, &envelope(&record)?)? {
            own.set(&name, &SharedSecret::new(value));
        }
        Ok(Own { record: Some(record), ..own })
    }

    fn own_write(&self, key: &IntegrationKey, own: Own, audit: AuditEvent) -> Result<MigrationWrite, ServiceError> {
        let Own { record: current, fields, warnings } = own;
        let credential = Credential { auth_type: AuthTypeName::keybased(), fields, warnings: Vec::new() };
        let standing = VerificationStatus::Unverified { reason: "it is of an app of your own".to_owned() };
        let finding = VerificationOutcome { standing, verified: Verified { warnings, ..Verified::default() } };
        let base = current.as_ref().map(IntegrationVersion::from);
        let record = self.sealed(key, &credential, &finding, base.as_ref())?;
        let expect = expected(base.as_ref());
        Ok(MigrationWrite { record, expect, audit, idempotency: None, row: None })
    }
}
