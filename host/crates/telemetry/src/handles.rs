//! Handles of metrics, found once by each thread and kept: finding one by name and labels costs more than adding to it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::LocalKey;

use ::metrics::{Counter, Gauge, Histogram};

/// Whether a recorder is installed. Handles that were made before would lead nowhere.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// From now on, metrics are recorded.
pub(super) fn installed() {
    INSTALLED.store(true, Ordering::Release);
}

/// What tells the metrics of one table apart: a label's value or the metric's name, a word of the program's own, and a number.
pub(super) type Labels<'a> = (&'a str, &'static str, u16);

/// The handles of a table of metrics.
type Handles<H> = RefCell<HashMap<String, HashMap<(&'static str, u16), H>>>;

thread_local! {
    pub(super) static HTTP: Handles<Histogram> = RefCell::default();
    pub(super) static MIGRATIONS: Handles<Counter> = RefCell::default();
    pub(super) static VERIFICATIONS: Handles<Histogram> = RefCell::default();
    pub(super) static HISTOGRAMS: Handles<Histogram> = RefCell::default();
    pub(super) static GAUGES: Handles<Gauge> = RefCell::default();
}

/// Adds to the metric with these labels, if metrics are recorded.
pub(super) fn record<H>(
    of: &'static LocalKey<Handles<H>>,
    labels: Labels<'_>,
    find: impl FnOnce() -> H,
    add: impl FnOnce(&H),
) {
    if !INSTALLED.load(Ordering::Acquire) {
        return;
    }
    // Fails only while the thread ends and its handles are gone: what would be counted then is lost.
    let _ = of.try_with(|handles| {
        let (text, word, number) = labels;
        let mut handles = handles.borrow_mut();
        if let Some(handle) = handles.get(text).and_then(|of_text| of_text.get(&(word, number))) {
            return add(handle);
        }
        add(handles.entry(text.to_owned()).or_default().entry((word, number)).or_insert_with(find));
    });
}
