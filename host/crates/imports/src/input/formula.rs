//! Cells that a spreadsheet would take for a formula.
//!
//! A spreadsheet that opens a CSV file runs cells that begin with `=`, `+`, `-` or `@` as formulas, also after blanks or quotes,
//! and in some locales their full-width forms. A value of a credential, or a provider's message about it, can begin so. The guard
//! is an apostrophe before the value. It is also put before a value that looks guarded already, so that removing one apostrophe
//! gives every value back.

use std::borrow::Cow;

/// The guard before a cell.
const GUARD: u8 = b'\'';
/// Characters that begin a formula, with their full-width and small forms.
const STARTS: [char; 12] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹢', '﹣', '﹦', '﹫'];

/// The cell as it is written to a file that a spreadsheet may open.
pub fn guard(cell: &[u8]) -> Cow<'_, [u8]> {
    if is_formula(cell) { [&[GUARD], cell].concat().into() } else { cell.into() }
}

/// The cell as it was before [`guard`].
pub(super) fn unguard(cell: &[u8]) -> &[u8] {
    match cell.split_first() {
        Some((&GUARD, rest)) if is_formula(rest) => rest,
        _ => cell,
    }
}

/// Whether a spreadsheet may run the cell, or would once guards before it are removed.
fn is_formula(cell: &[u8]) -> bool {
    let unguarded = cell.iter().position(|byte| *byte != GUARD).unwrap_or(cell.len());
    for c in chars(cell.get(unguarded..).unwrap_or_default()) {
        match c {
            '\t' | '\r' | '\n' => return true,
            c if STARTS.contains(&c) => return true,
            '"' | '\'' => {}
            c if c.is_whitespace() || is_invisible(c) => {}
            _ => return false,
        }
    }
    false
}

/// Characters without width, which spreadsheets drop or pass over.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// The characters of a cell; bytes that are not UTF-8 are replaced.
fn chars(cell: &[u8]) -> impl Iterator<Item = char> {
    cell.utf8_chunks()
        .flat_map(|chunk| chunk.valid().chars().chain((!chunk.invalid().is_empty()).then_some('\u{fffd}')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_begins_a_formula_is_guarded_and_read_back() {
        for cell in [
            "=1+1",
            "+49 30 1234",
            "-5",
            "@SUM(A1)",
            "\t=1",
            "\tabc",
            "\rabc",
            "\nabc",
            "  =1",
            " \u{a0}\u{3000}=1",
            "\u{feff}=1",
            "\u{200b}-1",
            "\u{202e}+1",
            "\0=1",
            "\"=1",
            "\" '=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "﹢1",
            "﹣1",
            "﹦1",
            "﹫x",
            "-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n",
            "'=1",
            "''=1",
            "' -1",
            "'\tx",
        ] {
            let guarded = guard(cell.as_bytes());
            assert_eq!(guarded.as_ref(), format!("'{cell}").as_bytes(), "{cell:?}");
            assert_eq!(unguard(&guarded), cell.as_bytes(), "{cell:?}");
        }
    }

    #[test]
    fn any_other_cell_stays_as_it_is() {
        for cell in
            ["", "abc", "1-1", "a=b", "'", "''", "'abc", "' abc", "\"abc\"", "  ", "sk_test_1", "\u{2022}=1", "#=1"]
        {
            assert_eq!(guard(cell.as_bytes()).as_ref(), cell.as_bytes(), "{cell:?}");
            assert_eq!(unguard(cell.as_bytes()), cell.as_bytes(), "{cell:?}");
        }
        for bytes in [&b"\xff=1"[..], b"\xc3", b"'\xff"] {
            assert_eq!(unguard(&guard(bytes)), bytes);
        }
    }
}
