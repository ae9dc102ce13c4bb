//! CSV: a record a row (RFC 4180), of bounded size, whatever the file holds.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use zeroize::Zeroizing;

/// Fields that a record may have.
const MAX_FIELDS: usize = 1024;
/// Bytes of a record that room is made for at first.
const USUAL: usize = 8 * 1024;

/// The result of reading a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// A record; it has [`Csv::fields`].
    Whole,
    /// A record that is larger than a row may be, and was skipped.
    TooLarge,
    /// A record of more fields than any header has; it was skipped.
    TooManyFields,
    /// The rest of the file: a quote opens and does not close.
    Unclosed {
        /// The line on which the value begins, counted from 1.
        line: u64,
        /// Index of the value in its record, from 0.
        field: usize,
    },
}

/// The records of a file.
pub(super) struct Csv {
    core: Reader,
    /// The fields' content, one after the other.
    content: Zeroizing<Vec<u8>>,
    limit: usize,
    /// The end of each field, as a byte offset.
    ends: Vec<usize>,
    count: usize,
    line: u64,
    delimiter: u8,
    /// The last byte of the file that was read.
    last: u8,
    end: End,
}

/// What ended the record that was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    LineBreak,
    /// The end of the file.
    File,
}

impl Csv {
    /// Reads records of at most `limit` bytes, from that line on.
    pub(super) fn new(delimiter: u8, limit: usize, line: u64) -> Self {
        // The parser makes no progress without any room.
        let limit = limit.max(1);
        Self {
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            content: Zeroizing::new(vec![0; USUAL.min(limit)]),
            limit,
            ends: vec![0; MAX_FIELDS],
            count: 0,
            line,
            delimiter,
            last: b'\n',
            end: End::LineBreak,
        }
    }

    /// The delimiter of fields.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Whether the file ends right after the record that was read last, without a line break or a closing quote: its last value
    /// may continue in the file that this one is a part of.
    pub(super) fn may_be_cut_short(&self) -> bool {
        self.end == End::File && self.last != b'"' && self.fields().next_back().is_some_and(|field| !field.is_empty())
    }

    /// Whether the file ends right after the record that was read last.
    pub(super) fn is_at_end(&self) -> bool {
        self.end == End::File
    }

    /// Reads the next record and returns the line on which it begins.
    pub(super) fn next(&mut self, reader: &mut dyn BufRead) -> io::Result<Option<(u64, Record)>> {
        if !self.pass_line_ends(reader)? {
            return Ok(None);
        }
        let line = self.line;
        self.count = 0;
        self.end = End::LineBreak;
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
                let input = input.get(..read).unwrap_or_default();
                (self.line, self.last) =
                    (self.line + line_breaks(self.last, input), *input.last().unwrap_or(&self.last));
                reader.consume(read);
            }
            (written, ended) = (written + wrote, ended + fields);
            match result {
                ReadRecordResult::InputEmpty if is_end => {
                    let begin = if record == Record::Whole { self.begin(ended, written) } else { line };
                    self.count = if record == Record::Whole { ended } else { 0 };
                    self.end = End::File;
                    return Ok(Some((line, Record::Unclosed { line: begin, field: ended })));
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if record == Record::Whole && self.grow() => {}
                ReadRecordResult::OutputFull => {
                    (written, record) = (0, if record == Record::Whole { Record::TooLarge } else { record });
                }
                ReadRecordResult::OutputEndsFull => (ended, record) = (0, Record::TooManyFields),
                ReadRecordResult::Record => {
                    self.count = if record == Record::Whole { ended } else { 0 };
                    self.end = if is_end { End::File } else { End::LineBreak };
                    return Ok(Some((line, record)));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// The line on which the unfinished last value of the file begins, given the number of fields before it.
    fn begin(&self, fields: usize, written: usize) -> u64 {
        let from = fields.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default();
        let value = self.content.get(from..written).unwrap_or_default();
        // The last of its line breaks is not of the file.
        self.line.saturating_sub(line_breaks(0, value.strip_suffix(b"\n").unwrap_or(value)))
    }

    /// Passes what ends lines; `false` at the end of the file.
    fn pass_line_ends(&mut self, reader: &mut dyn BufRead) -> io::Result<bool> {
        loop {
            let chunk = reader.fill_buf()?;
            let ends = chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if ends == 0 {
                return Ok(!chunk.is_empty());
            }
            let passed = chunk.get(..ends).unwrap_or_default();
            (self.line, self.last) = (self.line + line_breaks(self.last, passed), *passed.last().unwrap_or(&self.last));
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
    pub(super) fn fields(&self) -> impl ExactSizeIterator<Item = &[u8]> + DoubleEndedIterator {
        let ends = self.ends.get(..self.count).unwrap_or_default();
        ends.iter().enumerate().map(move |(n, end)| {
            let from = n.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
            self.content.get(from..*end).unwrap_or_default()
        })
    }
}

/// How many lines end in bytes that come after that one: by a line feed, a carriage return, or one behind the other.
fn line_breaks(mut before: u8, bytes: &[u8]) -> u64 {
    let mut count = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', bytes) {
        let previous = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(before);
        before = bytes.get(at).copied().unwrap_or_default();
        count += u64::from(before == b'\r' || previous != b'\r');
    }
    count
}

/// The delimiter that a first line names for spreadsheets, as in `sep=;`. Such a line is not a part of the table.
pub(super) fn named_delimiter(line: &[u8]) -> Option<u8> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // A program that writes the line as a row of its table adds quotes, or delimiters after it.
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (name, delimiters) = line.split_at_checked(4)?;
    let (delimiter, more) = delimiters.split_first()?;
    let is_one = !delimiter.is_ascii_alphanumeric() && *delimiter != b'"' && delimiter.is_ascii();
    (name.eq_ignore_ascii_case(b"sep=")
        && is_one
        && more.iter().all(|byte| matches!(byte, b'"' | b' ') || byte == delimiter))
    .then_some(*delimiter)
}

/// The separator of a header's fields: the most frequent one of comma, semicolon, tab and bar outside of quotes.
pub(super) fn delimiter(header: &[u8]) -> u8 {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
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
    fn lines_are_counted_whatever_ends_them() {
        for text in ["a,b\n\"1\n2\",x\n\n3,4\n", "a,b\r\n\"1\r\n2\",x\r\n\r\n3,4\r\n", "a,b\r\"1\r2\",x\r\r3,4\r"] {
            let lines: Vec<_> = records(text, 100).into_iter().map(|(line, ..)| line).collect();
            assert_eq!(lines, [1, 2, 5], "{text:?}");
        }
        assert_eq!((line_breaks(b'\r', b"\na"), line_breaks(b'a', b"\n\r\n\r\r")), (0, 4));
    }

    #[test]
    fn a_quote_that_stays_open_is_told() {
        for (text, line, begin, field) in [
            ("a,b\n1,\"2\n3,4\n", 2, 2, 1),
            ("a,b\n1,\"2", 2, 2, 1),
            ("a,b\r1,\"2\r3,4\r", 2, 2, 1),
            ("a,b\r\n1,\"2\r\n", 2, 2, 1),
            ("a,b\n\"1\n2\",\"3\n4\n5", 2, 3, 1),
            ("a,b\n\"1\r\n\r\n2\",\"3\r\n4", 2, 4, 1),
            ("a,b\n\"1", 2, 2, 0),
            ("a,b\n\"1\"\",2\n", 2, 2, 0),
        ] {
            let kinds: Vec<_> = records(text, 100).into_iter().map(|(line, record, _)| (line, record)).collect();
            assert_eq!(kinds, [(1, Record::Whole), (line, Record::Unclosed { line: begin, field })], "{text:?}");
        }
    }

    #[test]
    fn a_last_value_that_may_go_on_is_told() {
        for (text, expected) in [
            ("a,b\n1,2", true),
            ("a,b\r\n1,2", true),
            ("a,b\n1,2\n", false),
            ("a,b\n1,2\r", false),
            ("a,b\n1,\"2\"", false),
            ("a,b\n1,", false),
            ("a,b\n1,2\n\n", false),
        ] {
            let mut csv = Csv::new(b',', 100, 1);
            let mut reader = text.as_bytes();
            while csv.next(&mut reader).unwrap().is_some() {}
            assert_eq!(csv.may_be_cut_short(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_names_the_delimiter_is_known() {
        for (line, expected) in [
            ("sep=;\n", Some(b';')),
            ("sep=,\r\n", Some(b',')),
            ("SEP=\t\n", Some(b'\t')),
            ("sep=|", Some(b'|')),
            ("\"sep=;\"\n", Some(b';')),
            ("sep=;;;;\n", Some(b';')),
            ("sep=;\r", Some(b';')),
            ("\"sep=;\";;;\n", Some(b';')),
            ("\"sep=,\",,,\n", Some(b',')),
            ("sep=\n", None),
            ("sep=a\n", None),
            ("sep=;x\n", None),
            ("separator;slug\n", None),
            ("sep", None),
            ("", None),
        ] {
            assert_eq!(named_delimiter(line.as_bytes()), expected, "{line:?}");
        }
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
            ("a|b|c", b'|'),
        ] {
            assert_eq!(delimiter(header.as_bytes()), expected, "{header}");
        }
    }
}
