//! A store, written into a backup.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;

use super::about::{Header, Trailer};
use super::rows;
use super::section::{Kind, SectionWriter};
use crate::records::LAYOUT;
use crate::{Change, ObjectId, Piece, Pieces, Store, StoreError, StoreResult, TableCounts};

/// The bytes of a backup, section by section. An error ends them, and what came before is no backup.
pub type BackupStream = Pin<Box<dyn Stream<Item = StoreResult<Bytes>> + Send>>;

/// Begins a backup of a store, which may be written meanwhile.
///
/// # Errors
/// Where it cannot be begun; later ones come in the stream.
pub async fn write(store: &dyn Store) -> StoreResult<BackupStream> {
    let pieces = store.content(None).await?;
    // A root that comes later is in the rows. The key that wraps it is checked once they are restored.
    let header = Header::new(ObjectId::generate().to_string(), store.origin(), LAYOUT, &store.all_roots().await?);
    let header = serde_json::to_vec(&header).map_err(unwritable)?;
    let (mut sections, mut bytes) = SectionWriter::new();
    bytes.extend(sections.section(Kind::Header, &header));
    let state = State { sections, pieces, beginning: Some(bytes), is_complete: false };
    Ok(Box::pin(stream::try_unfold(state, State::next)))
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Read(Box::new(error))
}

struct State {
    sections: SectionWriter,
    pieces: Pieces,
    beginning: Option<Vec<u8>>,
    is_complete: bool,
}

impl State {
    async fn next(mut self) -> StoreResult<Option<(Bytes, Self)>> {
        if let Some(beginning) = self.beginning.take() {
            return Ok(Some((beginning.into(), self)));
        }
        if self.is_complete {
            return Ok(None);
        }
        let piece = self.pieces.recv().await.ok_or(StoreError::Closed)??;
        let bytes = match &piece {
            Piece::Rows(rows) => self.rows(Kind::Rows, rows),
            Piece::Changes(changes) => self.rows(Kind::Changes, changes),
            Piece::End(counts) => self.end(counts)?,
        };
        Ok(Some((bytes.into(), self)))
    }

    fn rows(&mut self, kind: Kind, rows: &[Change]) -> Vec<u8> {
        let size: usize = rows.iter().map(|row| row.size() + 8).sum();
        let mut content = Vec::with_capacity(size);
        rows::encode(rows, &mut content);
        self.sections.section(kind, &content)
    }

    fn end(&mut self, counts: &TableCounts) -> StoreResult<Vec<u8>> {
        self.is_complete = true;
        let rows = counts.iter().map(|(table, count)| (table.to_owned(), count)).collect();
        let trailer = Trailer { rows, sha256: self.sections.sha256() };
        Ok(self.sections.section(Kind::End, &serde_json::to_vec(&trailer).map_err(unwritable)?))
    }
}
