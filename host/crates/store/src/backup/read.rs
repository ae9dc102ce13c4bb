//! A backup, read and checked section by section.

use std::io::Read;

use super::about::{Contents, Header, Trailer};
use super::error::BackupError;
use super::rows;
use super::section::{Kind, SectionReader};
use crate::records::{LAYOUT, Table};
use crate::{Piece, TableCounts};

/// Reads a backup. Blocks as its source does.
pub struct Reader<R> {
    sections: SectionReader<R>,
    header: Header,
    /// The tables of the header's list.
    tables: Vec<Table>,
    /// The last row so far: rows are in the order of tables and keys.
    last: Option<(Table, Vec<u8>)>,
    contents: Option<Contents>,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// Where it is no backup, or one that is not known here.
    pub fn open(bytes: R) -> Result<Self, BackupError> {
        let mut sections = SectionReader::open(bytes)?;
        let (kind, content) = sections.next()?;
        if kind != Kind::Header {
            return Err(sections.damaged("a backup begins with its header"));
        }
        let header: Header =
            serde_json::from_slice(&content).map_err(|_| sections.damaged("the header is of another form"))?;
        if header.layout > LAYOUT {
            return Err(BackupError::Layout { found: header.layout, known: LAYOUT });
        }
        let known = |name: &String| {
            let table = Table::ALL.into_iter().find(|table| table.name() == name);
            table.ok_or_else(|| BackupError::Table { name: name.clone() })
        };
        let tables = header.tables.iter().map(known).collect::<Result<_, _>>()?;
        Ok(Self { sections, header, tables, last: None, contents: None })
    }

    /// What the backup says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes that were read so far.
    pub fn bytes(&self) -> u64 {
        self.sections.bytes()
    }

    /// What is in it, once it was read to its end.
    pub fn contents(&self) -> Option<&Contents> {
        self.contents.as_ref()
    }

    /// The next piece, the end included; `None` after that.
    ///
    /// # Errors
    /// Names the section that is cut off or damaged.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, BackupError> {
        if self.contents.is_some() {
            return Ok(None);
        }
        let (kind, content) = self.sections.next()?;
        let piece = match kind {
            Kind::Header => return Err(self.sections.damaged("a backup has one header")),
            Kind::End => Piece::End(self.end(&content)?),
            Kind::Rows | Kind::Changes => {
                let rows = rows::decode(content, &self.tables).filter(|rows| !rows.is_empty());
                let rows = rows.ok_or_else(|| self.sections.damaged("its rows are of another form"))?;
                if kind == Kind::Changes {
                    return Ok(Some(Piece::Changes(rows)));
                }
                for row in &rows {
                    let follows = self.last.as_ref().is_none_or(|(table, key)| (row.table, &row.key) > (*table, key));
                    if row.record.is_none() || !follows {
                        return Err(self.sections.damaged("its rows are not in their order"));
                    }
                    self.last = Some((row.table, row.key.clone()));
                }
                Piece::Rows(rows)
            }
        };
        Ok(Some(piece))
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// Names the section that is cut off or damaged.
    pub fn verify(mut self, mut progress: impl FnMut(u64)) -> Result<(Header, Contents), BackupError> {
        while self.next_piece()?.is_some() {
            progress(self.bytes());
        }
        match self.contents {
            Some(contents) => Ok((self.header, contents)),
            None => Err(self.sections.damaged("it has no end")),
        }
    }

    fn end(&mut self, content: &[u8]) -> Result<TableCounts, BackupError> {
        let trailer: Trailer =
            serde_json::from_slice(content).map_err(|_| self.sections.damaged("the end is of another form"))?;
        let mut counts = TableCounts::default();
        for (name, count) in &trailer.rows {
            let table = self.tables.iter().find(|table| table.name() == name);
            let table =
                table.ok_or_else(|| self.sections.damaged("it counts rows of a table that is not in the header"))?;
            counts.set(*table, *count);
        }
        if trailer.sha256 != self.sections.sha256_before() {
            return Err(self.sections.damaged("its SHA-256 is not that of all before it"));
        }
        if !self.sections.is_at_end()? {
            return Err(self.sections.damaged("more bytes follow the end of the backup"));
        }
        let Trailer { sha256, .. } = trailer;
        self.contents = Some(Contents { rows: counts.clone(), sha256, bytes: self.sections.bytes() });
        Ok(counts)
    }
}
