//! Writing failed rows: in the format of the imported file, with columns that explain the failure.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::ledger::FailedRow;
use keyferry_imports::input::{Original, RowFormat, SOURCE_MEMBER, guard};
use keyferry_schema::Input;

/// What the names of Keyferry's own columns and members begin with.
const OWN: &str = "keyferry_";
/// The column of older files of failed rows that reading them needs.
const NAMES: &str = "keyferry_names";

/// A file of failed rows that is being written.
pub(super) enum Output<W: Write> {
    Csv {
        csv: Box<csv::Writer<W>>,
        columns: Vec<bool>,
    },
    /// A line for each row.
    Lines(W),
    /// The rows as the elements of one JSON array.
    Array {
        out: W,
        rows: u64,
    },
}

impl<W: Write> Output<W> {
    /// For rows of CSV whose columns have these names.
    pub(super) fn csv(out: W, names: &[Vec<u8>], delimiter: u8) -> io::Result<Self> {
        let mut csv = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(out);
        // What an earlier run wrote beside the rows is replaced.
        let is_kept =
            |name: &Vec<u8>| !name.trim_ascii().starts_with(OWN.as_bytes()) || name.trim_ascii() == NAMES.as_bytes();
        let columns: Vec<bool> = names.iter().map(is_kept).collect();
        let kept = names.iter().zip(&columns).filter(|(_, kept)| **kept).map(|(name, _)| guard(name));
        let own = FailedRow::default().columns(0).map(|(name, _)| name.as_bytes().into());
        csv.write_record(kept.chain(own))?;
        Ok(Self::Csv { csv: Box::new(csv), columns })
    }

    /// Creates an output for rows of JSON.
    pub(super) fn json(mut out: W, format: Option<RowFormat>) -> io::Result<Self> {
        if format == Some(RowFormat::JsonArray) {
            out.write_all(b"[")?;
            return Ok(Self::Array { out, rows: 0 });
        }
        Ok(Self::Lines(out))
    }

    pub(super) fn row(&mut self, number: u64, about: &FailedRow, original: &Original<'_>) -> io::Result<()> {
        match self {
            Self::Csv { csv, columns } => {
                let cells = if let Original::Record(cells) = original { cells.as_slice() } else { &[] };
                let kept = columns.iter().enumerate().filter(|(_, kept)| **kept);
                let kept = kept.map(|(at, _)| guard(cells.get(at).copied().unwrap_or_default()));
                let own = about.columns(number).map(|(_, value)| guard(value.as_bytes()).into_owned().into());
                // Cells that the header has no name for stay visible, behind all others.
                let more = cells.get(columns.len()..).unwrap_or_default();
                let is_more = more.iter().any(|cell| !cell.trim_ascii().is_empty());
                let more = more.iter().filter(|_| is_more).map(|cell| guard(cell));
                Ok(csv.write_record(kept.chain(own).chain(more))?)
            }
            Self::Lines(out) => {
                out.write_all(&member_of(number, about, original, Layout::Line)?)?;
                out.write_all(b"\n")
            }
            Self::Array { out, rows } => {
                out.write_all(if *rows == 0 { b"\n" } else { b",\n" })?;
                *rows += 1;
                out.write_all(&member_of(number, about, original, Layout::AsItIs)?)
            }
        }
    }

    /// The rest of the file.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Csv { csv, .. } => csv.into_inner().map_err(|error| error.into_error()),
            Self::Lines(out) => Ok(out),
            Self::Array { mut out, .. } => {
                out.write_all(b"\n]\n")?;
                Ok(out)
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Line,
    AsItIs,
}

/// The row as JSON, with what is known of it as further members.
fn member_of(
    number: u64,
    about: &FailedRow,
    original: &Original<'_>,
    layout: Layout,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut own = Vec::new();
    for (name, value) in about.columns(number) {
        if value.is_empty() {
            continue;
        }
        own.extend_from_slice(if own.is_empty() { b"" } else { b"," });
        serde_json::to_writer(&mut own, name)?;
        own.push(b':');
        match value.parse::<u64>() {
            Ok(figure) if matches!(name, "keyferry_row" | "keyferry_line") => serde_json::to_writer(&mut own, &figure)?,
            _ => serde_json::to_writer(&mut own, &value)?,
        }
    }
    let source = if let Original::Json(bytes) = original { bytes.trim_ascii() } else { b"" };
    let mut row = Zeroizing::new(Vec::with_capacity(source.len() * 6 + own.len() + 64));
    row.push(b'{');
    match std::str::from_utf8(source).ok().and_then(|text| serde_json::from_str::<Input>(text).ok()) {
        Some(Input::Object(members)) if members.iter().any(|(name, _)| name.starts_with(OWN)) => {
            let kept = |(name, _): &(String, Input)| !name.starts_with(OWN) || name == NAMES || name == SOURCE_MEMBER;
            let members: Vec<_> = members.into_iter().filter(kept).collect();
            let is_empty = members.is_empty();
            let json = Input::Object(members).to_json()?;
            row.extend_from_slice(json.get(1..json.len() - 1).unwrap_or_default());
            row.extend_from_slice(if is_empty { b"" } else { b"," });
        }
        // Its own text, so that numbers and the order of members stay as they are.
        Some(Input::Object(members)) => {
            let inner = source.get(1..source.len() - 1).unwrap_or_default();
            // JSON strings hold no line breaks, so each one separates parts of the array.
            let plain = |byte: &u8| if layout == Layout::Line && matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
            row.extend(inner.trim_ascii().iter().map(plain));
            row.extend_from_slice(if members.is_empty() { b"" } else { b"," });
        }
        _ if source.is_empty() => {
            for (name, value) in [("linked_account_id", &about.account), ("slug", &about.slug)] {
                if !value.is_empty() {
                    serde_json::to_writer(&mut *row, name)?;
                    row.push(b':');
                    serde_json::to_writer(&mut *row, value)?;
                    row.push(b',');
                }
            }
        }
        _ => {
            serde_json::to_writer(&mut *row, SOURCE_MEMBER)?;
            row.push(b':');
            serde_json::to_writer(&mut *row, &String::from_utf8_lossy(source))?;
            row.push(b',');
        }
    }
    row.extend_from_slice(&own);
    row.push(b'}');
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> FailedRow {
        FailedRow { line: 3, code: "rejected".into(), detail: "=1+1".into(), ..FailedRow::default() }
    }

    fn json(source: &str, layout: Layout) -> String {
        String::from_utf8(member_of(7, &about(), &Original::Json(source.as_bytes()), layout).unwrap().to_vec()).unwrap()
    }

    const OWN_MEMBERS: &str =
        r#""keyferry_row":7,"keyferry_line":3,"keyferry_code":"rejected","keyferry_detail":"=1+1""#;

    #[test]
    fn a_row_of_json_keeps_its_text_and_gets_further_members() {
        for (source, expected) in [
            (r#"{"b":1.50,"a":{"x":[1e40]}}"#, r#"{"b":1.50,"a":{"x":[1e40]},OWN}"#),
            (" {\"a\" : 1 }\r", r#"{"a" : 1,OWN}"#),
            ("{\n \"a\": 1\n}", r#"{"a": 1,OWN}"#),
            ("{}", "{OWN}"),
            (r#"{"a":1,"keyferry_row":1,"keyferry_code":"x"}"#, r#"{"a":1,OWN}"#),
            (r#"{"keyferry_source":"{","keyferry_code":"x"}"#, r#"{"keyferry_source":"{",OWN}"#),
            (r#"{"a":tru}"#, r#"{"keyferry_source":"{\"a\":tru}",OWN}"#),
            ("[1]", r#"{"keyferry_source":"[1]",OWN}"#),
            ("", "{OWN}"),
        ] {
            assert_eq!(json(source, Layout::Line), expected.replace("OWN", OWN_MEMBERS), "{source}");
        }
        assert!(json("{\n \"a\": 1,\n \"b\": 2\n}", Layout::AsItIs).starts_with("{\"a\": 1,\n \"b\": 2,"));
    }

    #[test]
    fn a_record_keeps_its_columns_and_gets_further_ones() {
        let names: Vec<Vec<u8>> = ["key", "keyferry_code", "=n"].map(|name| name.as_bytes().to_vec()).to_vec();
        let mut output = Output::csv(Vec::new(), &names, b';').unwrap();
        for cells in [&["=1", "old", "x;y"][..], &["-1"], &["a", "", "b", "c", ""], &["a", "", "b", "", ""]] {
            let record = Original::Record(cells.iter().map(|cell| cell.as_bytes()).collect());
            output.row(7, &about(), &record).unwrap();
        }
        let own = "7;3;rejected;'=1+1;;";
        let expected = [
            "key;'=n;keyferry_row;keyferry_line;keyferry_code;keyferry_detail;keyferry_fields;keyferry_warnings"
                .to_owned(),
            format!("'=1;\"x;y\";{own}"),
            format!("'-1;;{own}"),
            format!("a;b;{own};c;"),
            format!("a;b;{own}"),
        ];
        assert_eq!(String::from_utf8(output.finish().unwrap()).unwrap(), expected.map(|line| line + "\n").concat());
    }
}
