//! What all commands have in common. Each test walks the commands as clap has them.

use std::collections::BTreeSet;

use clap::{Args as _, Command, CommandFactory as _, Parser as _};

use super::command::Cli;
use super::config::ServeArgs;

const PAGE: &str = include_str!("../../../docs/operations/commands.md");
/// Commands without `--json`, and why.
const WITHOUT_JSON: [(&str, &str); 4] = [
    ("config example", "it prints a settings file"),
    ("demo", "it prints what to try, and serves"),
    ("openapi", "it prints JSON"),
    ("serve", "it prints its log: `--log-format json`"),
];
/// Variables that no flag declares.
const WITHOUT_FLAG: [&str; 2] = ["KEYFERRY_API_KEY", "KEYFERRY_WEBHOOK_SECRET"];

/// The commands that can be run, each with its name after `keyferry`.
fn leaves() -> Vec<(String, Command)> {
    fn collect(name: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        if !command.has_subcommands() {
            found.push((name.to_owned(), command.clone()));
        }
        for below in command.get_subcommands() {
            collect(format!("{name} {}", below.get_name()).trim(), below, found);
        }
    }
    let mut found = Vec::new();
    collect("", &Cli::command(), &mut found);
    found
}

/// The variables of a command's flags.
fn variables(command: &Command) -> BTreeSet<String> {
    let declared = command.get_arguments().filter_map(|arg| arg.get_env());
    declared.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// The commands in the examples of a command's help, as words.
fn examples(command: &Command) -> Vec<Vec<String>> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = text.split_once("Examples:\n").map(|(_, lines)| lines.to_owned()).unwrap_or_default();
    let words = |line: &str| {
        let words = shlex::split(line).unwrap_or_else(|| panic!("{line}"));
        let is_set = |word: &String| word.contains('=') && word.starts_with("KEYFERRY_");
        // The rest of the line is the shell's.
        let is_ours = |word: &String| !["|", ">", "&&", "&"].contains(&word.as_str());
        words.into_iter().skip_while(is_set).take_while(is_ours).collect()
    };
    lines.lines().filter(|line| !line.trim().is_empty()).map(words).collect()
}

#[test]
fn every_command_has_examples_and_understands_them() {
    for (name, command) in leaves() {
        let examples = examples(&command);
        assert!((1..=4).contains(&examples.len()), "{name}: `after_help` has {} examples", examples.len());
        for words in examples {
            let line = words.join(" ");
            assert!(format!("{line} ").starts_with(&format!("keyferry {name} ")), "{name}: {line}");
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{line}\n{error}");
            }
        }
    }
}

#[test]
fn every_command_with_a_result_prints_it_as_json_too() {
    let has_json = |command: &Command| command.get_arguments().any(|arg| arg.get_long() == Some("json"));
    let without: Vec<_> =
        leaves().into_iter().filter(|(_, command)| !has_json(command)).map(|(name, _)| name).collect();
    let mut expected: Vec<_> = WITHOUT_JSON.map(|(name, _)| name.to_owned()).into();
    expected.sort();
    let mut found = without;
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_page_has_every_command_with_its_description_and_no_other() {
    let row = |(name, command): (String, Command)| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        format!("| `keyferry {name}` | {about} |")
    };
    let expected: BTreeSet<String> = leaves().into_iter().map(row).collect();
    let found: BTreeSet<String> =
        PAGE.lines().filter(|line| line.starts_with("| `keyferry ")).map(str::to_owned).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "commands.md lacks {missing:#?}\nand has {unknown:#?}");
}

#[test]
fn the_page_has_every_variable_that_is_no_setting() {
    let all: BTreeSet<String> = leaves().iter().flat_map(|(_, command)| variables(command)).collect();
    let settings = variables(&ServeArgs::augment_args(Command::new("serve")));
    let mut expected: BTreeSet<String> = all.difference(&settings).cloned().collect();
    expected.extend(WITHOUT_FLAG.map(str::to_owned));
    let found: BTreeSet<String> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `KEYFERRY_")?.split('`').next())
        .map(|rest| format!("KEYFERRY_{rest}"))
        .collect();
    assert_eq!(found, expected);
}

/// The running server has the keys and plugins; a command that it carries out does not need them.
#[test]
fn flags_for_work_without_a_server_are_set_apart_in_commands_that_a_running_one_carries_out() {
    let own_work = ["serve", "openapi", "config check", "key rewrap", "restore"];
    let (mut apart, mut all) = (0, 0);
    for (name, mut command) in leaves().into_iter().filter(|(_, command)| variables(command).contains("KEYFERRY_DATA"))
    {
        all += 1;
        let (short, long) = (command.render_help().to_string(), command.render_long_help().to_string());
        let heading = long.find("Without a running server:\n");
        if own_work.contains(&name.as_str()) {
            assert!(heading.is_none() && short.contains("--key-file"), "{name}");
            continue;
        }
        let heading = heading.unwrap_or_else(|| panic!("{name} takes OperatorArgs"));
        for flag in ["--key-file", "--key-kms", "--key-transit", "--key-ca", "--lock", "--plugins"] {
            assert!(!short.contains(flag), "{name} {flag}");
            assert!(long.find(flag).is_some_and(|at| at > heading), "{name} {flag}");
        }
        assert!(short.contains("--data") && long.find("--data").is_some_and(|at| at < heading), "{name}");
        apart += 1;
    }
    assert!(apart >= 15 && apart + own_work.len() == all, "{apart} of {all}");
}
