//! The plugin's log.
//!
//! Keyferry replaces the values of known secrets by `***`, and drops lines past its limit (64 of 1 KiB a call).
//!
//! ```no_run
//! keyferry_plugin::log::debug("the key has no account of its own, asking for the organisation");
//! ```

use crate::bindings::keyferry::plugin::log as host;

/// Writes a line that matters to the plugin's author only.
pub fn trace(line: &str) {
    host::write(host::Level::Trace, line);
}

/// Writes a line that helps to find out what a call did.
pub fn debug(line: &str) {
    host::write(host::Level::Debug, line);
}

/// Writes a line worth keeping.
pub fn info(line: &str) {
    host::write(host::Level::Info, line);
}

/// Writes a line about something odd that did no harm.
pub fn warn(line: &str) {
    host::write(host::Level::Warn, line);
}

/// Writes a line about something that went wrong.
pub fn error(line: &str) {
    host::write(host::Level::Error, line);
}
