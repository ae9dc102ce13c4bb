//! Rows as bytes: the number of the table in the header's list (1), the length of the key with a bit that says whether a record follows,
//! the key, and the length of the record and the record. Lengths are LEB128.

use bytes::Bytes;

use crate::Change;
use crate::records::Table;

/// Appends rows.
pub(super) fn encode(rows: &[Change], content: &mut Vec<u8>) {
    for Change { table, key, record } in rows {
        content.push(*table as u8);
        put_length(content, (key.len() << 1) | usize::from(record.is_some()));
        content.extend_from_slice(key);
        if let Some(record) = record {
            put_length(content, record.len());
            content.extend_from_slice(record);
        }
    }
}

/// The rows of a section; `None` where the bytes are of another form. `tables` are those of the header.
pub(super) fn decode(content: Vec<u8>, tables: &[Table]) -> Option<Vec<Change>> {
    // Records are parts of these bytes, not copies.
    let mut rest = Bytes::from(content);
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let table = *tables.get(usize::from(take(&mut rest, 1)?.first().copied()?))?;
        let length = take_length(&mut rest)?;
        let key = take(&mut rest, length >> 1)?.to_vec();
        let record = match length & 1 {
            0 => None,
            _ => {
                let length = take_length(&mut rest)?;
                Some(take(&mut rest, length)?)
            }
        };
        rows.push(Change { table, key, record });
    }
    Some(rows)
}

fn put_length(content: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        content.push(length as u8 | 0x80);
        length >>= 7;
    }
    content.push(length as u8);
}

fn take_length(rest: &mut Bytes) -> Option<usize> {
    let mut length = 0;
    for shift in (0..28).step_by(7) {
        let byte = take(rest, 1)?.first().copied()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= rest.len()).then(|| rest.split_to(length))
}
