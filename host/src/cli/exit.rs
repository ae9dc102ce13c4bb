//! The exit codes of all commands.

use std::process::ExitCode;

use clap::ValueEnum;

use super::wrap::wrap;

/// The width of the meanings in `--help`, so that a terminal of 80 columns does not break them.
const WIDTH: usize = 72;

/// How a command ended. The meanings are printed by `keyferry --help`, and are in `docs/operations/commands.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Exit {
    /// Done.
    Done,
    /// Failed: the server refused or was not reached, something does not exist, a check or a test did not pass.
    Failed,
    /// Wrong usage, or input that cannot be used. Every error of `plugin` is one, so that there 1 means tests that failed.
    Unusable,
    /// Done, but some items failed: rows of an import, credentials that were rejected.
    SomeFailed,
    /// Not done to the end: an import that stopped, credentials that could not be verified.
    Incomplete,
    /// Interrupted by Ctrl-C. An import continues on the server; `verify` ends with 4.
    Interrupted,
}

impl Exit {
    /// The exit code.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Unusable => 2,
            Self::SomeFailed => 3,
            Self::Incomplete => 4,
            // 128 and the number of SIGINT, as shells have it.
            Self::Interrupted => 130,
        }
    }

    /// All codes and their meanings, as text for `--help`.
    pub(super) fn help() -> String {
        let one = |exit: &Self| format!("  {:<4} {}", exit.code(), wrap(&exit.meaning(), WIDTH).join("\n       "));
        let all: Vec<_> = Self::value_variants().iter().map(one).collect();
        format!("Exit codes:\n{}", all.join("\n"))
    }

    /// The meaning, which is its doc comment.
    fn meaning(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_commands_has_every_exit_code_with_its_meaning_and_no_other() {
        let page = include_str!("../../../docs/operations/commands.md");
        let (_, section) = page.split_once("## Exit codes\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ") && !line.contains("code")).collect();
        let expected: Vec<_> =
            Exit::value_variants().iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
        assert_eq!(rows, expected);
        assert!(expected.iter().all(|row| row.len() > 11), "each has a doc comment: {expected:?}");
    }

    /// The worst of several results is the greatest.
    #[test]
    fn codes_grow_in_the_order_of_the_variants() {
        assert!(Exit::value_variants().is_sorted_by_key(|exit| exit.code()));
    }
}
