//! The number of rounds.

/// How long the measurements take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Fewer and shorter rounds: to test the program, not to quote.
    Quick,
    /// As many rounds as the report needs.
    Full,
}
