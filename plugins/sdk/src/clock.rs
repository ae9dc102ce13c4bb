//! The time, which is Keyferry's.

use crate::bindings::keyferry::plugin::clock as host;

/// The current time in milliseconds since 1970-01-01T00:00:00Z.
pub fn now_ms() -> u64 {
    host::now()
}
