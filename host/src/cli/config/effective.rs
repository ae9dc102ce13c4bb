//! The effective value of each setting, and the layer that sets it.

use std::fmt;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;

use super::file::ConfigFile;
use super::setting::Setting;
use keyferry_types::echo::MASK;
use keyferry_types::path_text::{self, ShowPath as _};

/// Secrets that are read from the environment only, besides the variable that `key-env` names: a flag is visible in the list of
/// processes, and a settings file is often readable by others.
const SECRET_VARIABLES: [&str; 1] = ["VAULT_TOKEN"];

/// The setting that names a variable with a key.
const KEY_ENV: &str = "key-env";

/// All settings of a command.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::cli) struct Effective {
    /// The file that was read.
    pub(in crate::cli) file: Option<PathBuf>,
    /// In the order of the example.
    pub(super) settings: Vec<EffectiveSetting>,
}

/// The effective value of one setting.
#[derive(Debug, Clone, Serialize)]
pub(super) struct EffectiveSetting {
    /// As in the file, `http.idle-seconds`.
    #[serde(rename = "setting")]
    pub(super) name: String,
    /// Empty if no layer sets it; `meaning` then describes the default.
    pub(super) values: Vec<String>,
    /// The default in words, for a setting without a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meaning: Option<String>,
    #[serde(rename = "from")]
    pub(super) source: Layer,
}

/// The layer that sets a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Layer {
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

impl fmt::Display for Layer {
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
    pub(super) fn new(settings: &[Setting], matches: &ArgMatches, file: Option<ConfigFile>) -> Self {
        let file = file.unwrap_or_default();
        let mut effective: Vec<_> = settings.iter().filter_map(|setting| value_of(setting, matches, &file)).collect();
        let mut variables = SECRET_VARIABLES.map(str::to_owned).to_vec();
        variables.extend(values_of(&effective, KEY_ENV));
        variables.dedup();
        let secret = |name: String| {
            std::env::var_os(&name)?;
            let source = Layer::Variable { name: name.clone() };
            Some(EffectiveSetting { name, values: vec![MASK.to_owned()], meaning: None, source })
        };
        effective.extend(variables.into_iter().filter_map(secret));
        Self { file: Some(file.path).filter(|path| !path.as_os_str().is_empty()), settings: effective }
    }

    /// The variables whose names are values of settings.
    pub(super) fn named_variables(&self) -> Vec<String> {
        values_of(&self.settings, KEY_ENV)
    }
}

fn values_of(settings: &[EffectiveSetting], name: &str) -> Vec<String> {
    settings.iter().find(|setting| setting.name == name).map(|setting| setting.values.clone()).unwrap_or_default()
}

/// The effective value of a setting; `None` if the command does not have it.
fn value_of(setting: &Setting, matches: &ArgMatches, file: &ConfigFile) -> Option<EffectiveSetting> {
    let raw = matches.try_get_raw(setting.id()).ok()?;
    let mut values: Vec<_> = raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
    if setting.is_secret() {
        values = values.into_iter().map(|_| MASK.to_owned()).collect();
    }
    let source = match (matches.value_source(setting.id()), file.lines.get(setting.id())) {
        (Some(ValueSource::CommandLine), _) => Layer::Flag { name: setting.flag.clone() },
        (Some(ValueSource::EnvVariable), _) => Layer::Variable { name: setting.variable().unwrap_or_default() },
        (_, Some(line)) => Layer::File { path: file.path.clone(), line: line.number },
        _ => Layer::Default,
    };
    let meaning = setting.default_in_words().filter(|_| values.is_empty());
    Some(EffectiveSetting { name: setting.path(), values, meaning, source })
}
