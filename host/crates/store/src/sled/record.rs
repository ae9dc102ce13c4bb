//! A record of the journal: one batch of writes as bytes.
//!
//! ```text
//! tag of the file 16 | CRC-32 of what follows 4 | length of the changes 4 | number of the batch 8 | changes | zeros up to the next block
//! ```
//!
//! The tag is random and secret: it tells records from what a record holds, which others have chosen. A change is the table (1), the
//! length of the key with a bit that says whether a value follows, the key, and the length of the value and the value. Lengths are
//! LEB128. A record begins at a block and no block has two records, so that a write never touches a block that has been synced: what
//! tears a block when the power fails cannot reach an earlier batch.

use crate::records::{Changes, Table};

/// Bytes of a block.
pub(super) const BLOCK: usize = 4096;
/// Bytes before the changes.
const HEADER: usize = 32;
/// Where the checksum is, and the checked bytes begin.
const CHECKSUM: usize = 16;
const CHECKED: usize = 20;

/// The first bytes of each record of a file.
pub(super) type Tag = [u8; 16];

/// A change of one row: the value to put, or `None` to remove it.
pub(super) type Change<'a> = (Table, &'a [u8], Option<&'a [u8]>);

/// Writes a batch to `buffer`, whose former content is dropped. Returns the bytes without the zeros at the end.
pub(super) fn encode(buffer: &mut Vec<u8>, tag: &Tag, number: u64, changes: &Changes) -> usize {
    buffer.clear();
    buffer.extend_from_slice(tag);
    buffer.extend_from_slice(&[0; 8]);
    buffer.extend_from_slice(&number.to_le_bytes());
    for (table, key, value) in changes.iter() {
        buffer.push(table as u8);
        put_length(buffer, (key.len() << 1) | usize::from(value.is_some()));
        buffer.extend_from_slice(key);
        if let Some(value) = value {
            put_length(buffer, value.len());
            buffer.extend_from_slice(value);
        }
    }
    let length = buffer.len();
    set(buffer, CHECKED, u32::try_from(length - HEADER).unwrap_or(u32::MAX));
    let checksum = crc32fast::hash(buffer.get(CHECKED..).unwrap_or_default());
    set(buffer, CHECKSUM, checksum);
    buffer.resize(length.next_multiple_of(BLOCK), 0);
    length
}

fn set(buffer: &mut [u8], at: usize, value: u32) {
    if let Some(place) = buffer.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

fn put_length(buffer: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        buffer.push(length as u8 | 0x80);
        length >>= 7;
    }
    buffer.push(length as u8);
}

/// A batch as it was read, with a checksum that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) number: u64,
    changes: &'a [u8],
    /// Bytes up to the next record.
    pub(super) length: usize,
}

impl<'a> Record<'a> {
    /// The record at the beginning of these bytes; `None` where there is no whole one with this tag and a number above `known`.
    pub(super) fn read(bytes: &'a [u8], tag: &Tag, known: u64) -> Option<Self> {
        let rest = bytes.strip_prefix(tag)?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let number = u64::from_le_bytes(*rest.first_chunk()?);
        let end = HEADER.checked_add(u32::from_le_bytes(*length) as usize)?;
        let is_whole = number > known && crc32fast::hash(bytes.get(CHECKED..end)?) == u32::from_le_bytes(*checksum);
        let record = Self { number, changes: bytes.get(HEADER..end)?, length: end.next_multiple_of(BLOCK) };
        is_whole.then_some(record)
    }

    /// Bytes of the changes.
    pub(super) fn weight(&self) -> usize {
        self.changes.len()
    }

    /// The changes in their order. An `Err` ends them: it is of a table or form that is not known here.
    pub(super) fn changes(&self) -> impl Iterator<Item = Result<Change<'a>, ()>> {
        let mut rest = self.changes;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let change = take_change(&mut rest).ok_or(());
            if change.is_err() {
                rest = &[];
            }
            Some(change)
        })
    }
}

fn take_change<'a>(rest: &mut &'a [u8]) -> Option<Change<'a>> {
    let (&table, after) = rest.split_first()?;
    *rest = after;
    let table = *Table::ALL.get(usize::from(table))?;
    let key_length = take_length(rest)?;
    let key = take(rest, key_length >> 1)?;
    let value = match key_length & 1 {
        0 => None,
        _ => {
            let length = take_length(rest)?;
            Some(take(rest, length)?)
        }
    };
    Some((table, key, value))
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TAG: Tag = *b"0123456789abcdef";

    fn any_rows() -> impl Strategy<Value = Vec<(usize, Vec<u8>, Option<Vec<u8>>)>> {
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..300));
        prop::collection::vec((0..Table::ALL.len(), prop::collection::vec(any::<u8>(), 0..200), value), 0..40)
    }

    proptest! {
        #[test]
        fn a_batch_reads_back_and_no_part_of_it_does(
            number in any::<u64>(),
            rows in any_rows(),
            cut in any::<prop::sample::Index>(),
            flip in 0_u8..8,
        ) {
            let mut changes = Changes::default();
            for (table, key, value) in rows {
                changes.set(Table::ALL[table], key, value.map(Into::into));
            }
            let mut bytes = vec![0xaa; 10];
            let number = number.max(1);
            let length = encode(&mut bytes, &TAG, number, &changes);
            prop_assert_eq!(bytes.len() % BLOCK, 0);
            let record = Record::read(&bytes, &TAG, number - 1).unwrap();
            prop_assert_eq!((record.number, record.length), (number, bytes.len()));
            let read: Vec<_> = record.changes().map(Result::unwrap).collect();
            let written: Vec<_> = changes.iter().map(|(table, key, value)| (table, key, value.map(AsRef::as_ref))).collect();
            prop_assert_eq!(read, written);

            prop_assert_eq!(Record::read(&bytes, &TAG, number), None);
            let place = cut.index(length);
            prop_assert_eq!(Record::read(&bytes[..place], &TAG, 0), None);
            bytes[place] ^= 1 << flip;
            prop_assert_eq!(Record::read(&bytes, &TAG, 0), None);
        }

        #[test]
        fn any_bytes_are_no_record_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(Record::read(&bytes, &TAG, 0), None);
            let _ = Record { number: 1, changes: &bytes, length: 0 }.changes().count();
        }
    }
}
