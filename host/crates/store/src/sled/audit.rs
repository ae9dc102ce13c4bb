//! Reading the audit trail on sled.

use async_trait::async_trait;

use super::audit_chain;
use super::engine::SledStore;
use crate::{AuditEntry, AuditStore, AuditSummary, StoreResult};
use keyferry_types::ids::OrgId;

#[async_trait]
impl AuditStore for SledStore {
    async fn audit_tail(&self, org: &OrgId, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        let org = org.clone();
        self.scan(move |tables| audit_chain::tail(tables, &org, limit)).await
    }

    async fn audit_after(&self, org: &OrgId, after: u64, limit: usize) -> StoreResult<Vec<AuditEntry>> {
        let org = org.clone();
        let entries = self.scan(move |tables| audit_chain::after(tables, &org, after, limit)).await?;
        self.until_durable().await?;
        Ok(entries)
    }

    async fn verify_audit(&self, org: &OrgId) -> StoreResult<AuditSummary> {
        let org = org.clone();
        self.scan(move |tables| audit_chain::verify(tables, &org)).await
    }
}
