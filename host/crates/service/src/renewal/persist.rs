//! Storing renewed tokens. They exist nowhere else: while the store cannot be written to, they are kept in memory, no reader
//! gets them, and the write is repeated.

use std::time::Duration;

use tokio::time::sleep;

use super::RenewalProblem;
use crate::credential_service::CredentialService;
use crate::error::ServiceError;
use crate::keys;
use crate::sealing::seal_context;
use keyferry_store::{IntegrationRecord, Renewal, RenewalWrite, StoreError};
use keyferry_telemetry::metrics;
use keyferry_types::ids::{AuthTypeName, FieldName};
use keyferry_types::secret::{Secret, SharedSecret};
use keyferry_vault::VaultError;

/// The wait between two attempts, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Result of storing renewed tokens.
pub(super) enum Persisted {
    /// They are durable.
    Stored,
    /// The credential was replaced or deleted meanwhile; the tokens are given up.
    Overtaken,
}

impl CredentialService {
    /// Seals the fields of the next version and stores them, however long that takes.
    ///
    /// # Errors
    /// If it can never succeed.
    pub(super) async fn persist(
        &self,
        mut write: RenewalWrite,
        auth_type: &AuthTypeName,
        fields: &[(FieldName, SharedSecret)],
    ) -> Result<Persisted, RenewalProblem> {
        let mut alarm: Option<metrics::Unpersisted> = None;
        let mut wait = FIRST_WAIT;
        let mut may_be_stored = false;
        loop {
            let error = match self.try_to_persist(&mut write, auth_type, fields).await {
                Ok(Renewal::Written(_)) => return Ok(Persisted::Stored),
                Ok(Renewal::Overtaken) if may_be_stored => return self.read_back(&write).await,
                Ok(Renewal::Overtaken) => return Ok(Persisted::Overtaken),
                Err(error) => error,
            };
            may_be_stored |= matches!(error, ServiceError::Store(StoreError::Unknown { .. }));
            if !may_be_repeated(&error) {
                tracing::error!(%error, integration = %shown(&write), "renewed tokens cannot be stored and are lost");
                let why = "the renewed token could not be stored".to_owned();
                return Err(RenewalProblem::Unavailable { why, retry_after: LONGEST_WAIT });
            }
            if alarm.is_none() {
                tracing::error!(%error, integration = %shown(&write),
                    "renewal_unpersisted: renewed tokens are in memory only, since the store cannot be written to; the write is repeated");
                alarm = Some(metrics::Unpersisted::begin());
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn try_to_persist(
        &self,
        write: &mut RenewalWrite,
        auth_type: &AuthTypeName,
        fields: &[(FieldName, SharedSecret)],
    ) -> Result<Renewal, ServiceError> {
        keys::unlock(self.store.as_ref(), &self.vault, &write.key.account.org).await?;
        let context = seal_context(&write.key, auth_type, write.version.saturating_add(1));
        let fields: Vec<(&FieldName, &Secret)> =
            fields.iter().map(|(name, value)| (name, SharedSecret::as_ref(value))).collect();
        let envelope = self.vault.seal(&context, &fields)?;
        write.key_id = envelope.key_id().get();
        write.envelope = envelope.into_bytes();
        match self.store.commit_renewal(write.clone()).await {
            Err(error @ StoreError::StaleRoot { .. }) => {
                keys::refresh(self.store.as_ref(), &self.vault).await?;
                Err(ServiceError::Store(error))
            }
            other => other.map_err(ServiceError::Store),
        }
    }

    /// Whether a write whose result was lost took place.
    async fn read_back(&self, write: &RenewalWrite) -> Result<Persisted, RenewalProblem> {
        let stored = self.store.integration(&write.key).await.map_err(|error| unavailable(&error))?;
        let ours = |record: &IntegrationRecord| {
            record.id == write.id && record.renewals.get(&write.pair) == Some(&write.state)
        };
        Ok(match stored {
            Some(record) if ours(&record) => Persisted::Stored,
            _ => Persisted::Overtaken,
        })
    }
}

/// Whether the same write can succeed later.
fn may_be_repeated(error: &ServiceError) -> bool {
    match error {
        ServiceError::Store(
            StoreError::NoSpace { .. }
            | StoreError::Unavailable { .. }
            | StoreError::Unknown { .. }
            | StoreError::StaleRoot { .. },
        ) => true,
        ServiceError::Vault(error) => !matches!(error, VaultError::TooLarge(_)),
        _ => false,
    }
}

/// The credential cannot be opened.
pub(super) fn refused(error: &ServiceError) -> RenewalProblem {
    tracing::error!(%error, "a renewal could not open the credential");
    RenewalProblem::Unavailable {
        why: "the credential cannot be opened".to_owned(),
        retry_after: Duration::from_secs(5),
    }
}

/// The store cannot be read or written.
pub(super) fn unavailable(error: &StoreError) -> RenewalProblem {
    tracing::error!(%error, "a renewal could not read or write the store");
    let why = "the server's store cannot be used at the moment".to_owned();
    RenewalProblem::Unavailable { why, retry_after: Duration::from_secs(1) }
}

fn shown(write: &RenewalWrite) -> String {
    let account = &write.key.account;
    format!("{}/{}/{}/{}", account.org, account.environment, account.account, write.key.slug)
}
