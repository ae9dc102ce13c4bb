//! Tables: in the width of a terminal; in a pipe, a line for each row with tabs between the cells.

use std::borrow::Cow;
use std::fmt;

use comfy_table::{Cell, presets};

use super::grouping::grouped;
use super::term::harmless;
use super::wrap::{cut, wrap};

/// Spaces between columns.
const GAP: usize = 2;
/// Longer words of a text column may be broken, such as paths.
const LONGEST_WORD: usize = 24;
/// The width of a terminal that does not tell its own.
const USUAL_WIDTH: usize = 80;

/// What may be done with the cells of a column on a narrow terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Nothing: an id is one word that can be copied.
    Whole,
    /// They may take several lines.
    Text,
    /// They are written below the table, each text once.
    Note,
}

/// A table for people. What may not be broken makes it one block of lines for each row where the terminal is too narrow.
pub(super) struct Table {
    columns: Vec<(&'static str, Fit)>,
    rows: Vec<Vec<Cell>>,
    /// Whether it continues a table that is printed already.
    continues: bool,
}

impl Table {
    /// The cells of all columns stay whole.
    pub(super) fn new<const COLUMNS: usize>(header: [&'static str; COLUMNS]) -> Self {
        Self {
            columns: header.into_iter().map(|name| (name, Fit::Whole)).collect(),
            rows: Vec::new(),
            continues: false,
        }
    }

    /// Lets the cells of these columns take several lines.
    pub(super) fn text<const COLUMNS: usize>(self, names: [&str; COLUMNS]) -> Self {
        self.fitted(&names, Fit::Text)
    }

    /// Writes the cells of these columns below the table, with the first cells of their rows.
    pub(super) fn notes<const COLUMNS: usize>(self, names: [&str; COLUMNS]) -> Self {
        self.fitted(&names, Fit::Note)
    }

    /// Makes it the continuation of a table with the same columns: in a pipe their names are left out.
    pub(super) fn continuing(self, continues: bool) -> Self {
        Self { continues, ..self }
    }

    fn fitted(mut self, names: &[&str], fit: Fit) -> Self {
        for column in self.columns.iter_mut().filter(|(name, _)| names.contains(name)) {
            column.1 = fit;
        }
        self
    }

    pub(super) fn add_row<C: Into<Cell>>(&mut self, row: impl IntoIterator<Item = C>) {
        let cells = row.into_iter().map(|cell| {
            let cell: Cell = cell.into();
            match harmless(&cell.content()) {
                Cow::Owned(text) => Cell::new(text),
                Cow::Borrowed(_) => cell,
            }
        });
        self.rows.push(cells.collect());
    }

    fn render(&self, width: Option<usize>) -> String {
        let Some(width) = width else { return self.separated() };
        let table = match self.widths(width) {
            Some(widths) => self.grid(&widths),
            None => self.blocks(width),
        };
        let notes = self.notes_below(width);
        if notes.is_empty() { table } else { format!("{table}\n\n{notes}") }
    }

    /// One line a row, with tabs.
    fn separated(&self) -> String {
        let clean = |cell: &Cell| cell.content().replace(['\t', '\n', '\r'], " ");
        let header = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        let rows = self.rows.iter().map(|row| row.iter().map(clean).collect());
        let header = (!self.continues).then_some(header);
        header.into_iter().chain(rows).map(|cells: Vec<String>| cells.join("\t")).collect::<Vec<_>>().join("\n")
    }

    /// The columns of the table itself, by number.
    fn shown(&self) -> impl Iterator<Item = (usize, &'static str, Fit)> {
        let columns = self.columns.iter().enumerate().map(|(index, (name, fit))| (index, *name, *fit));
        columns.filter(|(_, _, fit)| *fit != Fit::Note)
    }

    /// Widths of the shown columns; none if the terminal is too narrow for them.
    fn widths(&self, width: usize) -> Option<Vec<usize>> {
        let cells = |index: usize| self.rows.iter().filter_map(move |row| Some(row.get(index)?.content()));
        let longest = |index: usize| cells(index).map(|text| length(&text)).max().unwrap_or_default();
        let longest_word = |index: usize| {
            let words = cells(index).map(|text| text.split(' ').map(length).max().unwrap_or_default());
            words.max().unwrap_or_default().min(LONGEST_WORD)
        };
        let most: Vec<usize> = self.shown().map(|(index, name, _)| longest(index).max(length(name))).collect();
        let least = self.shown().zip(&most).map(|((index, name, fit), most)| match fit {
            Fit::Text => longest_word(index).max(length(name)),
            Fit::Whole | Fit::Note => *most,
        });
        let mut widths: Vec<usize> = least.collect();
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut left = width.checked_sub(gaps + widths.iter().sum::<usize>())?;
        while left > 0 && widths.iter().zip(&most).any(|(width, most)| width < most) {
            for (width, most) in widths.iter_mut().zip(&most) {
                if *width < *most && left > 0 {
                    (*width, left) = (*width + 1, left - 1);
                }
            }
        }
        Some(widths)
    }

    /// A line of names, and a line for each row.
    fn grid(&self, widths: &[usize]) -> String {
        let header = self.shown().map(|(_, name, _)| Cell::new(name)).collect();
        let cells = |row: &Vec<Cell>| {
            let cell = |((index, _, fit), width): ((usize, _, Fit), &usize)| fitting(row.get(index), fit, *width);
            self.shown().zip(widths).map(cell).collect()
        };
        aligned(Some(header), self.rows.iter().map(cells))
    }

    /// A line for each cell, and an empty one between rows.
    fn blocks(&self, width: usize) -> String {
        let label = self.shown().map(|(_, name, _)| length(name)).max().unwrap_or_default();
        let rest = width.saturating_sub(label + GAP).max(LONGEST_WORD);
        let block = |row: &Vec<Cell>| {
            let cells =
                self.shown().filter(|(index, ..)| row.get(*index).is_some_and(|cell| !cell.content().is_empty()));
            let line = |(index, name, fit)| vec![Cell::new(name), fitting(row.get(index), fit, rest)];
            aligned(None, cells.map(line))
        };
        self.rows.iter().map(block).collect::<Vec<_>>().join("\n\n")
    }

    fn notes_below(&self, width: usize) -> String {
        let mut lines = Vec::new();
        let columns = self.columns.iter().enumerate().filter(|(_, (_, fit))| *fit == Fit::Note);
        for (index, (name, _)) in columns {
            let of_row = |row: &Vec<Cell>| {
                let (first, text) = (row.first()?.content(), row.get(index)?.content());
                (!text.is_empty()).then(|| (first.clone(), first, text))
            };
            let placeholder = self.columns.first().map(|(name, _)| name.to_uppercase()).unwrap_or_default();
            for (names, text) in grouped(self.rows.iter().filter_map(of_row), &placeholder) {
                let mut note = wrap(&format!("{name}: {}: {text}", names.join(", ")), width.saturating_sub(GAP));
                note.iter_mut().skip(1).for_each(|line| line.insert_str(0, "  "));
                lines.extend(note);
            }
        }
        lines.join("\n")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(width_of_stdout()))
    }
}

/// Facts about one thing, each with its name: in columns on a terminal, with a tab between name and value in a pipe.
pub(super) struct Facts(Vec<(&'static str, String)>);

impl Facts {
    /// A fact without a value is left out.
    pub(super) fn new<const COUNT: usize>(facts: [(&'static str, String); COUNT]) -> Self {
        let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
        Self(facts.map(|(name, value)| (name, harmless(&value).into_owned())).collect())
    }

    fn render(&self, width: Option<usize>) -> String {
        let Some(width) = width else {
            let line = |(name, value): &(&str, String)| format!("{name}\t{}", value.replace(['\t', '\n', '\r'], " "));
            return self.0.iter().map(line).collect::<Vec<_>>().join("\n");
        };
        let names = self.0.iter().map(|(name, _)| length(name)).max().unwrap_or_default();
        let rest = width.saturating_sub(names + GAP).max(LONGEST_WORD);
        let line =
            |(name, value): &(&str, String)| vec![Cell::new(name), fitting(Some(&Cell::new(value)), Fit::Text, rest)];
        aligned(None, self.0.iter().map(line))
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(width_of_stdout()))
    }
}

/// The width of the terminal on stdout; `None` if stdout is not a terminal.
fn width_of_stdout() -> Option<usize> {
    let terminal = comfy_table::Table::new();
    terminal.is_tty().then(|| terminal.width().map_or(USUAL_WIDTH, usize::from))
}

/// A text after a label: on a terminal broken between words, with each line below the beginning of the text; in a pipe, one
/// line.
pub(super) fn labelled(label: &str, text: &str) -> String {
    format!("{label}{}", hanging(length(label), text, 0))
}

/// A text that begins in a column: broken like [`labelled`], with room for `room` characters at the end of a line.
pub(super) fn hanging(column: usize, text: &str, room: usize) -> String {
    hanging_within(column, text, width_of_stdout().map(|width| width.saturating_sub(room)))
}

fn hanging_within(column: usize, text: &str, width: Option<usize>) -> String {
    let text = harmless(text);
    let Some(width) = width else { return text.into_owned() };
    wrap(&text, width.saturating_sub(column).max(LONGEST_WORD)).join(&format!("\n{:column$}", ""))
}

/// A moment without seconds, for a table: `2026-11-29T12:03`.
pub(super) fn minute(moment: &str) -> &str {
    moment.get(..16).unwrap_or(moment)
}

/// A cell within a width.
fn fitting(cell: Option<&Cell>, fit: Fit, width: usize) -> Cell {
    let Some(cell) = cell else { return Cell::new("") };
    match fit {
        Fit::Text => {
            let lines: Vec<String> = wrap(&cell.content(), width).iter().flat_map(|line| cut(line, width)).collect();
            Cell::new(lines.join("\n"))
        }
        Fit::Whole | Fit::Note => cell.clone(),
    }
}

/// Cells in columns, without lines around them.
fn aligned(header: Option<Vec<Cell>>, rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING);
    if let Some(header) = header {
        table.set_header(header);
    }
    table.add_rows(rows);
    let gap = u16::try_from(GAP).unwrap_or_default();
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, gap)));
    table.trim_fmt()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef01234567";

    fn imports() -> Table {
        let mut table = Table::new(["import", "file", "rows"]).text(["file"]);
        table.add_row([ID, "customers.csv", "202"]);
        table.add_row([ID, "a long name\tof a file with many words in it.csv", "7"]);
        table
    }

    #[test]
    fn a_pipe_gets_a_line_a_row_with_tabs_and_nothing_else() {
        let expected = format!(
            "import\tfile\trows\n{ID}\tcustomers.csv\t202\n{ID}\ta long name of a file with many words in it.csv\t7"
        );
        assert_eq!(imports().render(None), expected);
    }

    #[test]
    fn no_cell_has_commands_for_a_terminal() {
        for (text, shown) in [
            ("plain", "plain"),
            ("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}"),
            ("\u{9b}2J", "\u{fffd}2J"),
            ("\u{202e}abc", "\u{fffd}abc"),
            ("Zo\u{eb}", "Zo\u{eb}"),
        ] {
            let mut table = Table::new(["name"]).text(["name"]);
            table.add_row([text]);
            let facts = Facts::new([("name", text.to_owned())]);
            for width in [None, Some(80)] {
                assert!(table.render(width).ends_with(shown), "{text:?}");
                assert!(facts.render(width).ends_with(shown), "{text:?}");
            }
        }
    }

    #[test]
    fn a_terminal_gets_columns_in_its_width_and_an_id_is_never_broken() {
        let wide = imports().render(Some(120));
        assert_eq!(wide.lines().count(), 3, "{wide}");
        let narrow = imports().render(Some(50));
        assert!(narrow.lines().count() > 3 && narrow.starts_with("import "), "{narrow}");
        let blocks = imports().render(Some(30));
        assert!(blocks.starts_with(&format!("import  {ID}\nfile    customers.csv\nrows    202\n\n")), "{blocks}");
        for (width, text) in [(120, &wide), (50, &narrow), (32, &imports().render(Some(32)))] {
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            assert_eq!(text.matches(ID).count(), 2, "{text}");
            assert!(!text.contains(['|', '+', '─', '│']), "{text}");
        }
    }

    #[test]
    fn a_word_that_is_too_long_for_a_text_column_is_broken_and_an_empty_table_has_its_names() {
        let mut table = Table::new(["setting", "value"]).text(["value"]);
        table.add_row(["data", &"/long".repeat(20)]);
        let text = table.render(Some(60));
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert_eq!(Table::new(["a", "b"]).render(Some(80)), "a  b");
        assert_eq!(Table::new(["a", "b"]).render(None), "a\tb");
    }

    #[test]
    fn the_same_note_is_written_once_below_the_table() {
        let mut table = Table::new(["app", "state", "why"]).notes(["why"]);
        for app in ["aws", "hubspot", "slack"] {
            table.add_row([app, "pending", &format!("nothing is granted; `keyferry plugin grant {app}` grants it")]);
        }
        table.add_row(["later", "refused", "later.wasm was built for another version"]);
        table.add_row(["stripe", "active", ""]);
        let text = table.render(Some(60));
        let (rows, notes) = text.split_once("\n\n").unwrap();
        assert_eq!(rows.lines().count(), 6, "{text}");
        assert_eq!(
            notes,
            "why: aws, hubspot, slack: nothing is granted; `keyferry\n  plugin grant APP` grants it\n\
             why: later: later.wasm was built for another version"
        );
        assert!(
            table.render(None).contains("slack\tpending\tnothing is granted; `keyferry plugin grant slack` grants it")
        );
    }

    #[test]
    fn facts_are_columns_at_a_terminal_and_lines_with_tabs_in_a_pipe() {
        let facts = Facts::new([
            ("key", "tk_abcd...".to_owned()),
            ("label", String::new()),
            ("scopes", "migrate, read".to_owned()),
        ]);
        assert_eq!(facts.render(None), "key\ttk_abcd...\nscopes\tmigrate, read");
        assert_eq!(facts.render(Some(80)), "key     tk_abcd...\nscopes  migrate, read");
        let mut table = Table::new(["a", "b"]).continuing(true);
        table.add_row(["1", "2"]);
        assert_eq!((table.render(None), table.render(Some(80))), ("1\t2".to_owned(), "a  b\n1  2".to_owned()));
    }

    #[test]
    fn a_labelled_text_is_broken_between_words_on_a_terminal_only() {
        let text = "nothing is granted to this component, and nothing was";
        assert_eq!(hanging_within(7, text, None), text);
        let expected = "nothing is granted to this component, and\n       nothing was";
        assert_eq!(hanging_within(7, text, Some(50)), expected);
    }
}
