//! The options of `growth`, and the sizes that are measured.

use clap::{Args, ValueEnum};

#[derive(Args, Clone)]
pub(crate) struct GrowthOptions {
    /// The largest number of plugins
    #[arg(long, default_value_t = 1000)]
    pub(super) most_plugins: usize,
    /// The largest number of stored credentials; 10 million take ten minutes to make, and 25 GB
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) most_credentials: usize,
    /// Seconds that each load is counted
    #[arg(long = "growth-seconds", id = "growth_seconds", default_value_t = 4.0)]
    pub(super) seconds: f64,
    /// Loads of each kind
    #[arg(long = "growth-rounds", id = "growth_rounds", default_value_t = 3)]
    pub(super) rounds: usize,
    /// Measure only this section
    #[arg(long)]
    pub(super) only: Option<Part>,
}

/// A section of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Plugins, connections and verifications
    Served,
    /// Stored credentials
    Stored,
}

/// 10, 100 and so on up to `most`, and `most` itself.
pub(super) fn decades(first: usize, most: usize) -> Vec<usize> {
    let mut counts: Vec<usize> =
        std::iter::successors(Some(first), |count| count.checked_mul(10)).take_while(|count| *count < most).collect();
    counts.push(most);
    counts
}

#[cfg(test)]
mod tests {
    use super::decades;

    #[test]
    fn sizes_go_up_by_ten_and_end_at_the_most() {
        assert_eq!(decades(10, 1000), [10, 100, 1000]);
        assert_eq!(decades(10, 250), [10, 100, 250]);
        assert_eq!(decades(10, 5), [5]);
    }
}
