//! Operations on the audit trail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::error::AdminError;
use crate::admin::operations::{Operation, Route};
use crate::admin::operator::Operator;
use crate::admin::organisations::store_with;
use keyferry_store::AuditEvent;
use keyferry_types::ids::OrgId;

/// Entries that one request gives at most.
const MOST_ENTRIES: usize = 1000;

/// Walks an organisation's audit chain from end to end.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyAudit {
    /// The organisation.
    pub org: OrgId,
    /// A hash noted by an earlier verification: one entry must have it.
    #[serde(default)]
    pub known: Option<String>,
}

/// The result of a verified chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifiedAudit {
    /// The organisation.
    pub org: OrgId,
    /// How many entries it has.
    pub entries: u64,
    /// Hash of the last one, in hex. Write it down somewhere else, and a chain that is rewritten later is found out.
    pub head: String,
    /// Time of the last one.
    pub newest: Option<String>,
}

/// Reads entries of an organisation's audit chain, in their order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadAudit {
    /// The organisation.
    pub org: OrgId,
    /// The sequence number after which to start.
    #[serde(default)]
    pub after: u64,
}

/// One entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditLine {
    /// The entry's sequence number, from 1.
    pub seq: u64,
    /// Hash of the entry before it, in hex.
    pub prev_hash: String,
    /// The hash of this entry, in hex.
    pub hash: String,
    /// The recorded event.
    pub event: AuditEvent,
}

impl Operation for VerifyAudit {
    type Done = VerifiedAudit;
    const ROUTE: Route = Route::read("/admin/v1/organisations/{org}/audit/verify", "verifyAudit");

    async fn perform(&self, operator: &Operator) -> Result<VerifiedAudit, AdminError> {
        let store = store_with(operator, &self.org).await?;
        let summary = store.verify_audit(&self.org).await?;
        if let Some(known) = &self.known {
            let mut after = 0;
            loop {
                let entries = store.audit_after(&self.org, after, MOST_ENTRIES).await?;
                let Some(last) = entries.last() else {
                    return Err(AdminError::Rewritten { org: self.org.clone(), known: known.clone() });
                };
                if entries.iter().any(|entry| hex::encode(entry.hash).eq_ignore_ascii_case(known)) {
                    break;
                }
                after = last.seq;
            }
        }
        Ok(VerifiedAudit {
            org: summary.org,
            entries: summary.entries,
            head: hex::encode(summary.head),
            newest: summary.newest.map(|at| at.to_string()),
        })
    }
}

impl Operation for ReadAudit {
    type Done = Vec<AuditLine>;
    const ROUTE: Route = Route::read("/admin/v1/organisations/{org}/audit", "readAudit");

    async fn perform(&self, operator: &Operator) -> Result<Vec<AuditLine>, AdminError> {
        let store = store_with(operator, &self.org).await?;
        let entries = store.audit_after(&self.org, self.after, MOST_ENTRIES).await?;
        let line = |entry: keyferry_store::AuditEntry| AuditLine {
            seq: entry.seq,
            prev_hash: hex::encode(entry.prev_hash),
            hash: hex::encode(entry.hash),
            event: entry.event,
        };
        Ok(entries.into_iter().map(line).collect())
    }
}
