//! `tests/RELIABILITY.md`: the results of long runs, written by the runs themselves.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use super::figures::Figures;

/// The results of long runs, each section with its commit.
pub struct Report {
    file: PathBuf,
    commit: String,
    /// Title and text.
    sections: Vec<(String, String)>,
}

/// The results of each way to end a server.
pub struct Survival {
    seed: u64,
    endings: Vec<(String, Figures)>,
}

impl Report {
    /// Reads that file, with the sections of earlier runs, for a run on the current commit.
    ///
    /// # Errors
    /// Where git cannot name the commit, or the file is not readable.
    pub fn open(file: &Path) -> io::Result<Self> {
        let git = |arguments: &[&str]| -> io::Result<String> {
            let output = Command::new("git").args(arguments).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let mut commit = git(&["rev-parse", "--short=12", "HEAD"])?;
        // The report itself may differ, because runs change it.
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

    /// Replaces a section with the results of this run, and prints so.
    ///
    /// # Errors
    /// Where the file is not writable.
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
            "# Results of the long runs\n\n\
             Written by `cargo run -p keyferry-tests -- reliability`. A part that finds a loss, a failed request of a \
             neighbour, an undocumented response, a difference in time that reveals a key, or an input for which a \
             property does not hold, ends the run and writes nothing.\n"
        )?;
        self.sections.iter().try_for_each(|(title, text)| write!(f, "\n## {title}\n\n{text}\n"))
    }
}

impl Survival {
    /// A report without results, for rounds with this seed.
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
            "Seed {}. Eight clients create, update and delete accounts and credentials while the server is ended, a \
             third of the time before it is ready. The data on disk is then decrypted with the key and compared with \
             every response: the account, the credential's value, a version no older than the acknowledged one, no \
             record that was not requested, a valid audit chain. Requests under an idempotency key are repeated and \
             have to get the response of the first.\n",
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
