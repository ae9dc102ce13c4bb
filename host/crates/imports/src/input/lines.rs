//! NDJSON: a line a row.

use std::io::{self, BufRead};

use super::source::RowBuffer;

/// The lines of a file that are not blank.
pub(super) struct Lines {
    row: RowBuffer,
    /// The line that comes next.
    line: u64,
    /// Whether the line that was read last has no line break.
    at_end: bool,
}

impl Lines {
    /// Reads lines of at most `limit` bytes, from that line on.
    pub(super) fn new(limit: usize, line: u64) -> Self {
        Self { row: RowBuffer::new(limit), line, at_end: false }
    }

    /// Reads the next line and returns its number.
    pub(super) fn next(&mut self, reader: &mut dyn BufRead) -> io::Result<Option<u64>> {
        loop {
            self.row.clear();
            let line = self.line;
            let is_there = self.read(reader)?;
            self.at_end = !is_there;
            // A line that is not there, or too long to be kept, is not blank.
            if self.row.row().is_none_or(|row| !row.trim_ascii().is_empty()) {
                return Ok(Some(line));
            }
            if !is_there {
                return Ok(None);
            }
        }
    }

    /// Reads to the end of a line; without one, it is the end of the file.
    fn read(&mut self, reader: &mut dyn BufRead) -> io::Result<bool> {
        loop {
            let chunk = reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(false);
            }
            // JSON has none of these within a row's strings.
            let end = memchr::memchr2(b'\r', b'\n', chunk);
            self.row.push(chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default());
            let last = end.and_then(|end| chunk.get(end)).copied();
            let used = end.map_or(chunk.len(), |end| end + 1);
            reader.consume(used);
            if last == Some(b'\r') && reader.fill_buf()?.first() == Some(&b'\n') {
                reader.consume(1);
            }
            if end.is_some() {
                self.line += 1;
                return Ok(true);
            }
        }
    }

    /// Whether the file ends within the line that was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// The line that was read, unless it is larger than a row may be.
    pub(super) fn row(&self) -> Option<&[u8]> {
        self.row.row()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_passed_and_long_ones_skipped() {
        let text = "a\r\n\n  \t\nb\n0123456789\n012345678\n\nc";
        for text in [
            text.to_owned(),
            text.replace("\r\n", "\n").replace('\n', "\r"),
            text.replace("\r\n", "\n").replace('\n', "\r\n"),
        ] {
            let (mut lines, mut reader) = (Lines::new(9, 5), text.as_bytes());
            let mut seen = Vec::new();
            while let Some(line) = lines.next(&mut reader).unwrap() {
                seen.push((line, lines.row().map(|row| String::from_utf8_lossy(row).trim().to_owned())));
            }
            let expected = [(5, Some("a")), (8, Some("b")), (9, None), (10, Some("012345678")), (12, Some("c"))];
            assert_eq!(seen, expected.map(|(line, row)| (line, row.map(str::to_owned))), "{text:?}");
        }
    }
}
