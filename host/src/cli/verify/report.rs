//! The results of `keyferry verify`: printed in parts while they arrive, and counted.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use comfy_table::{Cell, Color};
use serde::Serialize;

use super::verification::{Finding, Verification};
use crate::cli::exit::Exit;
use crate::cli::json_list::JsonList;
use crate::cli::stdout::stdout;
use crate::cli::table::Table;

/// Rows that are printed together.
const ROWS: usize = 100;

/// The form of a report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Json,
}

pub(super) struct Report {
    format: Format,
    only_failed: bool,
    /// What is not printed yet.
    rows: Vec<Verification>,
    list: JsonList,
    /// Whether a part is printed.
    is_begun: bool,
    counts: BTreeMap<(Finding, String), u64>,
}

/// The counts as `--json` prints them.
#[derive(Serialize)]
struct Counts {
    verified: u64,
    failed: u64,
    not_verified: u64,
}

impl Report {
    pub(super) fn new(format: Format, only_failed: bool) -> Self {
        let list = JsonList::in_member();
        Self { format, only_failed, rows: Vec::new(), list, is_begun: false, counts: BTreeMap::new() }
    }

    /// Counts a result. Whether there is enough to print.
    pub(super) fn add(&mut self, verification: Verification) -> bool {
        *self.counts.entry((verification.result, verification.outcome.clone())).or_default() += 1;
        if !(self.only_failed && verification.result == Finding::Verified) {
            self.rows.push(verification);
        }
        self.rows.len() >= ROWS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Prints what is not printed yet.
    ///
    /// # Errors
    /// If the reader has closed the pipe.
    pub(super) fn print(&mut self) -> io::Result<()> {
        self.rows.sort_by(|a, b| (a.place, &a.slug).cmp(&(b.place, &b.slug)));
        let mut out = stdout();
        match self.format {
            Format::Json => {
                if !self.is_begun {
                    write!(out, "{{\n  \"verifications\": ")?;
                }
                for row in &self.rows {
                    self.list.item(&mut out, row)?;
                }
            }
            Format::Table => writeln!(out, "{}", table(&self.rows).continuing(self.is_begun))?,
        }
        self.is_begun = true;
        self.rows.clear();
        out.flush()
    }

    /// Prints the rest. `is_complete`: whether all selected credentials were verified.
    pub(super) fn end(&mut self, is_complete: bool) -> io::Result<()> {
        match self.format {
            Format::Table if self.rows.is_empty() => Ok(()),
            Format::Table => self.print(),
            Format::Json => {
                self.print()?;
                let mut out = stdout();
                self.list.end(&mut out)?;
                let counts = Counts {
                    verified: self.count(Finding::Verified),
                    failed: self.count(Finding::Failed),
                    not_verified: self.count(Finding::NotVerified),
                };
                let counts = serde_json::to_string(&counts)?;
                writeln!(out, ",\n  \"counts\": {counts},\n  \"complete\": {is_complete}\n}}")
            }
        }
    }

    fn count(&self, finding: Finding) -> u64 {
        self.counts.iter().filter(|((of, _), _)| *of == finding).map(|(_, count)| count).sum()
    }

    /// The counts as a text: `12 credentials: 9 verified, 1 rejected, 2 unreachable`.
    pub(super) fn counted(&self) -> String {
        let all: u64 = self.counts.values().sum();
        let each: Vec<_> = self.counts.iter().map(|((_, outcome), count)| format!("{count} {outcome}")).collect();
        let noun = if all == 1 { "credential" } else { "credentials" };
        if all == 0 { format!("0 {noun}") } else { format!("{all} {noun}: {}", each.join(", ")) }
    }

    pub(super) fn exit(&self, is_complete: bool) -> Exit {
        if !is_complete || self.count(Finding::NotVerified) > 0 {
            Exit::Incomplete
        } else if self.count(Finding::Failed) > 0 {
            Exit::SomeFailed
        } else {
            Exit::Done
        }
    }
}

fn table(rows: &[Verification]) -> Table {
    let mut table = Table::new(["account", "app", "auth type", "verdict", "message"]).notes(["message"]);
    for row in rows {
        let color = match row.result {
            Finding::Verified => Color::Green,
            Finding::Failed => Color::Red,
            Finding::NotVerified => Color::Yellow,
        };
        table.add_row([
            Cell::new(&row.account_id),
            Cell::new(&row.slug),
            Cell::new(&row.auth_type),
            Cell::new(&row.outcome).fg(color),
            Cell::new(row.detail.as_deref().unwrap_or_default()),
        ]);
    }
    table
}
