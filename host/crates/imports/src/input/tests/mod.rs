//! Files from their first byte to the last row.

mod columns;
mod files;
mod foreign;
mod mapping;
mod properties;
mod shipped;

use std::io::{self, Cursor, Read};

use super::{InputRow, Mapping, Preset, ReadError, ReadOptions, Rows};
use keyferry_schema::Input;

/// A reader that returns its bytes in pieces of these sizes, cyclically.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Pieces {
    fn new(bytes: &[u8], sizes: &[usize]) -> Self {
        Self { bytes: Cursor::new(bytes.to_vec()), sizes: sizes.to_vec(), turn: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].clamp(1, out.len().max(1));
        self.turn += 1;
        let end = size.min(out.len());
        self.bytes.read(&mut out[..end])
    }
}

/// A row in JSON, and its messages.
const ROW: &str =
    r#"{"linked_account_id":"user_1","slug":"hubspot","auth_object":{"oauth2":{"access_token":"s3cr3t"}}}"#;
const TOLD: &str = r#"user_1 hubspot {"oauth2":{"access_token":"s3cr3t"}}"#;

fn options(preset: Preset, mapping: &str) -> ReadOptions {
    ReadOptions { preset, mapping: mapping.parse::<Mapping>().unwrap(), ..ReadOptions::default() }
}

/// All rows and errors of a file.
fn read(file: impl AsRef<[u8]>, options: ReadOptions) -> Vec<Result<InputRow, ReadError>> {
    Rows::new(Cursor::new(file.as_ref().to_vec()), options).collect()
}

/// The rows and errors of a file, one line each: `1@2 user_1 hubspot {...}`, `1@2 code message`, `code message`.
fn told(file: impl AsRef<[u8]>, options: ReadOptions) -> Vec<String> {
    read(file, options).iter().map(line).collect()
}

/// The same of a file in Keyferry's own format.
fn native(file: &str) -> Vec<String> {
    told(file, ReadOptions::default())
}

fn line(row: &Result<InputRow, ReadError>) -> String {
    match row {
        Err(error) => format!("{} {error}", error.code()),
        Ok(InputRow { number, line, content: Err(bad) }) => {
            let column = bad.column.map(|column| format!(":{column}")).unwrap_or_default();
            let whose = match (&bad.account, &bad.slug) {
                (None, None) => String::new(),
                (account, slug) => {
                    format!(" ({} {})", account.as_ref().map_or("-", |a| a.as_str()), slug.as_deref().unwrap_or("-"))
                }
            };
            format!("{number}@{line}{column}{whose} {} {bad}", bad.kind)
        }
        Ok(InputRow { number, line, content: Ok(row) }) => {
            let name = row.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            let at = row.updated_at.map(|at| format!(" {at}")).unwrap_or_default();
            format!("{number}@{line} {} {} {}{name}{at}", row.account, row.slug, plain(&row.auth_object))
        }
    }
}

/// A value with all of its secrets.
fn plain(input: &Input) -> String {
    let list = |items: Vec<String>| items.join(",");
    match input {
        Input::Null => "null".to_owned(),
        Input::Bool(value) => value.to_string(),
        Input::Number(digits) => digits.expose().to_owned(),
        Input::Text(text) => serde_json::to_string(text.expose()).unwrap(),
        Input::Array(items) => format!("[{}]", list(items.iter().map(plain).collect())),
        Input::Object(members) => {
            let member =
                |(name, value): &(String, Input)| format!("{}:{}", serde_json::to_string(name).unwrap(), plain(value));
            format!("{{{}}}", list(members.iter().map(member).collect()))
        }
    }
}
