//! One JSON text -> [`Input`], with errors that give the position and repeat no value.

use super::row::{BadRow, BadRowKind};
use keyferry_schema::Input;

/// The message for a row whose end is missing.
pub(super) const ENDS_TOO_EARLY: &str = "the row is not valid JSON: it ends too early";

/// A place in a file: a line and a byte of it, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place after a byte.
    pub(super) fn pass(&mut self, byte: u8) {
        if byte == b'\n' {
            *self = Self { line: self.line + 1, column: 1 };
        } else {
            self.column += 1;
        }
    }

    /// A position relative to this one; line and column count from 1.
    fn onwards(self, line: usize, column: usize) -> Self {
        let (line, column) = (line.max(1) as u64, column.max(1) as u64);
        let column = if line == 1 { self.column + column - 1 } else { column };
        Self { line: self.line + line - 1, column }
    }
}

/// Parses a row that begins at that place.
pub(super) fn parse(bytes: &[u8], start: Place) -> Result<Input, BadRow> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let place = start.onwards(line, column);
        bad(BadRowKind::InvalidEncoding, "the row is not UTF-8", start, place)
    })?;
    serde_json::from_str(text).map_err(|error| not_json(&error, start))
}

/// The parser's message can quote the input, so only its kind and position are reported.
fn not_json(error: &serde_json::Error, start: Place) -> BadRow {
    use serde_json::error::Category;
    let (kind, what) = match error.classify() {
        Category::Eof => (BadRowKind::InvalidJson, ENDS_TOO_EARLY),
        Category::Syntax if error.to_string().contains("recursion limit") => {
            (BadRowKind::TooDeep, "the row is nested too deeply")
        }
        Category::Syntax => (BadRowKind::InvalidJson, "the row is not valid JSON: there is a syntax error"),
        Category::Data if error.to_string().contains("same member twice") => {
            (BadRowKind::Repeated, "an object holds the same member twice")
        }
        Category::Data if error.to_string().contains("levels deep") => {
            (BadRowKind::TooDeep, "the row is nested too deeply")
        }
        Category::Data => (BadRowKind::InvalidValue, "a value has the wrong type"),
        Category::Io => (BadRowKind::InvalidJson, "the row could not be read"),
    };
    bad(kind, what, start, start.onwards(error.line(), error.column()))
}

fn bad(kind: BadRowKind, what: &str, start: Place, place: Place) -> BadRow {
    let Place { line, column } = place;
    // The line number of a one-line row is reported beside the message.
    let at = if line == start.line { format!("at column {column}") } else { format!("at line {line} column {column}") };
    BadRow::new(kind, format!("{what}, {at}")).at(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_a_value() {
        let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        let deeper = "[".repeat(500);
        let cases: [(&[u8], BadRowKind, &str); 9] = [
            (b"{\"s3cr3t\":\"s3cr3t\"", BadRowKind::InvalidJson, "ends too early, at column 24"),
            (b"{\"s3cr3t\" \"s3cr3t\"}", BadRowKind::InvalidJson, "syntax error, at column 17"),
            (b"{\"a\":1} s3cr3t", BadRowKind::InvalidJson, "syntax error, at column 15"),
            (b"{\n\"a\":\n  s3cr3t}", BadRowKind::InvalidJson, "syntax error, at line 9 column 3"),
            (b"{\"s3cr3t\":1,\"s3cr3t\":2}", BadRowKind::Repeated, "same member twice, at column"),
            (deep.as_bytes(), BadRowKind::TooDeep, "nested too deeply, at column"),
            (deeper.as_bytes(), BadRowKind::TooDeep, "nested too deeply, at column"),
            (b"{\"a\":\"s3cr3t\xff\"}", BadRowKind::InvalidEncoding, "not UTF-8, at column 19"),
            (b"{\"a\":\"s3cr3t\n\xff\"}", BadRowKind::InvalidEncoding, "not UTF-8, at line 8 column 1"),
        ];
        for (bytes, kind, message) in cases {
            let bad = parse(bytes, Place { line: 7, column: 7 }).unwrap_err();
            assert_eq!(bad.kind, kind, "{bad}");
            assert!(bad.message.contains(message) && !bad.message.contains("s3cr3t"), "{bad}");
            assert!(bad.column.is_some());
        }
    }
}
