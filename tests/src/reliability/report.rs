//! `tests/RELIABILITY.md`: what a long run found, written by the run itself.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use super::figures::Figures;

/// What long runs found, each part by the commit that it ran on.
pub struct Report {
    file: PathBuf,
    commit: String,
    /// Title and text.
    sections: Vec<(String, String)>,
}

/// What was found after servers were ended in one way and another.
pub struct Survival {
    seed: u64,
    endings: Vec<(String, Figures)>,
}

impl Report {
    /// That file, with what former runs wrote, for a run on the commit that is checked out.
    ///
    /// # Errors
    /// Where git cannot say which one it is, or the file cannot be read.
    pub fn open(file: &Path) -> io::Result<Self> {
        let git = |arguments: &[&str]| -> io::Result<String> {
            let output = Command::new("git").args(arguments).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let mut commit = git(&["rev-parse", "--short=12", "HEAD"])?;
        // The report itself may differ: it is what a run leaves behind.
        if !git(&["status", "--porcelain", "--", ".", ":!tests/RELIABILITY.md"])?.is_empty() {
            commit.push_str(" and changes on top");
        }
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let sections = text.split("\n## ").skip(1).filter_map(|section| {
            let (title, text) = section.split_once('\n')?;
            Some((title.to_owned(), text.trim().to_owned()))
        });
        Ok(Self { file: file.to_owned(), commit, sections: sections.collect() })
    }

    /// Writes down what a part of the run found, in the place of what a former run did, and says so.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&mut self, title: &str, found: impl Display) -> io::Result<()> {
        let text = format!("On commit {}. {}", self.commit, found.to_string().trim());
        match self.sections.iter_mut().find(|(known, _)| known == title) {
            Some((_, former)) => *former = text,
            None => self.sections.push((title.to_owned(), text)),
        }
        fs::write(&self.file, self.to_string())?;
        println!("{title}: written to {}", self.file.display());
        Ok(())
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "# What long runs found\n\n\
             Written by `cargo run -p keyferry-tests -- reliability`. A part that finds a loss, a failed request of a neighbour's, an \
             undocumented answer, a difference in time that tells of a key, or an input for which a property does not hold, ends \
             the run and writes nothing.\n"
        )?;
        self.sections.iter().try_for_each(|(title, text)| write!(f, "\n## {title}\n\n{text}\n"))
    }
}

impl Survival {
    /// Nothing yet, of rounds that follow from this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, endings: Vec::new() }
    }

    /// Adds the rounds that ended in this way.
    pub fn add(&mut self, ending: &str, figures: Figures) {
        self.endings.push((ending.to_owned(), figures));
    }
}

impl Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Seed {}. Eight clients create, update and delete accounts and credentials while the server is ended, a third of the time \
             before it is ready. What is on disk is then opened with the key and compared with every answer that was given: the \
             account, the credential's very value, a version no older than the acknowledged one, nothing that nobody asked for, \
             an audit chain that holds. Requests under an idempotency key are repeated and have to get the answer of the \
             first.\n",
            self.seed
        )?;
        writeln!(
            f,
            "| ending | rounds | during start | acknowledged | lost | unanswered: done, not done | opened | replayed | audit entries |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for (ending, figures) in &self.endings {
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
