//! CSV: a record a row (RFC 4180), of bounded size, whatever the file holds.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use zeroize::Zeroizing;

/// Fields that a record may have.
const MAX_FIELDS: usize = 1024;
/// Bytes of a record that room is made for at first.
const USUAL: usize = 8 * 1024;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// A record; it has [`Csv::fields`].
    Whole,
    /// A record that is larger than a row may be, and was skipped.
    TooLarge,
    /// A record of more fields than any header has; it was skipped.
    TooManyFields,
    /// The rest of the file: a quote opens and does not close.
    Unclosed,
}

/// The records of a file.
pub(super) struct Csv {
    core: Reader,
    /// The fields' content, one after the other.
    content: Zeroizing<Vec<u8>>,
    limit: usize,
    /// Where each field ends.
    ends: Vec<usize>,
    count: usize,
    line: u64,
}

impl Csv {
    /// Records of at most so many bytes, from that line on.
    pub(super) fn new(delimiter: u8, limit: usize, line: u64) -> Self {
        // Without any room at all the parser would not get on.
        let limit = limit.max(1);
        Self {
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            content: Zeroizing::new(vec![0; USUAL.min(limit)]),
            limit,
            ends: vec![0; MAX_FIELDS],
            count: 0,
            line,
        }
    }

    /// Reads the next record, and tells on which line it begins.
    pub(super) fn next(&mut self, reader: &mut dyn BufRead) -> io::Result<Option<(u64, Record)>> {
        if !self.pass_line_ends(reader)? {
            return Ok(None);
        }
        let line = self.line;
        let (mut written, mut ended, mut record) = (0, 0, Record::Whole);
        loop {
            let chunk = reader.fill_buf()?;
            let is_end = chunk.is_empty();
            // The end of the file ends a record as a line does. Where it does not, a quote is still open.
            let input = if is_end { &b"\n"[..] } else { chunk };
            let (result, read, wrote, fields) = self.core.read_record(
                input,
                self.content.get_mut(written..).unwrap_or_default(),
                self.ends.get_mut(ended..).unwrap_or_default(),
            );
            if !is_end {
                self.line += memchr::memchr_iter(b'\n', input.get(..read).unwrap_or_default()).count() as u64;
                reader.consume(read);
            }
            (written, ended) = (written + wrote, ended + fields);
            match result {
                ReadRecordResult::InputEmpty if is_end => return Ok(Some((line, Record::Unclosed))),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if record == Record::Whole && self.grow() => {}
                ReadRecordResult::OutputFull => {
                    (written, record) = (0, if record == Record::Whole { Record::TooLarge } else { record });
                }
                ReadRecordResult::OutputEndsFull => (ended, record) = (0, Record::TooManyFields),
                ReadRecordResult::Record => {
                    self.count = ended;
                    return Ok(Some((line, record)));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Passes what ends lines; `false` at the end of the file.
    fn pass_line_ends(&mut self, reader: &mut dyn BufRead) -> io::Result<bool> {
        loop {
            let chunk = reader.fill_buf()?;
            let ends = chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if ends == 0 {
                return Ok(!chunk.is_empty());
            }
            self.line += memchr::memchr_iter(b'\n', chunk.get(..ends).unwrap_or_default()).count() as u64;
            reader.consume(ends);
        }
    }

    /// Makes more room for a record, if a row may be that large. The old room is wiped.
    fn grow(&mut self) -> bool {
        let room = self.content.len();
        if room >= self.limit {
            return false;
        }
        let mut larger = Zeroizing::new(Vec::with_capacity((room * 2).clamp(1, self.limit)));
        larger.extend_from_slice(&self.content);
        larger.resize((room * 2).clamp(1, self.limit), 0);
        self.content = larger;
        true
    }

    /// The fields of the record that was read.
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let ends = self.ends.get(..self.count).unwrap_or_default();
        ends.iter().enumerate().map(move |(n, end)| {
            let from = n.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
            self.content.get(from..*end).unwrap_or_default()
        })
    }
}

/// What separates the fields of a header: of a comma, a semicolon and a tab the one that it has most of outside of quotes.
pub(super) fn delimiter(header: &[u8]) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in header {
        quoted ^= *byte == b'"';
        for (delimiter, count) in &mut counts {
            *count += usize::from(!quoted && byte == delimiter);
        }
    }
    // The last of several largest would be taken, and a comma is the usual one.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, limit: usize) -> Vec<(u64, Record, Vec<String>)> {
        let mut csv = Csv::new(b',', limit, 1);
        let mut reader = text.as_bytes();
        let mut seen = Vec::new();
        while let Some((line, record)) = csv.next(&mut reader).unwrap() {
            let fields = csv.fields().map(|field| String::from_utf8_lossy(field).into_owned());
            seen.push((line, record, if record == Record::Whole { fields.collect() } else { Vec::new() }));
        }
        seen
    }

    #[test]
    fn records_are_read_as_the_standard_says_with_their_lines() {
        let text = "a,b\r\n\"x,\"\"y\n\",\r\n\n\r\n1,2,3\n,\n\"q\"";
        let expected: [(u64, &[&str]); 5] =
            [(1, &["a", "b"]), (2, &["x,\"y\n", ""]), (6, &["1", "2", "3"]), (7, &["", ""]), (8, &["q"])];
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, fields)| (*line, Record::Whole, fields.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>()))
            .collect();
        assert_eq!(records(text, 100), expected);
        assert_eq!(records("", 100), []);
        assert_eq!(records("\n\r\n", 100), []);
    }

    #[test]
    fn what_is_too_large_is_skipped_and_what_follows_is_read() {
        let long = "0123456789".repeat(3000);
        let text = format!("a,b\n{long},{long}\nc,\"{long}\n\"\nd,e");
        for limit in [16, 20_000] {
            let kinds: Vec<_> = records(&text, limit).into_iter().map(|(line, record, _)| (line, record)).collect();
            let expected = [(1, Record::Whole), (2, Record::TooLarge), (3, Record::TooLarge), (5, Record::Whole)];
            assert_eq!(kinds, expected);
        }
        assert!(records(&text, 100_000).iter().all(|(_, record, _)| *record == Record::Whole));
        let many = format!("a\n{}\nb", ",".repeat(5000));
        let kinds: Vec<_> = records(&many, 100_000).into_iter().map(|(_, record, _)| record).collect();
        assert_eq!(kinds, [Record::Whole, Record::TooManyFields, Record::Whole]);
    }

    #[test]
    fn a_quote_that_stays_open_is_told() {
        let kinds: Vec<_> =
            records("a,b\n1,\"2\n3,4\n", 100).into_iter().map(|(line, record, _)| (line, record)).collect();
        assert_eq!(kinds, [(1, Record::Whole), (2, Record::Unclosed)]);
    }

    #[test]
    fn the_delimiter_is_told_by_the_header() {
        for (header, expected) in [
            ("a,b;c", b','),
            ("a;b", b';'),
            ("a\tb\tc,d", b'\t'),
            ("a", b','),
            ("\"a,b,c\";d", b';'),
            ("a,b;c,d", b','),
        ] {
            assert_eq!(delimiter(header.as_bytes()), expected, "{header}");
        }
    }
}
