//! [`Rows`]: the rows of a file, one after the other.

use std::io::{BufRead, Cursor, Read};

use super::compression::Compression;
use super::csv::{self, Csv, Record};
use super::decompress::decompress;
use super::document::Document;
use super::error::{ReadError, Stop};
use super::foreign;
use super::format::{RowFormat, head, told};
use super::header::{Header, OWN};
use super::json::{self, Place};
use super::lines::Lines;
use super::mapping::Mapping;
use super::original::{Original, SOURCE_MEMBER};
use super::own_rows::{Style, object};
use super::preset::Preset;
use super::row::{BadRow, BadRowKind, InputRow, Row};
use super::source::{ContentDigest, Tap};
use super::title_lines;
use keyferry_schema::Input;

/// Bytes that a row may have: 16 times what one migration may have, so that rows of others' exports fit.
const MAX_ROW: usize = 1024 * 1024;
/// The warning about a last row that a longer file may continue.
const CUT_SHORT: &str = "the file ends after this row without a line break: if it was cut short, the last value is not whole, and rows \
                         are missing";
/// Below this, not even a header fits.
const LEAST_ROW: usize = 256;

/// How to read a file.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// The system that the file was exported from.
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
    compression: Compression,
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
    /// Creates a reader; the file is read row by row later.
    pub fn new(reader: R, options: ReadOptions) -> Self {
        let options = ReadOptions { max_row: options.max_row.max(LEAST_ROW), ..options };
        Self { tap: Tap::new(reader), options, compression: Compression::Plain, state: State::New, number: 0 }
    }

    /// Bytes of the file that have been read so far, as they were sent.
    pub fn bytes_read(&self) -> u64 {
        self.tap.count()
    }

    /// What the file is packed by, once it has given a row.
    pub fn compression(&self) -> Compression {
        self.compression
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

    /// The row that was read last, as it is in the file.
    pub fn original(&self) -> Original<'_> {
        let State::Open(_, body) = &self.state else { return Original::Lost };
        match body {
            Body::Lines(lines) => lines.row().map_or(Original::Lost, Original::Json),
            Body::Document(document) => document.row().map_or(Original::Lost, Original::Json),
            Body::Csv(csv, _) if csv.fields().len() == 0 => Original::Lost,
            Body::Csv(csv, header) => Original::Record(csv.fields().map(|cell| header.cell(cell)).collect()),
        }
    }

    /// Of CSV: the names of the columns as they are in the file, and what separates them.
    pub fn columns(&self) -> Option<(&[Vec<u8>], u8)> {
        match &self.state {
            State::Open(_, Body::Csv(csv, header)) => Some((header.names(), csv.delimiter())),
            _ => None,
        }
    }

    /// What the column of a field is called in a CSV file.
    pub fn column_of(&self, field: &str) -> Option<String> {
        match &self.state {
            State::Open(_, Body::Csv(_, header)) => header.name_of(field),
            _ => None,
        }
    }

    fn open(&mut self) -> Result<State, Stop> {
        let limit = self.options.max_row;
        if self.options.preset == Preset::N8n && !self.options.mapping.names_accounts() {
            return Err(ReadError::NoAccount(foreign::NO_ACCOUNT).into());
        }
        let (compression, mut reader) = decompress(self.tap.clone())?;
        self.compression = compression;
        let (mut line, mut place) = head(&mut reader, limit)?;
        let named = csv::named_delimiter(&line);
        if named.is_some() {
            let passed = place.line;
            (line, place) = head(&mut reader, limit)?;
            place.line += passed;
        }
        let format = match named {
            Some(_) if line.is_empty() => None,
            Some(_) => Some(RowFormat::Csv),
            None => told(&line, self.options.format),
        };
        let delimiter = |line: &[u8]| named.unwrap_or_else(|| csv::delimiter(line));
        if format == Some(RowFormat::Csv) {
            let passed;
            (line, passed) = title_lines::pass(line, &mut reader, limit, &self.options.mapping, &delimiter)?;
            place.line += passed;
        }
        let delimiter = delimiter(&line);
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
                match next_record(&mut csv, &mut reader)? {
                    Some((_, Record::Whole)) => {}
                    Some(_) => return Err(ReadError::Header("it has no end, or too much in it".to_owned()).into()),
                    None => return Ok(State::Done),
                }
                let header = Header::read(&csv, &self.options.mapping)?;
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
                let row = json_row(lines.row(), Place { line, column: 1 }, options);
                (line, row.map_err(|bad| if lines.is_at_end() { cut_short(bad) } else { bad }))
            }
            Body::Document(document) => {
                let Some(place) = document.next(reader)? else { return Ok(None) };
                (place.line, json_row(document.row(), place, options))
            }
            Body::Csv(csv, header) => {
                let Some((line, record)) = next_record(csv, reader)? else { return Ok(None) };
                let mut row = csv_row(csv, header, record, line, options);
                if let Ok(row) = &mut row
                    && csv.may_be_cut_short()
                {
                    row.warnings.push(CUT_SHORT.to_owned());
                }
                (line, row)
            }
        };
        self.number += 1;
        Ok(Some(InputRow { number: self.number, line, content }))
    }

    fn told(&self, stop: Stop) -> ReadError {
        match stop {
            Stop::Read(error) => error,
            Stop::Bytes(error) if self.compression == Compression::Plain || self.tap.has_failed() => {
                ReadError::Unreadable(error)
            }
            Stop::Bytes(source) => ReadError::Broken { compression: self.compression, source },
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
    let input = source(json::parse(bytes, place)?, place)?;
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

/// The next record that has something in it.
fn next_record(csv: &mut Csv, reader: &mut dyn BufRead) -> std::io::Result<Option<(u64, Record)>> {
    loop {
        let read = csv.next(reader)?;
        let is_empty = matches!(read, Some((_, Record::Whole))) && csv.fields().all(is_blank);
        if !is_empty {
            return Ok(read);
        }
    }
}

/// Whether there is nothing to be seen in a cell.
fn is_blank(cell: &[u8]) -> bool {
    cell.is_empty() || std::str::from_utf8(cell).is_ok_and(|text| text.trim().is_empty())
}

/// The row that a file of failed rows holds as text since it was not JSON, or the row itself.
fn source(input: Input, place: Place) -> Result<Input, BadRow> {
    let is_own = |members: &[(String, Input)]| members.iter().all(|(name, _)| name.starts_with(OWN));
    match input.member(SOURCE_MEMBER) {
        Some(Input::Text(text)) if input.members().is_some_and(is_own) => {
            if text.expose().contains(char::REPLACEMENT_CHARACTER) {
                let message = format!("`{SOURCE_MEMBER}` holds a row that is not UTF-8, and some of it is lost");
                return Err(BadRow::new(BadRowKind::InvalidEncoding, message));
            }
            json::parse(text.expose().as_bytes(), place)
        }
        _ => Ok(input),
    }
}

/// A row of JSON that the file ends in, without a line break.
fn cut_short(mut bad: BadRow) -> BadRow {
    let is_unfinished = bad.kind == BadRowKind::InvalidJson && bad.message.contains(json::ENDS_TOO_EARLY);
    if is_unfinished || bad.kind == BadRowKind::InvalidEncoding {
        bad.message.push_str("; the file ends inside this row, so it was cut short");
    }
    bad
}

fn csv_row(csv: &Csv, header: &Header, record: Record, line: u64, options: &ReadOptions) -> Result<Row, BadRow> {
    match record {
        Record::Whole => header.row(csv, line, &options.mapping),
        Record::TooLarge => Err(too_large(options.max_row)),
        Record::TooManyFields => Err(BadRow::new(BadRowKind::FieldCount, "the row has more fields than can be read")),
        Record::Unclosed { line, field } => {
            let message = format!(
                "a quote opens in the value of {} on line {line} and does not close before the file ends: the file was cut short \
                 there, or a quote is missing; the rest of the file is taken for that value, and no row is read from it",
                header.shown(field)
            );
            Err(BadRow::new(BadRowKind::UnclosedQuote, message).at(field as u64 + 1))
        }
    }
}

fn too_large(limit: usize) -> BadRow {
    BadRow::new(BadRowKind::RowTooLarge, format!("the row is larger than {limit} bytes"))
}
