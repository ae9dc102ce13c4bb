//! A token that lasts for as long as its reader needs it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::pair::{End, Need, capped, of_auth_type, unnamed_end, why_expired};
use super::problem::{RenewalProblem, left_until};
use crate::credential_service::CredentialService;
use crate::error::ServiceError;
use crate::read::{ReadCredential, StoredCredential};
use keyferry_store::{AuditAction, IntegrationKey, IntegrationRecord, Timestamp};

/// How long a reader waits for a renewal.
const PATIENCE: Duration = Duration::from_secs(20);
/// Renewals that one reader waits for: another reader's may be for less time than it needs.
const RENEWALS: usize = 3;

/// A stored credential to read once it lasts long enough.
#[derive(Debug)]
pub struct ReadFresh {
    /// The credential and its reader.
    pub read: ReadCredential,
    /// The least time that its access token has to last.
    pub min_ttl: Duration,
}

/// A credential whose tokens last long enough, as far as anybody knows.
#[derive(Debug)]
pub struct FreshCredential(pub StoredCredential);

impl CredentialService {
    /// Opens a credential after its tokens have been renewed, if less than `min_ttl` was left of one. All who ask at the same time
    /// wait for one renewal. `None` if there is no such integration.
    ///
    /// # Errors
    /// `Renewal` with the reason why there is no such token, and as [`read`](Self::read).
    pub async fn read_fresh(self: &Arc<Self>, asked: ReadFresh) -> Result<Option<FreshCredential>, ServiceError> {
        let ReadFresh { read, min_ttl } = asked;
        let key = self.integration_key(&read.caller, &read.account, &read.slug).await?;
        let audit = read.caller.audit(AuditAction::CredentialRenewed, "", &read.request_id).on_integration(&key);
        for _ in 0..RENEWALS {
            let Some(record) = self.integration(&key).await? else { return Ok(None) };
            if !self.is_due(&key, &record, min_ttl)? {
                break;
            }
            let mut is_own = false;
            let begin = || {
                is_own = true;
                Arc::clone(self).renew_due(key.clone(), min_ttl, audit.clone()).boxed()
            };
            match tokio::time::timeout(PATIENCE, self.flights.join(&key, begin)).await {
                // It has left nothing that is due for this reader.
                Ok(Ok(())) if is_own => break,
                Ok(Ok(())) => {}
                Ok(Err(RenewalProblem::Gone)) => return Ok(None),
                Ok(Err(problem)) => return Err(ServiceError::Renewal(problem)),
                Err(_) => return Err(ServiceError::Renewal(RenewalProblem::still_under_way())),
            }
        }
        Ok(self.read(read).await?.map(FreshCredential))
    }

    /// Whether the credential has to be renewed before it is given to a reader that needs it for this long.
    fn is_due(&self, key: &IntegrationKey, record: &IntegrationRecord, least: Duration) -> Result<bool, ServiceError> {
        let need = Need::of(record, least).map_err(ServiceError::Renewal)?;
        let now = Timestamp::now();
        let app = self.registry.app(&key.slug);
        let pairs: Vec<_> = app.iter().flat_map(|app| of_auth_type(&app.description, record)).collect();
        let is_renewable = !pairs.is_empty();
        let Need::Least(least) = need else {
            let dead = || ServiceError::Renewal(RenewalProblem::ReauthRequired { why: why_expired(record) });
            return if is_renewable { Ok(true) } else { Err(dead()) };
        };
        let least = pairs.iter().map(|pair| capped(least, record, pair)).min().unwrap_or(least);
        let end = match record.expires_at {
            Some(end) => End::At(end),
            // Which token it is, and whether it can be renewed, is in the credential.
            None if pairs.iter().any(|pair| unnamed_end(record, pair) == End::Unknown) => End::Unknown,
            None => End::Never,
        };
        let is_due = end.is_due(least, now);
        if is_due && !is_renewable {
            let left = record.expires_at.map(|end| left_until(end, now));
            return Err(ServiceError::Renewal(RenewalProblem::NotRenewable {
                slug: key.slug.to_string(),
                auth_type: record.auth_type.to_string(),
                left,
            }));
        }
        Ok(is_due)
    }
}
