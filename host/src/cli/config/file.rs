//! Reading `keyferry.toml`: its settings with their lines, and its errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use strsim::jaro_winkler;
use toml::de::{DeTable, DeValue};

use super::setting::Setting;
use keyferry_types::bounded_file::{self, SMALL};
use keyferry_types::path_text::ShowPath as _;

/// Similarity (0 to 1) from which an unknown name is taken for a misspelling of a known one.
const ALIKE: f64 = 0.8;

/// A settings file that was read.
#[derive(Debug, Clone, Default)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// The settings in the file, by clap's ids.
    pub(super) lines: BTreeMap<String, Line>,
}

/// One setting in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: usize,
    /// One value, or those of a list.
    pub(super) values: Vec<String>,
}

/// A settings file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ConfigFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.shown())]
    Read {
        /// The settings file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The file has errors, each with its line.
    #[error("{}", problems.join("\n       "))]
    Wrong {
        /// `keyferry.toml:3: there is no setting listne; is listen meant?`
        problems: Vec<String>,
    },
}

impl ConfigFile {
    /// Reads a file. An unknown setting or an invalid value is an error.
    pub(super) fn read(path: &Path, settings: &[Setting]) -> Result<Self, ConfigFileError> {
        let failed = |source| ConfigFileError::Read { path: path.to_owned(), source };
        let file = bounded_file::read_input(path, SMALL).map_err(failed)?;
        Self::parse(path, file.text().map_err(failed)?, settings)
            .map_err(|problems| ConfigFileError::Wrong { problems })
    }

    fn parse(path: &Path, text: &str, settings: &[Setting]) -> Result<Self, Vec<String>> {
        let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let mut reader = Reader { path, settings, line: &line, lines: BTreeMap::new(), problems: Vec::new() };
        match DeTable::parse(text) {
            Ok(root) => reader.root(root.get_ref()),
            // The parser's own rendering quotes the whole line, which may hold a value.
            Err(error) => {
                let at = error.span().map_or(text.len(), |span| span.start);
                reader.problem(at, &format!("this is no TOML: {}", error.message()));
            }
        }
        if reader.problems.is_empty() {
            Ok(Self { path: path.to_owned(), lines: reader.lines })
        } else {
            Err(reader.problems)
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    settings: &'a [Setting],
    line: &'a dyn Fn(usize) -> usize,
    lines: BTreeMap<String, Line>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn problem(&mut self, at: usize, problem: &str) {
        self.problems.push(format!("{}:{}: {problem}", self.path.shown(), (self.line)(at)));
    }

    fn root(&mut self, root: &DeTable<'_>) {
        // In the order of the file.
        let mut members: Vec<_> = root.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in members {
            let (name, at) = (key.get_ref().as_ref(), key.span().start);
            let is_table = self.settings.iter().any(|setting| setting.table == Some(name));
            match value.get_ref() {
                DeValue::Table(table) if is_table => {
                    for (key, value) in table {
                        self.member(key.span().start, &format!("{name}.{}", key.get_ref()), value.get_ref());
                    }
                }
                _ if is_table => self.problem(at, &format!("{name} is a table: write [{name}]")),
                value => self.member(at, name, value),
            }
        }
    }

    fn member(&mut self, at: usize, name: &str, value: &DeValue<'_>) {
        let settings = self.settings;
        let Some(setting) = settings.iter().find(|setting| setting.path() == name) else {
            let nearest = self.nearest(name);
            self.problem(at, &format!("there is no setting {name}; {nearest}"));
            return;
        };
        let values = match (value, setting.is_list()) {
            (DeValue::Array(items), true) => items.iter().map(|item| scalar(item.get_ref())).collect(),
            (DeValue::Array(_), false) => Err("it takes one value, not a list".to_owned()),
            (value, _) => scalar(value).map(|text| vec![text]),
        };
        let values = match values {
            Ok(values) => values,
            Err(problem) => return self.problem(at, &format!("{name}: {problem}")),
        };
        for value in &values {
            if let Some(objection) = setting.objection(value) {
                self.problem(at, &format!("{name}: {objection}"));
            }
        }
        self.lines.insert(setting.id().to_owned(), Line { number: (self.line)(at), values });
    }

    /// The closest known name, if one is close enough.
    fn nearest(&self, name: &str) -> String {
        let paths: Vec<_> = self.settings.iter().map(Setting::path).collect();
        let written = name.replace('_', "-");
        // A setting in the wrong table is more likely than a misspelled one.
        let own = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        let moved = paths.iter().find(|path| own(path) == own(&written) || path.replace('.', "-") == written);
        let likeness = |path: &String| jaro_winkler(path, &written);
        let alike = paths.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match moved.or(alike.filter(|path| likeness(path) >= ALIKE)) {
            Some(path) => match path.split_once('.') {
                Some((table, key)) => format!("is {key} in [{table}] meant?"),
                None => format!("is {path} meant?"),
            },
            None => "`keyferry config example` shows those that there are".to_owned(),
        }
    }
}

/// The value in command-line form.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|error| error.to_string()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        other => Err(format!("it takes a text, a number, or true or false, not {}", kind(other))),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
        _ => "a date",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_with_their_lines() {
        let text = "# mine\nlisten = \"127.0.0.1:1\"\nrate-limit = 0x10\n\nhttp.idle-seconds = 1_000\n[migrate]\n\
                    custom-apps = [\"a\",\n  \"b\"]\n";
        let file = ConfigFile::parse(Path::new("keyferry.toml"), text, &Setting::all()).unwrap();
        let found: Vec<_> =
            file.lines.iter().map(|(id, line)| format!("{id} {} {:?}", line.number, line.values)).collect();
        assert_eq!(
            found,
            [
                "http_idle_seconds 5 [\"1000\"]",
                "listen 2 [\"127.0.0.1:1\"]",
                "migrate_custom_apps 7 [\"a\", \"b\"]",
                "rate_limit 3 [\"16\"]",
            ]
        );
    }

    #[test]
    fn each_slip_is_told_with_its_line_and_what_is_probably_meant() {
        for (text, expected) in [
            ("listne = \"127.0.0.1:1\"", "f:1: there is no setting listne; is listen meant?"),
            ("\nrate_limit = 1", "f:2: there is no setting rate_limit; is rate-limit meant?"),
            ("idle-seconds = 1", "f:1: there is no setting idle-seconds; is idle-seconds in [http] meant?"),
            ("http-idle-seconds = 1", "f:1: there is no setting http-idle-seconds; is idle-seconds in [http] meant?"),
            ("[http]\nidle-second = 1", "f:2: there is no setting http.idle-second; is idle-seconds in [http] meant?"),
            ("[htpp]\nidle-seconds = 1", "f:1: there is no setting htpp; `keyferry config example` shows"),
            ("vault-token = \"hunter2\"", "f:1: there is no setting vault-token; `keyferry config example` shows"),
            ("config = \"x\"", "f:1: there is no setting config;"),
            ("http = 1", "f:1: http is a table: write [http]"),
            ("listen = 70000", "f:1: listen: a port is a number from 0 to 65535"),
            ("listen = true", "f:1: listen: host names other than localhost are not looked up"),
            ("listen = [\"127.0.0.1:1\"]", "f:1: listen: it takes one value, not a list"),
            ("rate-limit = 0", "f:1: rate-limit: it must be a whole number of 1 or more"),
            ("rate-limit = -1", "f:1: rate-limit: it must be a whole number of 1 or more"),
            ("rate-limit = 1.5", "f:1: rate-limit: it must be a whole number of 1 or more"),
            ("rate-limit = \"many\"", "f:1: rate-limit: it must be a whole number of 1 or more"),
            (
                "rate-limit = 5000000000",
                "f:1: rate-limit: it is too large: it must be a whole number from 1 to 4294967295",
            ),
            ("max-connections = 0", "f:1: max-connections: it must be a whole number of 1 or more"),
            ("max-connections = \"x\"", "f:1: max-connections: it must be a whole number of 1 or more"),
            ("[sandbox]\nqueue = -1", "f:2: sandbox.queue: it must be a whole number of 0 or more"),
            ("[sandbox]\nqueue = \"\"", "f:2: sandbox.queue: it must be a whole number of 0 or more"),
            ("rate-limit = 1979-05-27", "f:1: rate-limit: it takes a text, a number, or true or false, not a date"),
            ("log-format = \"xml\"", "f:1: log-format: it must be one of: text, json"),
            ("dev = \"maybe\"", "f:1: dev: it must be one of: true, false"),
            ("egress-dns = [\"192.0.2.1\", \"x\"]", "f:1: egress-dns: \"x\" must be the IP address of a DNS server"),
            ("key-kms = \"k\"", "f:1: key-kms: a key of AWS KMS is given by"),
            ("listen = \"hunter2", "f:1: this is no TOML: "),
            ("dev = true\ndev = true", "f:2: this is no TOML: duplicate key"),
        ] {
            let problems = ConfigFile::parse(Path::new("f"), text, &Setting::all()).unwrap_err();
            assert!(problems[0].starts_with(expected), "{text}: {problems:?}");
            assert!(!problems.concat().contains("hunter2"), "{problems:?}");
        }
        let three = "listne = 1\nrate-limit = 0\n[http]\nx = 1\n";
        assert_eq!(ConfigFile::parse(Path::new("f"), three, &Setting::all()).unwrap_err().len(), 3);
    }
}
