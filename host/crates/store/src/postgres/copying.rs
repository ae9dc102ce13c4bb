//! All content as it is at one moment, in one transaction that reads.
//!
//! It sees what was committed before its first statement, by all servers: each of their batches whole or not at all.

use tokio::sync::mpsc;

use super::fault::Fault;
use super::lent::Lent;
use super::rows::in_time;
use super::sql;
use crate::records::{Range, Table, is_own};
use crate::{Change, Piece, Pieces, RowPlace, TableCounts};

/// Pieces that may wait for their reader.
const WAITING: usize = 4;
/// Rows that are asked for at a time.
const PAGE: usize = 256;

/// Begins to read. It ends when the pieces are dropped.
pub(super) async fn begin(lent: Lent, after: Option<RowPlace>) -> Result<Pieces, Fault> {
    in_time(lent.client()?.batch_execute(sql::BEGIN_COPY)).await?;
    let (sender, pieces) = mpsc::channel(WAITING);
    let (table, key) = after.map_or((0, None), RowPlace::split);
    tokio::spawn(async move {
        if let Err(fault) = read(lent, table, key, &sender).await {
            let _ = sender.send(Err(fault.into_error())).await;
        }
    });
    Ok(pieces)
}

async fn read(
    lent: Lent,
    first: usize,
    mut key: Option<Vec<u8>>,
    sender: &mpsc::Sender<crate::StoreResult<Piece>>,
) -> Result<(), Fault> {
    let mut counts = TableCounts::default();
    for table in Table::ALL.into_iter().skip(first) {
        let mut after = key.take();
        loop {
            let range = Range::of(&[]).after(after.as_deref());
            let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let page = in_time(sql::page(lent.client()?, table, range, most)).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|(key, _)| key.clone());
            let rows = page.into_iter().filter(|(key, _)| !is_own(table, key));
            let rows: Vec<_> = rows.map(|(key, record)| Change { table, key, record: Some(record) }).collect();
            counts.add(table, rows.len());
            if !rows.is_empty() && sender.send(Ok(Piece::Rows(rows))).await.is_err() {
                // The reader has gone.
                return Ok(());
            }
            if is_last {
                break;
            }
        }
    }
    in_time(lent.client()?.batch_execute("COMMIT")).await?;
    lent.put_back();
    let _ = sender.send(Ok(Piece::End(counts))).await;
    Ok(())
}
