//! The cost of the same requests on one server, as the tools counted it.

use keyferry_tests::cost::{Profile, SystemCalls};

use super::subject::Subject;
use crate::figures::figure;
use crate::usage::Used;

/// The cost of the migrations on one server.
pub(super) struct Counted {
    pub(super) subject: Subject,
    pub(super) requests: usize,
    /// `None` where the tool is not installed; this holds for the next two as well.
    pub(super) profile: Option<Profile>,
    pub(super) calls: Option<SystemCalls>,
    /// Bytes that were passed to writes of files below the server's data folder.
    pub(super) bytes_handed: Option<u64>,
    pub(super) used: Used,
}

impl Counted {
    pub(super) fn a_request(&self, count: u64) -> f64 {
        figure(count) / figure(self.requests as u64)
    }
}
