//! Sections: bytes with a number, a kind and checksums.
//!
//! ```text
//! kind 1 | length of the content 4 | CRC-32 of the number of the section 8, kind and length 4 | CRC-32 of the content 4 | content
//! ```
//!
//! Numbers are little-endian. Sections are counted from 1; the number is not in the file, so that one that is missing or at another place
//! does not fit.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::error::{BackupError, SectionName};

/// The first line. The number is the form of all that follows.
pub(super) const FIRST_LINE: &[u8] = b"KEYFERRY-BACKUP 1\n";
const MAGIC: &[u8] = b"KEYFERRY-BACKUP ";
const VERSION: u32 = 1;
/// Bytes before the content.
const HEAD: usize = 13;
/// Bytes of a section's content: those of a piece with its last row, several times over.
const LARGEST: usize = 4 << 20;

/// What is in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Header,
    Rows,
    Changes,
    End,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Header, Self::Rows, Self::Changes, Self::End];

    fn byte(self) -> u8 {
        match self {
            Self::Header => b'H',
            Self::Rows => b'R',
            Self::Changes => b'C',
            Self::End => b'E',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Rows => "rows",
            Self::Changes => "changes",
            Self::End => "end",
        }
    }
}

/// Writes sections, one after the other.
pub(super) struct SectionWriter {
    number: u64,
    hash: Sha256,
}

impl SectionWriter {
    /// The bytes of a backup begin with these.
    pub(super) fn new() -> (Self, Vec<u8>) {
        let mut hash = Sha256::new();
        hash.update(FIRST_LINE);
        (Self { number: 0, hash }, FIRST_LINE.to_vec())
    }

    /// The bytes of the next section.
    pub(super) fn section(&mut self, kind: Kind, content: &[u8]) -> Vec<u8> {
        self.number += 1;
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEAD + content.len());
        bytes.push(kind.byte());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head_checksum(self.number, kind.byte(), length).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        bytes.extend_from_slice(content);
        self.hash.update(&bytes);
        bytes
    }

    /// SHA-256 of all bytes so far, in hex.
    pub(super) fn sha256(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }
}

/// A backup of these sections, by the number of their kind, with the right numbers and checksums. In the content of an end, `@` becomes the
/// SHA-256 of all before it.
#[cfg(any(test, feature = "fuzzing"))]
pub fn framed(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let (mut writer, mut bytes) = SectionWriter::new();
    for (kind, content) in sections {
        let kind = Kind::ALL.into_iter().cycle().nth(usize::from(*kind)).unwrap_or(Kind::End);
        let sha256 = writer.sha256();
        let content: Vec<u8> = match kind {
            Kind::End => content
                .iter()
                .flat_map(|byte| if *byte == b'@' { sha256.as_bytes() } else { std::slice::from_ref(byte) })
                .copied()
                .collect(),
            _ => content.to_vec(),
        };
        bytes.extend(writer.section(kind, &content));
    }
    bytes
}

fn head_checksum(number: u64, kind: u8, length: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&[kind]);
    hasher.update(&length.to_le_bytes());
    hasher.finalize()
}

/// Reads sections, one after the other.
pub(super) struct SectionReader<R> {
    bytes: R,
    /// Bytes that were read.
    at: u64,
    hash: Sha256,
    /// SHA-256 of all bytes before the last section.
    before: Sha256,
    /// The section that was read last.
    current: SectionName,
}

impl<R: Read> SectionReader<R> {
    /// Reads the first line.
    pub(super) fn open(mut bytes: R) -> Result<Self, BackupError> {
        let mut line = [0; FIRST_LINE.len()];
        let current = SectionName { number: 0, at: 0, kind: Some("first line") };
        let read =
            read_up_to(&mut bytes, &mut line).map_err(|source| BackupError::Read { section: current, source })?;
        let line = line.get(..read).unwrap_or_default();
        if line != FIRST_LINE {
            return Err(first_line_error(line, current));
        }
        let mut hash = Sha256::new();
        hash.update(line);
        Ok(Self { bytes, at: read as u64, before: hash.clone(), hash, current })
    }

    /// The next section.
    pub(super) fn next(&mut self) -> Result<(Kind, Vec<u8>), BackupError> {
        self.current = SectionName { number: self.current.number + 1, at: self.at, kind: None };
        self.before = self.hash.clone();
        let mut head = [0; HEAD];
        self.fill(&mut head)?;
        let [kind, l0, l1, l2, l3, h0, h1, h2, h3, c0, c1, c2, c3] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if u32::from_le_bytes([h0, h1, h2, h3]) != head_checksum(self.current.number, kind, length) {
            return Err(self.damaged("its head does not fit its checksum"));
        }
        let kind = Kind::ALL.into_iter().find(|known| known.byte() == kind);
        let kind = kind.ok_or_else(|| self.damaged("it is of a kind that is not known"))?;
        self.current.kind = Some(kind.name());
        let length = usize::try_from(length).ok().filter(|length| *length <= LARGEST);
        let mut content = vec![0; length.ok_or_else(|| self.damaged("it is longer than sections are"))?];
        self.fill(&mut content)?;
        if u32::from_le_bytes([c0, c1, c2, c3]) != crc32fast::hash(&content) {
            return Err(self.damaged("its content does not fit its checksum"));
        }
        Ok((kind, content))
    }

    /// Whether all bytes were read.
    pub(super) fn is_at_end(&mut self) -> Result<bool, BackupError> {
        let mut byte = [0];
        let read = read_up_to(&mut self.bytes, &mut byte);
        Ok(read.map_err(|source| BackupError::Read { section: self.current, source })? == 0)
    }

    /// SHA-256 of all bytes before the section that was read last, in hex.
    pub(super) fn sha256_before(&self) -> String {
        hex::encode(self.before.clone().finalize())
    }

    /// Bytes that were read.
    pub(super) fn bytes(&self) -> u64 {
        self.at
    }

    /// The section that was read last is not as it was written.
    pub(super) fn damaged(&self, problem: &'static str) -> BackupError {
        BackupError::Damaged { section: self.current, problem }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), BackupError> {
        let read = read_up_to(&mut self.bytes, buffer);
        let read = read.map_err(|source| BackupError::Read { section: self.current, source })?;
        self.at += read as u64;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        if read < buffer.len() {
            return Err(BackupError::Cut { section: self.current, bytes: self.at });
        }
        Ok(())
    }
}

/// Reads until the buffer is full or there is nothing more.
fn read_up_to(bytes: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match bytes.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn first_line_error(line: &[u8], section: SectionName) -> BackupError {
    if line.len() < FIRST_LINE.len() && FIRST_LINE.starts_with(line) {
        return BackupError::Cut { section, bytes: line.len() as u64 };
    }
    let version = line.strip_prefix(MAGIC).map(|rest| rest.split(|byte| *byte == b'\n').next().unwrap_or_default());
    match version.and_then(|version| std::str::from_utf8(version).ok()) {
        Some(found) if found.bytes().all(|byte| byte.is_ascii_digit()) => {
            BackupError::Format { found: found.to_owned(), known: VERSION }
        }
        Some(_) => BackupError::Damaged { section, problem: "it is not the one of a backup" },
        None => BackupError::NotABackup,
    }
}
