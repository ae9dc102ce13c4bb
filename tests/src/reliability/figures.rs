//! The results of the rounds.

use std::fmt;
use std::time::Duration;

/// The sums over all rounds.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// How often the server was ended.
    pub rounds: u64,
    /// Of these, before it was ready.
    pub during_start: u64,
    /// Acknowledged writes. After each round, all of their effects were found.
    pub acknowledged: u64,
    /// Writes without a response, found done.
    pub done_unanswered: u64,
    /// Writes without a response, found not done.
    pub not_done: u64,
    /// Credentials that were decrypted with the key and compared.
    pub opened: u64,
    /// Requests repeated under their idempotency key that got the response of the first.
    pub replayed: u64,
    /// Entries of the audit chain at the last check.
    pub audit_entries: u64,
    /// The duration of all rounds.
    pub took: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds ({} during start), {} writes acknowledged, 0 lost; {} unanswered ones done, {} not; {} credentials \
             opened, {} answers replayed, audit chain of {} entries whole; {:.0} s",
            self.rounds,
            self.during_start,
            self.acknowledged,
            self.done_unanswered,
            self.not_done,
            self.opened,
            self.replayed,
            self.audit_entries,
            self.took.as_secs_f64(),
        )
    }
}
