//! What becomes of rates, memory and starts when there is much of something.
//!
//! | file | of what |
//! |---|---|
//! | `plugins` | plugins that are loaded |
//! | `credentials` | credentials that are stored |
//! | `waiting` | connections, and verifications that wait for a provider |

mod credentials;
mod plugins;
mod waiting;

use std::error::Error;

use clap::{Args, ValueEnum};

use crate::outcome::Outcome;

const SERVED: &str = "Growth";
const STORED: &str = "Growth of what is stored";

#[derive(Args, Clone)]
pub(crate) struct GrowthOptions {
    /// The most plugins
    #[arg(long, default_value_t = 1000)]
    most_plugins: usize,
    /// The most credentials that are stored; 10 million take ten minutes to make, and 25 GB
    #[arg(long, default_value_t = 1_000_000)]
    most_credentials: usize,
    /// Seconds that are counted of each load
    #[arg(long = "growth-seconds", id = "growth_seconds", default_value_t = 4.0)]
    seconds: f64,
    /// Loads of each kind
    #[arg(long = "growth-rounds", id = "growth_rounds", default_value_t = 3)]
    rounds: usize,
    /// Only this
    #[arg(long)]
    only: Option<Part>,
}

/// A section of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Plugins, connections and verifications
    Served,
    /// Credentials
    Stored,
}

/// Sections of the report, by their titles.
pub(crate) async fn growth(
    options: &GrowthOptions,
    quick: bool,
) -> Result<Vec<(&'static str, Outcome)>, Box<dyn Error>> {
    let mut options = options.clone();
    if quick {
        let only = options.only;
        options = GrowthOptions { most_plugins: 100, most_credentials: 20_000, seconds: 1.0, rounds: 1, only };
    }
    let mut sections = Vec::new();
    if options.only != Some(Part::Stored) {
        sections.push((SERVED, served(&options).await?));
    }
    if options.only != Some(Part::Served) {
        sections.push((STORED, credentials::credentials(&options).await?));
    }
    Ok(sections)
}

async fn served(options: &GrowthOptions) -> Result<Outcome, Box<dyn Error>> {
    let mut all = Outcome {
        text: "What becomes of the whole server when there is much of something. Starts follow a SIGKILL and are over when \
               `/readyz` says so, which is asked every 20 ms; rates are those of a closed loop with 64 connections unless said \
               otherwise. Where clients are turned away, they come again when `Retry-After` says, but for those who do not care."
            .to_owned(),
        tables: Vec::new(),
        plots: Vec::new(),
        goals: Vec::new(),
    };
    for part in
        [plugins::plugins(options).await?, waiting::connections(options).await?, waiting::verifications(options).await?]
    {
        all.tables.extend(part.tables);
        all.plots.extend(part.plots);
        all.goals.extend(part.goals);
    }
    Ok(all)
}

/// 10, 100 and so on up to `most`, and `most` itself.
fn decades(first: usize, most: usize) -> Vec<usize> {
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
