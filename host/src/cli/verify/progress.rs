//! The progress of `keyferry verify`, on stderr: a bar on a terminal, else a line at intervals.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::term;

/// The interval of lines.
const INTERVAL: Duration = Duration::from_secs(5);
/// The interval at which a bar is redrawn.
const TICK: Duration = Duration::from_millis(200);

pub(super) struct Progress {
    bar: ProgressBar,
    /// When the last line was printed, or the command began. `None` if there is a bar.
    printed: Option<Cell<Instant>>,
}

impl Progress {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), printed: Some(Cell::new(Instant::now())) };
        }
        let bar = term::styled(ProgressBar::new(0), "{bar:30} {pos}/{len} accounts  {msg}");
        Self { bar, printed: None }
    }

    /// Shows how far the list is done.
    pub(super) fn show(&self, place: u64, accounts: u64, counts: &str) {
        match &self.printed {
            None => {
                if self.bar.length() == Some(0) {
                    self.bar.enable_steady_tick(TICK);
                }
                self.bar.set_length(accounts);
                self.bar.set_position(place.max(self.bar.position()));
                self.bar.set_message(counts.to_owned());
            }
            Some(printed) if printed.get().elapsed() >= INTERVAL => {
                printed.set(Instant::now());
                term::progress(&format!("{place}/{accounts} accounts, {counts}"));
            }
            Some(_) => {}
        }
    }

    /// Prints a line that is not progress.
    pub(super) fn note(&self, line: &str) {
        self.bar.suspend(|| term::progress(line));
    }

    /// Writes something else while the bar is away.
    pub(super) fn suspended<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
