//! Detection of a file's format by its first line, or by its `Content-Type`.

use std::fmt;
use std::io::{self, BufRead};

use zeroize::Zeroizing;

use super::document::{self, Beginning};
use super::json::Place;
use super::source::RowBuffer;

/// UTF-8's byte order mark, which some programs put before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The format of a file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// A JSON object a line.
    Ndjson,
    /// A JSON array of objects; an object that holds one, as lists come from APIs; or objects over several lines.
    JsonArray,
    /// Comma-separated values with a header (RFC 4180), or such separated by semicolons or tabs.
    Csv,
}

impl RowFormat {
    /// The format that a `Content-Type` names, if any.
    pub fn from_content_type(value: &str) -> Option<Self> {
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Some(Self::Ndjson)
            }
            "application/json" | "text/json" => Some(Self::JsonArray),
            "text/csv" | "application/csv" | "text/tab-separated-values" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The format that the name of a file suggests, if any: `rows.csv.gz`.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = [".gz", ".zst", ".zstd"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "json" => Some(Self::JsonArray),
            "csv" | "tsv" => Some(Self::Csv),
            _ => None,
        }
    }
}

impl fmt::Display for RowFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ndjson => "ndjson",
            Self::JsonArray => "json",
            Self::Csv => "csv",
        })
    }
}

/// Passes a byte order mark and blank lines, and reads the line that follows, as far as a row may be long. Also returns the
/// position of that line.
pub(super) fn head(reader: &mut dyn BufRead, limit: usize) -> io::Result<(Zeroizing<Vec<u8>>, Place)> {
    let mut place = Place::START;
    let mut row = RowBuffer::new(limit.max(MARK.len()));
    let mut marked = 0;
    // One byte after the other: what is passed is short, or blank.
    while let Some(&byte) = reader.fill_buf()?.first() {
        if MARK.get(marked) == Some(&byte) {
            marked += 1;
        } else if marked % MARK.len() != 0 || !byte.is_ascii_whitespace() {
            break;
        } else {
            marked = MARK.len();
            place.pass(byte);
        }
        reader.consume(1);
    }
    if marked < MARK.len() {
        // It only began like a mark.
        row.push(MARK.get(..marked).unwrap_or_default());
    }
    fill_line(reader, &mut row)?;
    Ok((row.into_bytes(), place))
}

/// Reads a line, as far as there is room for it. It ends by a line feed, a carriage return, or one behind the other.
pub(super) fn fill_line(reader: &mut dyn BufRead, row: &mut RowBuffer) -> io::Result<()> {
    loop {
        let chunk = reader.fill_buf()?;
        let line = memchr::memchr2(b'\r', b'\n', chunk).map_or(chunk.len(), |end| end + 1);
        let taken = row.fill(chunk.get(..line).unwrap_or_default());
        let last = taken.checked_sub(1).and_then(|at| chunk.get(at)).copied();
        reader.consume(taken);
        match last {
            Some(b'\r') => {
                if reader.fill_buf()?.first() == Some(&b'\n') && row.fill(b"\n") == 1 {
                    reader.consume(1);
                }
                return Ok(());
            }
            None | Some(b'\n') => return Ok(()),
            Some(_) => {}
        }
    }
}

/// The format of a file that begins with that line; none if the file is empty. The line counts more than the format that the
/// file was sent as.
pub(super) fn told(line: &[u8], hint: Option<RowFormat>) -> Option<RowFormat> {
    match *line.first()? {
        b'[' => Some(RowFormat::JsonArray),
        b'{' => Some(match document::begin(line) {
            Beginning::List => RowFormat::JsonArray,
            // Objects over several lines break after a bracket, a comma or a colon. A row that is cut short does so hardly ever.
            Beginning::Unfinished if matches!(line.last(), Some(b'\n' | b'\r')) && ends_within(line) => {
                RowFormat::JsonArray
            }
            Beginning::Unfinished | Beginning::Object => RowFormat::Ndjson,
        }),
        _ => Some(hint.unwrap_or(RowFormat::Csv)),
    }
}

fn ends_within(line: &[u8]) -> bool {
    line.trim_ascii_end().last().is_some_and(|byte| b"{[,:".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_the_format() {
        let (lines, list, csv) = (Some(RowFormat::Ndjson), Some(RowFormat::JsonArray), Some(RowFormat::Csv));
        let cases = [
            ("", None),
            (" \r\n\n", None),
            ("{\"a\":1}\n", lines),
            ("{\"a\":[{\"b\":1}]}\n", lines),
            ("\u{feff}\n\n{\"a\":1}", lines),
            ("{\"a\": oops\n", lines),
            ("{\"a\":{\"b\":1}\n{\"a\":2}\n", lines),
            ("[{\"a\":1}]", list),
            ("{\n \"a\":1\n}", list),
            ("{\r \"a\":1\r}", list),
            ("{\"a\":1}\r{\"a\":2}\r", lines),
            ("{\"next\":null,\"items\" : [\n", list),
            ("{\"connections\":[{\"a\":1}]}", list),
            ("{\"x\":{\"connections\":[{\"a\":1}]}}", lines),
            ("linked_account_id,slug\n", csv),
            ("\u{feff}\"linked_account_id\";slug\n", csv),
        ];
        for (text, format) in cases {
            let (line, _) = head(&mut text.as_bytes(), 1000).unwrap();
            assert_eq!(told(&line, None), format, "{text:?}");
        }
        assert_eq!(told(b"garbage", lines), lines);
        assert_eq!(told(b"[", csv), list);
    }

    #[test]
    fn the_head_is_a_line_at_most_and_what_only_begins_like_a_mark_stays() {
        let cases: [(&[u8], &[u8], u64, usize); 8] = [
            (b"\xef\xbb\xbf\r\n \n  ab\ncd", b"ab\n", 3, 3),
            (b"ab\rcd\r", b"ab\r", 1, 1),
            (b"ab\r\ncd", b"ab\r\n", 1, 1),
            (b"abcde\r\n", b"abcde\r", 1, 1),
            (b"\xef\xbb\x01x\n", b"\xef\xbb\x01x\n", 1, 1),
            (b"abcdefgh", b"abcdef", 1, 1),
            (b"\n\nabcdef\n", b"abcdef", 3, 1),
            (b"", b"", 1, 1),
        ];
        for (text, line, at_line, at_column) in cases {
            let (head, place) = head(&mut &*text, 6).unwrap();
            assert_eq!(head.as_slice(), line);
            assert_eq!((place.line, place.column), (at_line, at_column as u64));
        }
    }

    #[test]
    fn a_content_type_and_a_file_name_are_hints() {
        let (lines, list, csv) = (Some(RowFormat::Ndjson), Some(RowFormat::JsonArray), Some(RowFormat::Csv));
        for (value, format) in [
            ("application/x-ndjson", lines),
            ("Application/JSON; charset=utf-8", list),
            ("text/csv;header=present", csv),
            ("application/gzip", None),
        ] {
            assert_eq!(RowFormat::from_content_type(value), format, "{value}");
        }
        for (name, format) in
            [("a.jsonl", lines), ("b.JSON.gz", list), ("c.csv.zst", csv), ("d.tsv", csv), ("csv", None), ("e.gz", None)]
        {
            assert_eq!(RowFormat::from_file_name(name), format, "{name}");
        }
    }
}
