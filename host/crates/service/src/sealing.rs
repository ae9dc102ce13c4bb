//! Credentials sealed and opened: which values, and what an envelope is bound to.

use std::collections::BTreeMap;

use super::credential_service::CredentialService;
use super::error::ServiceError;
use super::verify_new::VerificationOutcome;
use keyferry_sandbox::App;
use keyferry_schema::{Credential, Input};
use keyferry_store::{
    IntegrationKey, IntegrationRecord, IntegrationVersion, OAuthClientKey, ObjectId, Reauth, Timestamp,
    VerificationStatus, WebhookKey,
};
use keyferry_types::ids::{AuthTypeName, FieldName};
use keyferry_types::secret::{Secret, SharedSecret};
use keyferry_vault::{Envelope, OAuthClientContext, SealContext, VaultError, WebhookContext, check_size};

impl CredentialService {
    /// The next version of an integration, sealed.
    pub(super) fn sealed(
        &self,
        key: &IntegrationKey,
        credential: &Credential,
        outcome: &VerificationOutcome,
        current: Option<&IntegrationVersion>,
    ) -> Result<IntegrationRecord, ServiceError> {
        let version = current.map_or(1, |current| current.version + 1);
        let context = seal_context(key, &credential.auth_type, version);
        let envelope = self.vault.seal(&context, &fields(credential))?;
        let now = Timestamp::now();
        let verified = &outcome.verified;
        Ok(IntegrationRecord {
            id: current.map_or_else(ObjectId::generate, |current| current.id),
            org: key.account.org.clone(),
            environment: key.account.environment,
            account: key.account.account.clone(),
            slug: key.slug.clone(),
            auth_type: credential.auth_type.clone(),
            version,
            key_id: envelope.key_id().get(),
            envelope: envelope.into_bytes(),
            verified_at: matches!(outcome.standing, VerificationStatus::Verified).then_some(now),
            standing: outcome.standing.clone(),
            provider_account_id: verified.provider_account_id.clone(),
            display_name: verified.display_name.clone(),
            scopes: verified.scopes.clone(),
            expires_at: verified.expires_at.map(Timestamp::from_millis),
            warnings: verified.warnings.clone(),
            config: verified.config.iter().cloned().collect(),
            reauth: Reauth::NotRequired,
            check: None,
            renewals: BTreeMap::new(),
            created_at: current.map_or(now, |current| current.created_at),
            updated_at: now,
        })
    }
}

/// The credential that an `auth_object` holds, if it fits the app's schema and is not too large to be stored. Checked
/// before the provider is asked, and the same at each door.
pub(super) fn validated(app: &App, auth_object: &Input) -> Result<Credential, ServiceError> {
    let credential = app.description.schema.validate(auth_object).map_err(ServiceError::Content)?;
    check_size(&fields(&credential))?;
    Ok(credential)
}

pub(super) fn fields(credential: &Credential) -> Vec<(&FieldName, &Secret)> {
    credential.fields.iter().map(|field| (&field.name, SharedSecret::as_ref(&field.value))).collect()
}

/// The envelope of a stored integration.
pub(super) fn envelope(record: &IntegrationRecord) -> Result<Envelope, ServiceError> {
    Ok(Envelope::from_bytes(record.envelope.as_slice()).map_err(VaultError::from)?)
}

/// What the envelope of a credential is bound to.
pub fn seal_context(key: &IntegrationKey, auth_type: &AuthTypeName, version: u64) -> SealContext {
    SealContext {
        org: key.account.org.clone(),
        environment: key.account.environment,
        account: key.account.account.clone(),
        slug: key.slug.clone(),
        auth_type: auth_type.clone(),
        version,
    }
}

/// What the envelope of a webhook's secrets is bound to.
pub fn webhook_context(key: &WebhookKey, version: u64) -> WebhookContext {
    WebhookContext { org: key.org.clone(), environment: key.environment, id: key.id.to_string(), version }
}

/// What the envelope of an OAuth client's values is bound to.
pub(super) fn oauth_client_context(key: &OAuthClientKey, version: u64) -> OAuthClientContext {
    let OAuthClientKey { org, environment, slug, name } = key.clone();
    OAuthClientContext { org, environment, slug, name, version }
}
