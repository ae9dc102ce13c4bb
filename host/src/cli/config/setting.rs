//! A setting as the flag of `serve` declares it: its names, default and help.

use clap::{Arg, Args as _, Command};

use super::flags::ServeArgs;

/// Tables of the file. The flag `--http-idle-seconds` is `idle-seconds` in `[http]`; one that begins with none of these
/// precedes all tables, under its own name.
const TABLES: [&str; 6] = ["http", "import", "migrate", "sandbox", "store", "webhooks"];

/// The flag that names the file cannot be set in the file.
const THE_FILE: &str = "config";

/// A flag of `serve`, which can be set in the file too.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    arg: Arg,
    /// As on the command line, without the dashes.
    pub(super) flag: String,
    /// The table in the file; `None` for a top-level key.
    pub(super) table: Option<&'static str>,
}

impl Setting {
    /// All of them, in the order of the command line, those outside of tables first.
    pub(super) fn all() -> Vec<Self> {
        let command = ServeArgs::augment_args(Command::new("serve"));
        let mut all: Vec<_> = command.get_arguments().filter_map(Self::from_arg).collect();
        all.sort_by_key(|setting| setting.table);
        all
    }

    fn from_arg(arg: &Arg) -> Option<Self> {
        let flag = arg.get_long().filter(|flag| *flag != THE_FILE)?.to_owned();
        let table = TABLES.into_iter().find(|table| flag.strip_prefix(table).is_some_and(|rest| rest.starts_with('-')));
        Some(Self { arg: arg.clone(), flag, table })
    }

    /// Its id in clap.
    pub(super) fn id(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// Its name inside of its table.
    pub(super) fn key(&self) -> &str {
        match self.table {
            Some(table) => self.flag.get(table.len() + 1..).unwrap_or(&self.flag),
            None => &self.flag,
        }
    }

    /// Its name in the whole file: `http.idle-seconds`.
    pub(super) fn path(&self) -> String {
        match self.table {
            Some(table) => format!("{table}.{}", self.key()),
            None => self.flag.clone(),
        }
    }

    /// The name of the environment variable; `None` if the flag has none.
    pub(super) fn variable(&self) -> Option<String> {
        self.arg.get_env().map(|name| name.to_string_lossy().into_owned())
    }

    /// The help text.
    pub(super) fn help(&self) -> String {
        self.arg.get_long_help().or(self.arg.get_help()).map(ToString::to_string).unwrap_or_default()
    }

    /// The default, if it is a constant.
    pub(super) fn defaults(&self) -> Vec<String> {
        self.arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect()
    }

    /// The default in words, if it is not a constant: the help ends in `[default: ...]`.
    pub(super) fn default_in_words(&self) -> Option<String> {
        let help = self.help();
        let (_, words) = help.rsplit_once("[default: ")?;
        Some(words.split(']').next()?.to_owned())
    }

    /// The placeholder of a value: `IP:PORT`.
    pub(super) fn placeholder(&self) -> String {
        self.arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default()
    }

    /// The possible values, if the flag lists them.
    pub(super) fn possible(&self) -> Vec<String> {
        self.arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
    }

    /// Whether it takes several values.
    pub(super) fn is_list(&self) -> bool {
        self.arg.get_value_delimiter().is_some()
    }

    /// Whether the value is hidden: a flag hidden from `--help` is hidden everywhere.
    pub(super) fn is_secret(&self) -> bool {
        self.arg.is_hide_env_values_set()
    }

    /// What is wrong with a value, if anything is.
    pub(super) fn objection(&self, value: &str) -> Option<String> {
        let alone = self.arg.clone().env(clap::builder::Resettable::Reset);
        let alone = Command::new("setting").no_binary_name(true).disable_help_flag(true).arg(alone);
        let error = alone.try_get_matches_from([format!("--{}={value}", self.flag)]).err()?;
        let possible = self.possible();
        Some(match std::error::Error::source(&error) {
            Some(reason) => reason.to_string(),
            None if possible.is_empty() => format!("it is no {}", self.placeholder()),
            None => format!("it must be one of: {}", possible.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_its_namesake_in_the_file() {
        let all = Setting::all();
        let path = |flag: &str| all.iter().find(|setting| setting.flag == flag).map(Setting::path);
        assert_eq!(path("listen").as_deref(), Some("listen"));
        assert_eq!(path("http-idle-seconds").as_deref(), Some("http.idle-seconds"));
        assert_eq!(path("sandbox-queue").as_deref(), Some("sandbox.queue"));
        assert_eq!(path("config"), None);
        for setting in &all {
            assert!(setting.help().len() > 10, "{} says nothing of itself", setting.flag);
            assert!(setting.variable().is_some(), "{} has no variable", setting.flag);
            for value in setting.defaults() {
                assert_eq!(setting.objection(&value), None, "{}", setting.flag);
            }
            let is_told = !setting.defaults().is_empty() || setting.default_in_words().is_some();
            let follows_another = ["tls-", "key-", "otlp-", "egress-ca", "dev-resolve", "admin-token-file"];
            assert!(is_told || follows_another.iter().any(|name| setting.flag.starts_with(name)), "{}", setting.flag);
        }
    }
}
