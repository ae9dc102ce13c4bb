//! Reading the audit trail.

use async_trait::async_trait;

use super::engine::Engine;
use super::{audit_chain, audit_pending};
use crate::{AuditEntry, AuditStore, AuditSummary, StoreResult};
use keyferry_types::ids::OrgId;

#[async_trait]
impl<E: Engine> AuditStore for E {
    async fn audit_tail(&self, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        audit_pending::link_all(self, org).await?;
        let org = org.clone();
        self.scan(move |rows| audit_chain::tail(rows, &org, limit)).await
    }

    async fn audit_after(&self, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        audit_pending::link_all(self, org).await?;
        let org = org.clone();
        self.scan(move |rows| audit_chain::after(rows, &org, after, limit)).await
    }

    async fn verify_audit(&self, org: &OrgId) -> StoreResult<AuditSummary> {
        audit_pending::link_all(self, org).await?;
        let org = org.clone();
        self.scan(move |rows| audit_chain::verify(rows, &org)).await
    }
}
