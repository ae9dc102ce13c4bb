//! The file of a bulk import: untrusted rows in any format.

use std::io::{Cursor, Read};
use std::sync::LazyLock;

use keyferry_imports::input::{Mapping, Preset, ReadOptions, Rows};
use keyferry_schema::Input;

/// Values shorter than this occur in messages by chance.
const TELLING: usize = 8;

static MAPPING: LazyLock<Mapping> =
    LazyLock::new(|| "customer=linked_account_id\nkey=api_key\nuser.id=account_name\nslug:a=b".parse().unwrap());

/// A reader that gives a byte at a time.
struct Slow<R>(R);

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match out.first_mut() {
            None => Ok(0),
            Some(first) => self.0.read(std::slice::from_mut(first)),
        }
    }
}

/// What a file gives, and the values in it.
fn told(file: impl Read + Send + 'static, preset: Preset) -> (Vec<String>, Vec<String>, Option<&'static str>) {
    let options = ReadOptions { preset, mapping: MAPPING.clone(), max_row: 512, ..ReadOptions::default() };
    let (mut lines, mut values, mut end) = (Vec::new(), Vec::new(), None);
    for row in Rows::new(file, options) {
        match row {
            Err(error) => end = Some(error.code()),
            Ok(row) => {
                if let Ok(row) = &row.content {
                    collect(&row.auth_object, &mut values);
                }
                lines.push(format!("{row:?}"));
            }
        }
    }
    (lines, values, end)
}

/// The first byte chooses whose export it is, the rest is the file. Rows do not depend on the pieces in which it comes, are
/// numbered, and print no value.
pub fn import_file(bytes: &[u8]) {
    let Some((choice, file)) = bytes.split_first() else { return };
    let preset = *Preset::ALL.iter().cycle().nth(usize::from(*choice)).expect("a cycle has no end");
    let (lines, values, end) = told(Cursor::new(file.to_vec()), preset);
    for (n, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("InputRow {{ number: {},", n + 1)), "{line}");
        // Of a row that is good, all that is printed is of a fixed text.
        let is_good = line.contains("content: Ok(");
        assert!(!is_good || !values.iter().any(|value| value.len() >= TELLING && line.contains(value)), "{line}");
    }
    let (slowly, _, slow_end) = told(Slow(Cursor::new(file.to_vec())), preset);
    if [end, slow_end].contains(&Some("broken_packing")) {
        // How much comes out before what is broken is the decoder's choice.
        assert!(lines.iter().zip(&slowly).all(|(one, other)| one == other));
    } else {
        assert_eq!((&lines, end), (&slowly, slow_end));
    }
}

/// All texts of a value, unless they are words that are printed in any case.
fn collect(input: &Input, values: &mut Vec<String>) {
    const FIXED: &str = "InputRow { number: line: content: Ok(Row { auth_object: {\"***\": a string a number a boolean an array } .. })";
    match input {
        Input::Text(text) if !FIXED.contains(text.expose()) => values.push(text.expose().to_owned()),
        Input::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Input::Object(members) => members.iter().for_each(|(_, value)| collect(value, values)),
        Input::Null | Input::Bool(_) | Input::Number(_) | Input::Text(_) => {}
    }
}
