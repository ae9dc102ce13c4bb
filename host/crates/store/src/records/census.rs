//! Numbers of records.

use super::rows::{Range, Rows};
use super::table::Table;
use crate::{Census, IntegrationRecord, Reauth, StoreResult};

/// Implements [`Store::census`](crate::Store::census).
pub(crate) fn census(rows: &dyn Rows) -> StoreResult<Census> {
    let mut expired_connections = 0;
    rows.each(Table::Integrations, Range::of(&[]), |record: IntegrationRecord| {
        expired_connections += usize::from(record.reauth == Reauth::Required);
    })?;
    Ok(Census {
        expired_connections,
        waiting_deliveries: rows.count(Table::Outbox, Range::of(&[]))?,
        failed_deliveries: rows.count(Table::Undelivered, Range::of(&[]))?,
    })
}
