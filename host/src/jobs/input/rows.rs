//! [`Rows`]: the rows of a file, one after the other.

use std::io::{BufRead, Cursor, Read};

use super::csv::{self, Csv, Record};
use super::document::Document;
use super::error::{ReadError, Stop};
use super::flat::{Header, Style, object};
use super::foreign;
use super::format::{RowFormat, head, told};
use super::json::{self, Place};
use super::lines::Lines;
use super::mapping::Mapping;
use super::preset::Preset;
use super::row::{BadRow, BadRowKind, InputRow, Row};
use super::source::{ContentDigest, Tap};
use super::unpack::{Packing, unpack};
use crate::schema::Input;

/// Bytes that a row may have: 16 times what one migration may have, so that rows of others' exports fit.
const MAX_ROW: usize = 1024 * 1024;
/// Below this, not even a header fits.
const LEAST_ROW: usize = 256;

/// How to read a file.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Whose export it is.
    pub preset: Preset,
    /// What it calls things.
    pub mapping: Mapping,
    /// What it was sent as. It counts where the content does not say.
    pub format: Option<RowFormat>,
    /// Bytes that a row may have. Of a larger one nothing is kept.
    pub max_row: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { preset: Preset::default(), mapping: Mapping::default(), format: None, max_row: MAX_ROW }
    }
}

/// The rows of a file, read as they are asked for. What is in memory at a time is one row and some buffers of fixed size,
/// however large the file is.
///
/// A row that is no good is an item like others. An error is the last item: nothing more can be read.
pub struct Rows<R> {
    tap: Tap<R>,
    options: ReadOptions,
    packing: Packing,
    state: State,
    number: u64,
}

enum State {
    New,
    Open(Box<dyn BufRead + Send>, Body),
    Done,
}

enum Body {
    Lines(Lines),
    Document(Document),
    Csv(Box<Csv>, Header),
}

impl<R: Read + Send + 'static> Rows<R> {
    /// Reads nothing yet.
    pub fn new(reader: R, options: ReadOptions) -> Self {
        let options = ReadOptions { max_row: options.max_row.max(LEAST_ROW), ..options };
        Self { tap: Tap::new(reader), options, packing: Packing::Plain, state: State::New, number: 0 }
    }

    /// Bytes of the file that have been read so far, as they were sent.
    pub fn bytes_read(&self) -> u64 {
        self.tap.count()
    }

    /// What the file is packed by, once it has given a row.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// What the file holds its rows in, while it is being read.
    pub fn format(&self) -> Option<RowFormat> {
        match &self.state {
            State::Open(_, Body::Lines(_)) => Some(RowFormat::Ndjson),
            State::Open(_, Body::Document(_)) => Some(RowFormat::JsonArray),
            State::Open(_, Body::Csv(..)) => Some(RowFormat::Csv),
            State::New | State::Done => None,
        }
    }

    /// The digest of the file. What of it is left is read for that, and no more rows come of it.
    ///
    /// # Errors
    /// The rest of the file cannot be read.
    pub fn finish(self) -> Result<ContentDigest, ReadError> {
        self.tap.digest().map_err(ReadError::Unreadable)
    }

    fn open(&mut self) -> Result<State, Stop> {
        let limit = self.options.max_row;
        if self.options.preset == Preset::N8n && !self.options.mapping.names_accounts() {
            return Err(ReadError::NoAccount(foreign::NO_ACCOUNT).into());
        }
        let (packing, mut reader) = unpack(self.tap.clone())?;
        self.packing = packing;
        let (line, place) = head(&mut reader, limit)?;
        let format = told(&line, self.options.format);
        let delimiter = csv::delimiter(&line);
        let mut reader: Box<dyn BufRead + Send> = Box::new(Cursor::new(line).chain(reader));
        Ok(match format {
            None => State::Done,
            Some(RowFormat::Ndjson) => State::Open(reader, Body::Lines(Lines::new(limit, place.line))),
            Some(RowFormat::JsonArray) => State::Open(reader, Body::Document(Document::new(limit, place))),
            Some(RowFormat::Csv) if !matches!(self.options.preset, Preset::Native | Preset::CsvFlat) => {
                return Err(
                    ReadError::Unsupported("CSV, or nothing that is known, where the preset asks for JSON").into()
                );
            }
            Some(RowFormat::Csv) => {
                let mut csv = Csv::new(delimiter, limit, place.line);
                let header = match csv.next(&mut reader)? {
                    Some((_, Record::Whole)) => Header::read(&csv, &self.options.mapping)?,
                    _ => return Err(ReadError::Header("it has no end, or too much in it".to_owned()).into()),
                };
                State::Open(reader, Body::Csv(Box::new(csv), header))
            }
        })
    }

    fn read(&mut self) -> Result<Option<InputRow>, Stop> {
        if matches!(self.state, State::New) {
            self.state = self.open()?;
        }
        let State::Open(reader, body) = &mut self.state else { return Ok(None) };
        let options = &self.options;
        let (line, content) = match body {
            Body::Lines(lines) => {
                let Some(line) = lines.next(reader)? else { return Ok(None) };
                (line, json_row(lines.row(), Place { line, column: 1 }, options))
            }
            Body::Document(document) => {
                let Some(place) = document.next(reader)? else { return Ok(None) };
                (place.line, json_row(document.row(), place, options))
            }
            Body::Csv(csv, header) => {
                let Some((line, record)) = csv.next(reader)? else { return Ok(None) };
                (line, csv_row(csv, header, record, line, options))
            }
        };
        self.number += 1;
        Ok(Some(InputRow { number: self.number, line, content }))
    }

    fn told(&self, stop: Stop) -> ReadError {
        match stop {
            Stop::Read(error) => error,
            Stop::Bytes(error) if self.packing == Packing::Plain || self.tap.has_failed() => {
                ReadError::Unreadable(error)
            }
            Stop::Bytes(source) => ReadError::Broken { packing: self.packing, source },
        }
    }
}

impl<R: Read + Send + 'static> Iterator for Rows<R> {
    type Item = Result<InputRow, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(Some(row)) => Some(Ok(row)),
            Ok(None) => {
                self.state = State::Done;
                None
            }
            Err(stop) => {
                self.state = State::Done;
                Some(Err(self.told(stop)))
            }
        }
    }
}

fn json_row(bytes: Option<&[u8]>, place: Place, options: &ReadOptions) -> Result<Row, BadRow> {
    let bytes = bytes.ok_or_else(|| too_large(options.max_row))?;
    let input: Input = json::parse(bytes, place)?;
    match options.preset {
        Preset::Native => object(input, Style::Native, &options.mapping),
        Preset::CsvFlat => object(input, Style::Flat, &options.mapping),
        Preset::Nango => foreign::nango(input, &options.mapping),
        Preset::Composio => foreign::composio(input, &options.mapping),
        Preset::Airbyte => foreign::airbyte(input, &options.mapping),
        Preset::N8n => foreign::n8n(input, &options.mapping),
        Preset::Pipedream => foreign::pipedream(input, &options.mapping),
    }
}

fn csv_row(csv: &Csv, header: &Header, record: Record, line: u64, options: &ReadOptions) -> Result<Row, BadRow> {
    match record {
        Record::Whole => header.row(csv, line, &options.mapping),
        Record::TooLarge => Err(too_large(options.max_row)),
        Record::TooManyFields => Err(BadRow::new(BadRowKind::FieldCount, "the row has more fields than can be read")),
        Record::Unclosed => {
            let message = "a quote opens in this row and does not close before the file ends; the rest of the file was taken for its content";
            Err(BadRow::new(BadRowKind::UnclosedQuote, message))
        }
    }
}

fn too_large(limit: usize) -> BadRow {
    BadRow::new(BadRowKind::RowTooLarge, format!("the row is larger than {limit} bytes"))
}
