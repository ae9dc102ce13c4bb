//! A backup, as a disk or a person who means harm may have left it.

use keyferry_store::backup::{Contents, Reader, framed};
use keyferry_store::{Piece, TableCounts};

/// A backup is read to its end, or refused with a message; and no bit of one that is read can be another.
///
/// The bytes are a backup as they are; and the sections of one, each with its kind, a length of two bytes and its content, which get the
/// checksums that belong to them.
pub fn backup_file(bytes: &[u8]) {
    is_whole_or_refused(bytes);
    let (mut sections, mut rest) = (Vec::new(), bytes);
    while let Some(([kind, low, high], after)) = rest.split_first_chunk::<3>() {
        let (content, after) = after.split_at(after.len().min(usize::from(u16::from_le_bytes([*low, *high]))));
        sections.push((*kind, content));
        rest = after;
    }
    is_whole_or_refused(&framed(&sections));
}

fn is_whole_or_refused(bytes: &[u8]) {
    match read(bytes) {
        Ok((contents, counts)) => {
            assert_eq!((contents.bytes, &contents.rows), (bytes.len() as u64, &counts));
            // One bit, at a place that the backup itself decides.
            let place = usize::from_str_radix(contents.sha256.get(..8).unwrap(), 16).unwrap();
            let mut other = bytes.to_vec();
            *other.get_mut(place % bytes.len()).unwrap() ^= 1 << (place % 8);
            assert!(read(&other).is_err(), "a wrong bit is not seen");
            let (_, cut) = bytes.split_last().unwrap();
            assert!(read(cut).is_err(), "a missing byte is not seen");
        }
        Err(message) => assert!(!message.is_empty() && message.len() < 1024, "{message}"),
    }
}

fn read(bytes: &[u8]) -> Result<(Contents, TableCounts), String> {
    let mut reader = Reader::open(bytes).map_err(|error| error.to_string())?;
    let mut counts = None;
    while let Some(piece) = reader.next_piece().map_err(|error| error.to_string())? {
        match piece {
            Piece::Rows(rows) | Piece::Changes(rows) => assert!(!rows.is_empty()),
            Piece::End(end) => counts = Some(end),
        }
    }
    let contents = reader.contents().expect("it was read to its end").clone();
    Ok((contents, counts.expect("it has an end")))
}
