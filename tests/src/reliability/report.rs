//! `tests/RELIABILITY.md`: what a long run found, written by the run itself.

use std::fmt::{self, Display, Write as _};
use std::io;
use std::process::Command;

use super::figures::Figures;

/// What a long run found.
pub struct Report {
    commit: String,
    seed: u64,
    sections: String,
}

/// What was found after servers were ended in one way and another.
#[derive(Default)]
pub struct Survival(Vec<(String, Figures)>);

impl Report {
    /// An empty one, for the commit that is checked out.
    ///
    /// # Errors
    /// Where git cannot say which one it is.
    pub fn new(seed: u64) -> io::Result<Self> {
        let git = |arguments: &[&str]| -> io::Result<String> {
            let output = Command::new("git").args(arguments).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let mut commit = git(&["rev-parse", "--short=12", "HEAD"])?;
        // The report itself may differ: it is what a run leaves behind.
        if !git(&["status", "--porcelain", "--", ".", ":!tests/RELIABILITY.md"])?.is_empty() {
            commit.push_str(" and changes on top");
        }
        Ok(Self { commit, seed, sections: String::new() })
    }

    /// Adds what a part of the run found.
    pub fn add(&mut self, title: &str, found: impl Display) {
        // Writing to a string does not fail.
        let _written = write!(self.sections, "\n## {title}\n\n{}\n", found.to_string().trim_end());
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "# What a long run found\n\n\
             Written by `cargo run -p keyferry-tests -- reliability` on commit {} with seed {}. A run that finds a loss, a \
             failed request of a neighbour's, an undocumented answer, a difference in time that tells of a key, or an input for \
             which a property does not hold, ends there and writes nothing.\n{}",
            self.commit, self.seed, self.sections
        )
    }
}

impl Survival {
    /// Adds the rounds that ended in this way.
    pub fn add(&mut self, ending: &str, figures: Figures) {
        self.0.push((ending.to_owned(), figures));
    }
}

impl Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Eight clients create, update and delete accounts and credentials while the server is ended, a third of the time \
             before it is ready. What is on disk is then opened with the key and compared with every answer that was given: the \
             account, the credential's very value, a version no older than the acknowledged one, nothing that nobody asked for, \
             an audit chain that holds. Requests under an idempotency key are repeated and have to get the answer of the \
             first.\n"
        )?;
        writeln!(
            f,
            "| ending | rounds | during start | acknowledged | lost | unanswered: done, not done | opened | replayed | audit entries |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for (ending, figures) in &self.0 {
            writeln!(
                f,
                "| {ending} | {} | {} | {} | 0 | {}, {} | {} | {} | {} |",
                figures.rounds,
                figures.during_start,
                figures.acknowledged,
                figures.done_unanswered,
                figures.not_done,
                figures.opened,
                figures.replayed,
                figures.audit_entries,
            )?;
        }
        Ok(())
    }
}
