//! Environment variables that look like Keyferry's own, and that nothing reads.

use std::collections::BTreeSet;

use clap::Command;
use strsim::osa_distance;

/// The start of the names of all of Keyferry's variables.
const PREFIX: &str = "KEYFERRY_";
/// Variables that no flag declares. A flag is visible in the list of processes, so secrets have none.
const WITHOUT_FLAG: [&str; 2] = ["KEYFERRY_API_KEY", "KEYFERRY_WEBHOOK_SECRET"];

/// A variable that is set, and that Keyferry does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct UnknownVariable {
    name: String,
    /// The variable that is one or two typing errors away.
    meant: Option<String>,
}

impl UnknownVariable {
    /// Whether it is probably a misspelled one. Any other can be a variable of the user's own scripts.
    pub(in crate::cli) fn is_misspelled(&self) -> bool {
        self.meant.is_some()
    }

    /// A warning, without the value, which can be a secret.
    pub(in crate::cli) fn warning(&self) -> String {
        let what_next = match &self.meant {
            Some(meant) => format!("is {meant} meant?"),
            None => "`keyferry config example` names the variable of each setting".to_owned(),
        };
        format!("{} is set, and Keyferry has no such variable; {what_next}", self.name)
    }
}

/// Those among `set` that no command reads. `named` are variables that a setting names.
pub(super) fn unknown(
    command: &Command,
    named: &[String],
    set: impl IntoIterator<Item = String>,
) -> Vec<UnknownVariable> {
    let mut known: BTreeSet<String> = WITHOUT_FLAG.map(str::to_owned).into();
    collect(command, &mut known);
    let set: BTreeSet<String> = set.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
    let unknown = set.into_iter().filter(|name| !known.contains(name) && !named.contains(name));
    unknown.map(|name| UnknownVariable { meant: nearest(&name, &known), name }).collect()
}

/// The variables of a command and of all commands below it.
fn collect(command: &Command, known: &mut BTreeSet<String>) {
    known.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_string_lossy().into_owned())));
    command.get_subcommands().for_each(|below| collect(below, known));
}

fn nearest(name: &str, known: &BTreeSet<String>) -> Option<String> {
    let own = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    let slips = if own(name).len() < 5 { 1 } else { 2 };
    let distance = |known: &String| osa_distance(&own(name), &own(known));
    known.iter().filter(|known| distance(known) <= slips).min_by_key(|known| distance(known)).cloned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::command::Cli;

    #[test]
    fn a_variable_that_nothing_reads_is_told_and_a_misspelled_one_with_what_is_meant() {
        for (name, expected) in [
            ("KEYFERRY_LISTEN", None),
            ("KEYFERRY_API_KEY", None),
            ("KEYFERRY_WEBHOOK_SECRET", None),
            ("KEYFERRY_SERVER", None),
            ("KEYFERRY_DEMO_PLUGINS", None),
            ("KEYFERRY_KEK", None),
            ("PATH", None),
            ("KEYFERRY_LISTNE", Some("is KEYFERRY_LISTEN meant?")),
            ("KEYFERRY_SERVERS", Some("is KEYFERRY_SERVER meant?")),
            ("KEYFERRY_API_KYE", Some("is KEYFERRY_API_KEY meant?")),
            ("KEYFERRY_HTTP_IDLE_SECOND", Some("is KEYFERRY_HTTP_IDLE_SECONDS meant?")),
            ("KEYFERRY_LGO", Some("is KEYFERRY_LOG meant?")),
            ("KEYFERRY_OUR_OWN", Some("`keyferry config example` names the variable")),
            ("KEYFERRY_URL", Some("`keyferry config example` names the variable")),
        ] {
            let found = unknown(&Cli::command(), &["KEYFERRY_KEK".to_owned()], [name.to_owned()]);
            let told: Vec<_> = found.iter().map(UnknownVariable::warning).collect();
            match expected {
                None => assert!(told.is_empty(), "{told:?}"),
                Some(expected) => assert!(told[0].contains(expected) && told[0].starts_with(name), "{told:?}"),
            }
        }
    }
}
