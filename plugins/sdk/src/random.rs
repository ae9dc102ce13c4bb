//! Unpredictable bytes from Keyferry's random source.

use crate::bindings::keyferry::plugin::random as host;

/// `length` random bytes, at most 1,024.
pub fn bytes(length: u32) -> Vec<u8> {
    host::bytes(length)
}
