//! Titles that people write above the header of a table, which are not read.

use std::io::{self, BufRead};

use zeroize::Zeroizing;

use super::csv::{Csv, Record};
use super::format::fill_line;
use super::mapping::Mapping;
use super::name_match::fold;
use super::part::Part;
use super::source::RowBuffer;

/// Lines behind the first one that are looked at.
const MOST: u64 = 10;
/// The least number of known names in a line that counts as the header although other lines precede it.
const ENOUGH: usize = 2;

/// The beginning of a table from its header on, and how many lines were passed for it. None are where the first line names a
/// column that is known, or no other line does.
pub(super) fn pass(
    first: Zeroizing<Vec<u8>>,
    reader: &mut dyn BufRead,
    limit: usize,
    mapping: &Mapping,
    delimiter: &dyn Fn(&[u8]) -> u8,
) -> io::Result<(Zeroizing<Vec<u8>>, u64)> {
    let known = |line: &[u8]| names(line, delimiter(line), mapping);
    if known(&first) > 0 {
        return Ok((first, 0));
    }
    let mut text = first;
    for passed in 1..=MOST {
        let mut row = RowBuffer::new(limit);
        fill_line(reader, &mut row)?;
        let line = row.into_bytes();
        if line.is_empty() {
            break;
        }
        if known(&line) >= ENOUGH {
            return Ok((line, passed));
        }
        let mut longer = Zeroizing::new(Vec::with_capacity(text.len() + line.len()));
        longer.extend_from_slice(&text);
        longer.extend_from_slice(&line);
        text = longer;
        if !text.ends_with(b"\n") && !text.ends_with(b"\r") {
            break;
        }
    }
    Ok((text, 0))
}

/// How many columns of a line have a name that is known here, or to a rule.
fn names(line: &[u8], delimiter: u8, mapping: &Mapping) -> usize {
    let mut csv = Csv::new(delimiter, line.len(), 1);
    let mut reader = line;
    if !matches!(csv.next(&mut reader), Ok(Some((_, Record::Whole)))) {
        return 0;
    }
    let is_known = |cell: &&[u8]| {
        let name = std::str::from_utf8(cell).unwrap_or_default().trim();
        let folded = fold(name);
        Part::spelled(name).is_some() || !folded.is_empty() && mapping.columns().any(|column| fold(column) == folded)
    };
    csv.fields().filter(is_known).count()
}

#[cfg(test)]
mod tests {
    use super::super::csv;
    use super::*;

    #[test]
    fn lines_above_a_header_are_passed_and_others_are_not() {
        for (text, rules, from, passed) in [
            ("Credentials\n\nlinked_account_id,slug\nx,y\n", "", "linked_account_id,slug\n", 2),
            ("Credentials;;\r\nMay 2026;;\r\nKunde;Slug\r\nx;y\r\n", "kunde=linked_account_id", "Kunde;Slug\r\n", 2),
            ("a,b\rLinked Account ID,Slug\r", "", "Linked Account ID,Slug\r", 1),
            ("slug,customer\nlinked_account_id,slug\n", "", "slug,customer\n", 0),
            ("customer,app\nu,stripe\n", "", "customer,app\nu,stripe\n", 0),
            ("customer,app\nu,slug", "", "customer,app\nu,slug", 0),
            ("a \"b\nc,d\n", "", "a \"b\nc,d\n", 0),
            ("", "", "", 0),
        ] {
            let mut reader = text.as_bytes();
            let mut row = RowBuffer::new(1000);
            fill_line(&mut reader, &mut row).unwrap();
            let mapping = rules.parse().unwrap();
            let (read, lines) = pass(row.into_bytes(), &mut reader, 1000, &mapping, &csv::delimiter).unwrap();
            assert_eq!((std::str::from_utf8(&read).unwrap(), lines), (from, passed), "{text:?}");
        }
    }
}
