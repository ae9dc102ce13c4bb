//! JSON other than a row a line: a list of objects, an object that holds one, or objects over several lines. Its rows are cut
//! out one by one, and nothing but the current row is kept.
//!
//! Only brackets, strings and separators are read here; what is between them is left to the parser. If a row's brackets match and
//! its strings are closed, the next row is found whatever else is wrong with it. A missing quote swaps text and structure, which
//! shows soon: a string runs over the end of its line, or a character follows that cannot. From there on no row can be trusted,
//! so reading ends.

use std::io::BufRead;

use zeroize::Zeroizing;

use super::error::{ReadError, Stop};
use super::json::Place;
use super::source::RowBuffer;

/// Names under which APIs give lists.
const LISTS: [&[u8]; 11] = [
    b"accounts",
    b"connectedAccounts",
    b"connected_accounts",
    b"connections",
    b"credentials",
    b"data",
    b"items",
    b"records",
    b"results",
    b"rows",
    b"sources",
];
/// Bytes of the longest of them.
const LONGEST: usize = 18;
/// Brackets that may be open at once. The parser refuses a row long before.
const MAX_DEPTH: usize = 4096;

/// The position in the document, which decides which values are rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Rows as separate values, unless a value turns out to hold a list.
    Top,
    /// The items of a list.
    List,
    /// The items of a list that an object holds.
    Held,
    /// No rows: the other members of an object that holds a list.
    Rest,
}

impl Within {
    /// Brackets that are open around a row.
    fn depth(self) -> Option<usize> {
        match self {
            Self::Top => Some(0),
            Self::List => Some(1),
            Self::Held => Some(2),
            Self::Rest => None,
        }
    }
}

/// The token that a byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    None,
    /// A number, or `true`, or what should be one of these.
    Bare,
    Text,
    /// In a string, after a backslash.
    Escape,
}

/// The token before a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or another separate value.
    Start,
    Open,
    Comma,
    Colon,
    Bare,
    Text,
    Close,
}

/// The result of one byte.
enum Step {
    On,
    /// The token ends a row.
    Row,
    /// The row ended before it.
    RowBefore,
}

/// The rows of a JSON text.
pub(super) struct Document {
    place: Place,
    start: Place,
    open: Vec<u8>,
    within: Within,
    token: Token,
    before: Before,
    /// The last string, if it is short enough to be the name of a list. It may be a value, too.
    key: Zeroizing<Vec<u8>>,
    row: RowBuffer,
    is_row: bool,
}

impl Document {
    /// Reads rows of at most `limit` bytes, in a text that begins at `place`.
    pub(super) fn new(limit: usize, place: Place) -> Self {
        Self {
            place,
            start: place,
            open: Vec::new(),
            within: Within::Top,
            token: Token::None,
            before: Before::Start,
            key: Zeroizing::new(Vec::with_capacity(LONGEST + 1)),
            row: RowBuffer::new(limit),
            is_row: false,
        }
    }

    /// Reads the next row and its position.
    pub(super) fn next(&mut self, reader: &mut dyn BufRead) -> Result<Option<Place>, Stop> {
        loop {
            let chunk = reader.fill_buf()?;
            if chunk.is_empty() {
                return match self.open.is_empty() && !self.is_row {
                    true => Ok(None),
                    false => Err(self.cut_short().into()),
                };
            }
            let mut used = 0;
            let mut found = false;
            for &byte in chunk {
                match self.step(byte).map_err(|message| self.lost(message))? {
                    Step::On => {}
                    Step::Row => found = true,
                    Step::RowBefore => {
                        found = true;
                        break;
                    }
                }
                self.place.pass(byte);
                used += 1;
                if found {
                    break;
                }
            }
            reader.consume(used);
            if found {
                return Ok(Some(self.start));
            }
        }
    }

    /// The row that was read, unless it is larger than a row may be.
    pub(super) fn row(&self) -> Option<&[u8]> {
        self.row.row()
    }

    fn cut_short(&self) -> ReadError {
        let Place { line, column } = self.place;
        ReadError::CutShort { line, column, row: self.is_row.then_some(self.start.line) }
    }

    fn lost(&self, message: &'static str) -> ReadError {
        ReadError::Lost { line: self.place.line, column: self.place.column, message }
    }

    fn step(&mut self, byte: u8) -> Result<Step, &'static str> {
        match self.token {
            Token::Text | Token::Escape => return self.in_text(byte),
            Token::Bare if is_bare(byte) => {
                self.keep(byte);
                return Ok(Step::On);
            }
            Token::Bare => {
                (self.token, self.before) = (Token::None, Before::Bare);
                if self.is_row && Some(self.open.len()) == self.within.depth() {
                    self.is_row = false;
                    return Ok(Step::RowBefore);
                }
            }
            Token::None => {}
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => self.keep(byte),
            b'"' => {
                self.value(Token::Text)?;
                self.keep(byte);
                self.key.clear();
            }
            b'{' | b'[' => self.opens(byte)?,
            b'}' | b']' => return self.closes(byte),
            b',' if self.is_between() && !matches!(self.before, Before::Close | Before::Text | Before::Bare) => {
                return Err("a comma is in the place of a row");
            }
            b',' | b':' if self.open.is_empty() => return Err("there is text between the rows"),
            b':' if self.is_between() => return Err("there is a colon between the rows"),
            b',' | b':' => {
                self.keep(byte);
                self.before = if byte == b',' { Before::Comma } else { Before::Colon };
            }
            _ if is_bare(byte) => {
                if self.before != Before::Bare || self.is_between() {
                    self.value(Token::Bare)?;
                }
                self.token = Token::Bare;
                self.keep(byte);
            }
            _ => return Err("there is a character that JSON does not have"),
        }
        Ok(Step::On)
    }

    /// Whether it is at a place where a row can begin.
    fn is_between(&self) -> bool {
        !self.is_row && Some(self.open.len()) == self.within.depth()
    }

    fn keep(&mut self, byte: u8) {
        if self.is_row {
            self.row.push(&[byte]);
        }
    }

    /// Begins a value, and with it a row if that is its place.
    fn value(&mut self, token: Token) -> Result<(), &'static str> {
        if !matches!(self.before, Before::Start | Before::Open | Before::Comma | Before::Colon) {
            return Err("a value follows another one, without a comma or a colon between");
        }
        if self.is_between() {
            if self.within == Within::Top && token != Token::None {
                return Err("there is text between the rows");
            }
            (self.is_row, self.start) = (true, self.place);
            self.row.clear();
        }
        self.token = token;
        Ok(())
    }

    fn opens(&mut self, byte: u8) -> Result<(), &'static str> {
        let may_hold = matches!(self.within, Within::Top | Within::Rest) && self.open.len() == 1;
        if self.within == Within::Top && self.open.is_empty() && byte == b'[' {
            self.within = Within::List;
        } else if may_hold && byte == b'[' && self.before == Before::Colon && LISTS.contains(&self.key.as_slice()) {
            self.within = Within::Held;
            self.is_row = false;
            self.row.clear();
        } else {
            self.value(Token::None)?;
            self.keep(byte);
        }
        if self.open.len() >= MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        self.open.push(byte);
        self.before = Before::Open;
        Ok(())
    }

    fn closes(&mut self, byte: u8) -> Result<Step, &'static str> {
        let opened = if byte == b'}' { b'{' } else { b'[' };
        if self.open.last() != Some(&opened) {
            return Err("a bracket closes that is not open");
        }
        if self.is_between() && self.before == Before::Comma {
            return Err("there is a comma after the last row");
        }
        self.open.pop();
        self.keep(byte);
        let depth = self.open.len();
        if self.is_row && Some(depth) == self.within.depth() {
            self.is_row = false;
            self.before = if depth == 0 { Before::Start } else { Before::Close };
            return Ok(Step::Row);
        }
        self.before = Before::Close;
        if !self.is_row {
            match (self.within, depth) {
                (Within::Held, 1) => self.within = Within::Rest,
                (Within::List | Within::Rest, 0) => (self.within, self.before) = (Within::Top, Before::Start),
                _ => {}
            }
        }
        Ok(Step::On)
    }

    fn in_text(&mut self, byte: u8) -> Result<Step, &'static str> {
        if byte < b' ' {
            return Err("a string is not closed on its line, or holds a control character");
        }
        self.keep(byte);
        match (self.token, byte) {
            (Token::Text, b'"') => {
                (self.token, self.before) = (Token::None, Before::Text);
                if self.is_row && Some(self.open.len()) == self.within.depth() {
                    self.is_row = false;
                    return Ok(Step::Row);
                }
            }
            (Token::Text, b'\\') => self.token = Token::Escape,
            (_, _) => self.token = Token::Text,
        }
        if self.token != Token::None && self.key.len() <= LONGEST {
            self.key.push(byte);
        }
        Ok(Step::On)
    }
}

/// Whether a byte can be part of a number or of a literal. Quotes of other languages, comments and the like cannot.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_')
}

/// The beginning of a text that starts with an object.
pub(super) enum Beginning {
    /// The object holds a list.
    List,
    /// The object is complete.
    Object,
    /// Neither, in the bytes so far.
    Unfinished,
}

/// Classifies a text by its first bytes.
pub(super) fn begin(bytes: &[u8]) -> Beginning {
    let mut document = Document::new(0, Place::START);
    for &byte in bytes {
        match document.step(byte) {
            Ok(Step::On) if document.within == Within::Held => return Beginning::List,
            Ok(Step::On) => {}
            Ok(Step::Row | Step::RowBefore) => return Beginning::Object,
            Err(_) => return Beginning::Unfinished,
        }
    }
    Beginning::Unfinished
}

#[cfg(test)]
mod tests;
