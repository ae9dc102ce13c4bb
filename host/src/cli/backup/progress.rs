//! What a person sees meanwhile: a bar on standard error, where that is a terminal.

use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::term;
use keyferry_store::backup::Step;

/// The interval at which the bar is redrawn.
const TICK: Duration = Duration::from_millis(200);

/// A bar of bytes, of which `all` are expected, if that is known.
pub(super) fn bytes(verb: &str, all: Option<u64>) -> ProgressBar {
    let bar = match all {
        Some(all) => term::styled(ProgressBar::new(all), "{msg} {wide_bar} {bytes} of {total_bytes}, {eta}"),
        None => term::styled(ProgressBar::new_spinner(), "{spinner} {msg} {bytes}, {bytes_per_sec}"),
    };
    bar.set_message(verb.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// A counter of rows.
pub(super) fn rows(verb: &str) -> ProgressBar {
    let bar = term::styled(ProgressBar::new_spinner(), "{spinner} {msg} {pos} rows, {per_sec}");
    bar.set_message(verb.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// Shows a step of filling a store.
pub(super) fn show(bar: &ProgressBar, step: Step) {
    match step {
        Step::Written(rows) | Step::Compared(rows) => bar.inc(rows as u64),
        Step::Comparing => {
            bar.set_position(0);
            bar.set_message("reading again");
        }
        Step::VerifyingAudit => bar.set_message("verifying audit trails,"),
    }
}
