//! All content as it is at one moment, read while batches become visible.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::durability::Progress;
use super::tables::Tables;
use super::tap::Tap;
use crate::content::PIECE;
use crate::records::{Range, Rows as _, Table, is_own};
use crate::{Change, Piece, Pieces, RowPlace, StoreResult};

/// Pieces that may wait for their reader.
const WAITING: usize = 4;
/// Rows of a page. No batch becomes visible while one is read.
const MOST_ROWS: usize = 256;
/// Bytes after which a page is closed.
const PAGE: usize = 64 << 10;

/// Begins to read. It ends when the pieces are dropped.
pub(super) fn begin(tables: Tables, progress: Arc<Progress>, after: Option<RowPlace>) -> StoreResult<Pieces> {
    let (table, key) = after.map_or((0, None), RowPlace::split);
    let tap = Arc::new(Tap::new(table, key.clone()));
    tables.attach(&tap)?;
    let mut copy = Copying { tables, progress, tap, is_attached: true };
    let (sender, pieces) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut send = |piece| match sender.blocking_send(Ok(piece)) {
            Ok(()) => ControlFlow::Continue(()),
            // The reader has gone.
            Err(_) => ControlFlow::Break(()),
        };
        if let Err(error) = copy.run(table, key, &mut send) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    Ok(pieces)
}

/// A copy that is under way.
struct Copying {
    tables: Tables,
    progress: Arc<Progress>,
    tap: Arc<Tap>,
    is_attached: bool,
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.detach();
    }
}

/// Sends a piece; it breaks where the reader has gone.
type Sink<'a> = dyn FnMut(Piece) -> ControlFlow<()> + 'a;

impl Copying {
    fn run(&mut self, first: usize, mut key: Option<Vec<u8>>, send: &mut Sink<'_>) -> StoreResult<()> {
        for table in Table::ALL.into_iter().skip(first) {
            let mut last = key.take();
            loop {
                // Before the next page: what it has replaces what has changed before it was read.
                if self.send_changes(send)?.is_break() {
                    return Ok(());
                }
                let page = self.page(table, last)?;
                last = page.last().map(|row| row.key.clone());
                let rows: Vec<_> = page.into_iter().filter(|row| !is_own(table, &row.key)).collect();
                if !rows.is_empty() && send(Piece::Rows(rows)).is_break() {
                    return Ok(());
                }
                if last.is_none() {
                    break;
                }
            }
        }
        self.detach();
        // A batch that has failed can be visible in part.
        if let Some(failure) = self.progress.failure() {
            return Err(failure);
        }
        if self.send_changes(send)?.is_continue() {
            let _ = send(Piece::End(self.tap.counts()));
        }
        Ok(())
    }

    /// The next rows of a table, its own included; none at its end.
    fn page(&self, table: Table, after: Option<Vec<u8>>) -> StoreResult<Vec<Change>> {
        let mut page = Vec::new();
        self.tables.at_one_moment(&mut || {
            let mut bytes = 0;
            self.tables.walk(table, Range::of(&[]).after(after.as_deref()), &mut |key, record| {
                bytes += key.len() + record.len();
                page.push(Change { table, key: key.to_vec(), record: Some(Bytes::copy_from_slice(record)) });
                let is_full = page.len() >= MOST_ROWS || bytes >= PAGE;
                Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            // In the same moment: the next batch has to find how far this has come.
            match page.is_empty() {
                true => self.tap.read_table(table),
                false => self.tap.read(table, &page),
            }
            Ok(())
        })?;
        Ok(page)
    }

    fn send_changes(&self, send: &mut Sink<'_>) -> StoreResult<ControlFlow<()>> {
        let mut changes = self.tap.take()?.into_iter().peekable();
        while changes.peek().is_some() {
            let mut bytes = 0;
            let mut piece = Vec::new();
            while let Some(change) = changes.next_if(|_| bytes < PIECE) {
                bytes += change.size();
                piece.push(change);
            }
            if send(Piece::Changes(piece)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn detach(&mut self) {
        if std::mem::take(&mut self.is_attached) {
            self.tables.detach();
        }
    }
}
