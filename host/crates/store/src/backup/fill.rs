//! Filling an empty store: with a backup, or with the content of another store.
//!
//! While it is filled, a store has a mark, which no server opens. A restore that was interrupted is repeated from its beginning, over what
//! is there: all rows of it are put or removed again in the same order. A copy continues behind the last row.

use std::io::Read;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::error::FillError;
use super::read::Reader;
use crate::records::Table;
use crate::{Change, Piece, RowPlace, Store, StoreError, TableCounts, Unfinished};

/// Bytes after which rows are written. They are one transaction.
const WRITTEN_AT_ONCE: usize = 512 << 10;
/// Pieces that are read ahead.
const AHEAD: usize = 4;

/// What is being done, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// That many rows were written.
    Written(usize),
    /// All rows were written, and are read again.
    Comparing,
    /// That many rows were compared.
    Compared(usize),
    /// Audit chains are verified.
    VerifyingAudit,
}

/// A store that has all its content. It keeps its mark until [`finish`](crate::ContentStore::finish).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The number of rows in each table.
    pub rows: TableCounts,
    /// Organisations, whose audit chains hold.
    pub organisations: usize,
    /// Rows that an earlier attempt had written.
    pub resumed: bool,
}

/// Restores a backup into an empty store, or one in which the restore of the same backup was interrupted.
///
/// # Errors
/// The store keeps its mark.
pub async fn restore<R: Read + Send + 'static>(
    store: &dyn Store,
    mut backup: Reader<R>,
    mut progress: impl FnMut(Step),
) -> Result<Filled, FillError> {
    let header = backup.header();
    let what = format!("the restore of the backup of {} made at {}", header.store, header.made_at);
    let mut filler =
        Filler::begin(store, Unfinished { what, id: format!("backup {}", header.id), place: None }).await?;
    if filler.is_continued {
        filler.clear_trails(&mut progress).await?;
    }
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(piece) = backup.next_piece().transpose() {
            let is_last = piece.is_err();
            // The writer may have failed.
            if sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    let mut expected = None;
    while let Some(piece) = pieces.recv().await {
        match piece? {
            Piece::Rows(rows) | Piece::Changes(rows) => filler.add(rows, &mut progress).await?,
            Piece::End(counts) => expected = Some(counts),
        }
    }
    let expected = expected.ok_or(StoreError::Closed)?;
    filler.write(&mut progress).await?;
    progress(Step::Comparing);
    let rows = digests(store, |rows| progress(Step::Compared(rows))).await?.counts;
    for table in Table::ALL {
        let (found, expected) = (rows.of(table), expected.of(table));
        if found != expected {
            return Err(FillError::Count { place: store.origin().to_string(), table: table.name(), found, expected });
        }
    }
    progress(Step::VerifyingAudit);
    Ok(Filled { rows, organisations: verify_audit(store).await?, resumed: filler.is_continued })
}

/// Copies all content of a store into an empty one, or continues where the same copy was interrupted. The source must not be written to
/// meanwhile.
///
/// # Errors
/// The store keeps its mark.
pub async fn copy(from: &dyn Store, to: &dyn Store, mut progress: impl FnMut(Step)) -> Result<Filled, FillError> {
    let source = from.origin();
    if let Some(Unfinished { what, .. }) = from.unfinished().await? {
        return Err(FillError::IncompleteSource { place: source.to_string(), what });
    }
    let mark = Unfinished { what: format!("the copy of {source}"), id: format!("copy {source}"), place: None };
    // This also brings events that wait into their chains.
    verify_audit(from).await?;
    let mut filler = Filler::begin(to, mark).await?;
    let mut pieces = from.content(filler.mark.place.clone()).await?;
    loop {
        match pieces.recv().await.ok_or(StoreError::Closed)?? {
            Piece::Rows(rows) => {
                filler.reached = rows.last().map(RowPlace::of);
                filler.add(rows, &mut progress).await?;
            }
            Piece::Changes(rows) => filler.add(rows, &mut progress).await?,
            Piece::End(_) => break,
        }
    }
    filler.write(&mut progress).await?;
    progress(Step::Comparing);
    let (was, is) = tokio::try_join!(digests(from, |_| ()), digests(to, |rows| progress(Step::Compared(rows))))?;
    for table in Table::ALL {
        if was.of(table) != is.of(table) {
            let (from, to) = (source.to_string(), to.origin().to_string());
            return Err(FillError::Differs { from, to, table: table.name() });
        }
    }
    progress(Step::VerifyingAudit);
    Ok(Filled { rows: is.counts, organisations: verify_audit(to).await?, resumed: filler.is_continued })
}

/// Tables of audit trails.
const TRAILS: [Table; 3] = [Table::Audit, Table::AuditHeads, Table::AuditPending];

/// A store that is being filled.
struct Filler<'a> {
    store: &'a dyn Store,
    mark: Unfinished,
    /// Where the rows that wait end.
    reached: Option<RowPlace>,
    waiting: Vec<Change>,
    bytes: usize,
    is_continued: bool,
}

impl<'a> Filler<'a> {
    /// Marks the store, which has to be empty or have the mark of the same content.
    async fn begin(store: &'a dyn Store, mark: Unfinished) -> Result<Self, FillError> {
        let place = || store.origin().to_string();
        let (mark, is_continued) = match store.unfinished().await? {
            Some(former) if former.id == mark.id => (former, true),
            Some(Unfinished { what, .. }) => return Err(FillError::OtherContent { place: place(), what }),
            None if store.is_empty().await? => (mark, false),
            None => return Err(FillError::NotEmpty { place: place() }),
        };
        store.fill(Vec::new(), mark.clone()).await?;
        Ok(Self { store, reached: mark.place.clone(), mark, waiting: Vec::new(), bytes: 0, is_continued })
    }

    async fn add(&mut self, rows: Vec<Change>, progress: &mut impl FnMut(Step)) -> Result<(), FillError> {
        self.bytes += rows.iter().map(Change::size).sum::<usize>();
        self.waiting.extend(rows);
        if self.bytes >= WRITTEN_AT_ONCE { self.write(progress).await } else { Ok(()) }
    }

    /// Removes the audit trails of an interrupted restore: events that wait in the backup can be in their chains already, as further rows.
    async fn clear_trails(&mut self, progress: &mut impl FnMut(Step)) -> Result<(), FillError> {
        let mut pieces = self.store.content(None).await?;
        let mut found = Vec::new();
        loop {
            match pieces.recv().await.ok_or(StoreError::Closed)?? {
                Piece::Rows(rows) => {
                    let of_trails = rows.into_iter().filter(|row| TRAILS.contains(&row.table));
                    found.extend(of_trails.map(|row| Change { record: None, ..row }));
                }
                Piece::Changes(_) => {}
                Piece::End(_) => break,
            }
        }
        drop(pieces);
        self.add(found, progress).await?;
        self.write(progress).await
    }

    async fn write(&mut self, progress: &mut impl FnMut(Step)) -> Result<(), FillError> {
        let rows = std::mem::take(&mut self.waiting);
        let written = rows.len();
        self.bytes = 0;
        self.mark.place.clone_from(&self.reached);
        self.store.fill(rows, self.mark.clone()).await?;
        progress(Step::Written(written));
        Ok(())
    }
}

/// A digest of each table's rows, and their number.
struct Digests {
    counts: TableCounts,
    hashes: Vec<[u8; 32]>,
}

impl Digests {
    fn of(&self, table: Table) -> (u64, Option<&[u8; 32]>) {
        (self.counts.of(table), self.hashes.get(table as usize))
    }
}

/// Reads all content of a store that is not written to.
async fn digests(store: &dyn Store, mut progress: impl FnMut(usize)) -> Result<Digests, FillError> {
    let mut hashes: Vec<Sha256> = Table::ALL.map(|_| Sha256::new()).into();
    let mut pieces = store.content(None).await?;
    let counts = loop {
        match pieces.recv().await.ok_or(StoreError::Closed)?? {
            Piece::Rows(rows) => {
                progress(rows.len());
                for Change { table, key, record } in &rows {
                    let Some(hash) = hashes.get_mut(*table as usize) else { continue };
                    for part in [key.as_slice(), record.as_deref().unwrap_or_default()] {
                        hash.update((part.len() as u64).to_le_bytes());
                        hash.update(part);
                    }
                }
            }
            Piece::Changes(_) => {
                return Err(StoreError::Contradiction("the store is written to while it is copied").into());
            }
            Piece::End(counts) => break counts,
        }
    };
    Ok(Digests { counts, hashes: hashes.into_iter().map(|hash| hash.finalize().into()).collect() })
}

/// Walks the audit chain of each organisation. Returns their number.
async fn verify_audit(store: &dyn Store) -> Result<usize, FillError> {
    let mut orgs: Vec<_> = store.all_roots().await?.into_iter().map(|(org, _)| org).collect();
    // The roots of an organisation follow each other.
    orgs.dedup();
    for org in &orgs {
        store.verify_audit(org).await?;
    }
    Ok(orgs.len())
}
