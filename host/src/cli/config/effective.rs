//! What holds in the end, and where each value comes from.

use std::fmt;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;

use super::file::ConfigFile;
use super::setting::Setting;
use keyferry_types::echo::MASK;
use keyferry_types::path_text::{self, ShowPath as _};

/// Secrets that are taken from the environment alone, besides what `key-env` names: a flag shows in the list of processes, and a
/// file is read by many.
const SECRET_VARIABLES: [&str; 1] = ["VAULT_TOKEN"];

/// All settings of a command.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::cli) struct Effective {
    /// The file that was read.
    pub(in crate::cli) file: Option<PathBuf>,
    /// In the order of the example.
    pub(super) settings: Vec<Held>,
}

/// The effective value of one setting.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Held {
    /// As in the file, `http.idle-seconds`.
    pub(super) setting: String,
    /// Empty if no layer sets it; `meaning` then describes the default.
    pub(super) values: Vec<String>,
    /// The default in words, for a setting without a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meaning: Option<String>,
    pub(super) from: From,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum From {
    Flag {
        name: String,
    },
    Variable {
        name: String,
    },
    File {
        #[serde(serialize_with = "path_text::serialize")]
        path: PathBuf,
        line: usize,
    },
    Default,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name } => write!(f, "--{name}"),
            Self::Variable { name } => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.shown()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Effective {
    pub(super) fn of(settings: &[Setting], matches: &ArgMatches, file: Option<ConfigFile>) -> Self {
        let file = file.unwrap_or_default();
        let mut held: Vec<_> = settings.iter().filter_map(|setting| hold(setting, matches, &file)).collect();
        let named = |setting: &str| held.iter().find(|held| held.setting == setting).map(|held| held.values.clone());
        let mut variables = SECRET_VARIABLES.map(str::to_owned).to_vec();
        variables.extend(named("key-env").into_iter().flatten());
        variables.dedup();
        let secret = |name: String| {
            std::env::var_os(&name)?;
            let from = From::Variable { name: name.clone() };
            Some(Held { setting: name, values: vec![MASK.to_owned()], meaning: None, from })
        };
        held.extend(variables.into_iter().filter_map(secret));
        Self { file: Some(file.path).filter(|path| !path.as_os_str().is_empty()), settings: held }
    }
}

/// What a command has of a setting; none where it does not take it.
fn hold(setting: &Setting, matches: &ArgMatches, file: &ConfigFile) -> Option<Held> {
    let raw = matches.try_get_raw(setting.id()).ok()?;
    let mut values: Vec<_> = raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
    if setting.is_secret() {
        values = values.into_iter().map(|_| MASK.to_owned()).collect();
    }
    let from = match (matches.value_source(setting.id()), file.lines.get(setting.id())) {
        (Some(ValueSource::CommandLine), _) => From::Flag { name: setting.flag.clone() },
        (Some(ValueSource::EnvVariable), _) => From::Variable { name: setting.variable().unwrap_or_default() },
        (_, Some(line)) => From::File { path: file.path.clone(), line: line.number },
        _ => From::Default,
    };
    let meaning = setting.default_in_words().filter(|_| values.is_empty());
    Some(Held { setting: setting.path(), values, meaning, from })
}
