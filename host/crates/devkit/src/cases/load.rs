//! Reading case files. An error names the file, the line and the key that was probably meant.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::case::{Case, Section};
use super::file::CaseFile;
use super::renewal::{CLIENT_ID, CLIENT_SECRET};
use super::suggestion::{unknown, with_suggestion};
use super::url;
use keyferry_types::bounded_file::{self, LARGE};
use keyferry_types::path_text::ShowPath as _;

/// A case file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The folder or the file cannot be read.
    #[error("{}: cannot be read: {source}", path.shown())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// There is no such folder.
    #[error("{}: there is no such folder; name the one with the cases by --cases, or make a case by `keyferry plugin record`", folder.shown())]
    NoFolder {
        /// Folder that cannot be read.
        folder: PathBuf,
    },
    /// There is no case to run.
    #[error("{}: there are no cases (*.toml) here; `keyferry plugin new` makes three to begin with, and `keyferry plugin record` writes one", folder.shown())]
    None {
        /// The folder that was looked through.
        folder: PathBuf,
    },
    /// Something in it is not right.
    #[error("{}:{line}: {problem}", path.shown())]
    Wrong {
        /// Path of the case file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is not right, and what may have been meant.
        problem: String,
    },
}

/// The case files of a folder, by name.
///
/// # Errors
/// If it cannot be read, or has none.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => CaseError::NoFolder { folder: folder.to_owned() },
        _ => CaseError::Read { path: folder.to_owned(), source },
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension() == Some(OsStr::new("toml")) && !hidden {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(CaseError::None { folder: folder.to_owned() }) } else { Ok(files) }
}

/// Reads one case.
///
/// # Errors
/// The first thing that is not right, with its line.
pub fn load(path: &Path) -> Result<Case, CaseError> {
    let read = bounded_file::read_input(path, LARGE).and_then(|file| file.text().map(str::to_owned));
    let text = read.map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Reads the text of a case file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Case, CaseError> {
    let wrong = |line, problem| CaseError::Wrong { path: path.to_owned(), line, problem };
    let file: CaseFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        wrong(line, with_suggestion(error.message()))
    })?;
    let mut known: Vec<String> = file.credential.fields.keys().cloned().collect();
    if let Some(client) = file.renewal.as_ref().and_then(|renewal| renewal.client.as_ref()) {
        known.push(CLIENT_ID.to_owned());
        known.extend(client.secret.as_ref().map(|_| CLIENT_SECRET.to_owned()));
    }
    if let Some((line, problem)) = unknown_placeholder(text, &known) {
        return Err(wrong(line, problem));
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let lines = (header(text, "[renewal]", 0), header(text, "[expect]", 0));
    let parsed = Case::parse(&name, path.to_owned(), file);
    let located = parsed.map(|case| Case { renewal: case.renewal.map(|asked| asked.at(lines)), ..case });
    located.map_err(|mistake| {
        let line = match mistake.section {
            Section::Now => header(text, "now", 0),
            Section::Exchange(index) => header(text, "[[exchange]]", index),
            Section::Expect => header(text, "[expect]", 0),
        };
        wrong(line, mistake.problem)
    })
}

/// A `{{name}}` that no field has. Comments are not looked at.
fn unknown_placeholder(text: &str, fields: &[String]) -> Option<(usize, String)> {
    for (index, line) in text.lines().enumerate() {
        let mut rest = if line.trim_start().starts_with('#') { "" } else { line };
        while let Some((_, placeholder, after)) = url::next(rest) {
            let name = placeholder.trim_start_matches("{{").trim_end_matches("}}");
            let known = matches!(name, "jwt" | "test-rsa-key" | "test-ec-key")
                || name.starts_with('/')
                || fields.iter().any(|field| field == name);
            if !known {
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                return Some((index + 1, unknown("field of this case's credential", name, &fields)));
            }
            rest = after;
        }
    }
    None
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The line on which the n-th line that begins so stands.
fn header(text: &str, begins: &str, nth: usize) -> usize {
    let mut found = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(begins));
    found.nth(nth).map_or(1, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"about = "Acme knows the key."
[credential]
auth-type = "keybased"
fields = { api_key = "ak_1" }
[[exchange]]
method = "GET"
url = "https://api.acme.example/v1/me"
bearer = "{{api_key}}"
answer = { status = 200, json = '{"id":"1"}' }
[expect]
verdict = "verified"
account-id = "1"
"#;

    fn error_of(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.toml");
        std::fs::write(&path, text).unwrap();
        let error = load(&path).map(|_| ()).unwrap_err().to_string();
        error.split_once("case.toml:").unwrap().1.to_owned()
    }

    #[test]
    fn a_slip_is_told_with_its_line_and_the_nearest_word() {
        assert!(std::panic::catch_unwind(|| error_of(GOOD)).is_err(), "the case that the slips are made in is good");
        let cases = [
            ("bearer =", "baerer =", "8: `baerer` is no key here; did you mean `bearer`?"),
            ("about =", "abuot =", "1: `abuot` is no key here; did you mean `about`?"),
            ("status = 200", "stauts = 200", "9: `stauts` is no key here; did you mean `status`?"),
            ("\"verified\"", "\"verfied\"", "10: `verfied` is no verdict; did you mean `verified`?"),
            ("account-id", "fields", "12: invalid type: `fields` is a list of names"),
            ("account-id = \"1\"", "fields = { a = \"b\" }", "10: `fields` does not go with the verdict `verified`"),
            ("verdict = \"verified\"", "", "10: it needs a `verdict`"),
            ("verdict = \"verified\"", "failure = \"ended\"", "10: `renewed` and `failure` are for a case with"),
            ("account-id = \"1\"", "why = \"dns\"", "10: `why` does not go with the verdict `verified`"),
            ("{{api_key}}", "{{apikey}}", "8: `apikey` is no field of this case's credential; did you mean `api_key`?"),
            (
                "answer = { status = 200, json = '{\"id\":\"1\"}' }",
                "fault = \"time-out\"",
                "5: `time-out` is no fault; did you mean `timeout`?",
            ),
            ("answer = { status = 200, json = '{\"id\":\"1\"}' }", "", "5: it needs an `answer` or a `fault`"),
            ("json = '{\"id\":\"1\"}'", "json = '{\"id\"'", "5: answer: `json` is not JSON"),
            ("\"GET\"", "\"FETCH\"", "5: \"FETCH\" is not one of GET"),
            ("https://api", "api", "5: `api.acme.example/v1/me` is not a URL"),
            ("[expect]", "[expect", "10: "),
            ("auth-type = \"keybased\"", "", "2: missing field `auth-type`"),
        ];
        for (from, to, expected) in cases {
            let error = error_of(&GOOD.replacen(from, to, 1));
            assert!(error.starts_with(expected), "{from} -> {to}: {error}");
        }
    }

    const RENEWAL: &str = r#"[credential]
auth-type = "oauth2"
fields = { access_token = "at", refresh_token = "rt" }
[renewal]
client = { id = "client-1", secret = "client-secret-1" }
[[exchange]]
method = "POST"
url = "https://api.acme.example/token"
form = { grant_type = "refresh_token", refresh_token = "{{refresh_token}}", client_id = "{{client_id}}", client_secret = "{{client_secret}}" }
answer = { status = 200, json = '{"access_token":"new"}' }
[expect]
renewed = { access_token = "new" }
expires-at = "2026-01-01T01:00:00Z"
"#;

    #[test]
    fn a_slip_in_a_renewal_is_told_with_its_line_and_the_nearest_word() {
        assert!(std::panic::catch_unwind(|| error_of(RENEWAL)).is_err(), "the case that the slips are made in is good");
        let renewed = "renewed = { access_token = \"new\" }";
        let cases = [
            ("client = {", "clinet = {", "5: `clinet` is no key here; did you mean `client`?"),
            ("id = \"client-1\", ", "", "5: missing field `id`"),
            (
                ", secret = \"client-secret-1\"",
                "",
                "9: `client_secret` is no field of this case's credential; did you mean `client_id`?",
            ),
            (
                "{{client_id}}",
                "{{clientid}}",
                "9: `clientid` is no field of this case's credential; did you mean `client_id`?",
            ),
            ("renewed =", "renewd =", "12: `renewd` is no key here; did you mean `renewed`?"),
            (renewed, "verdict = \"verified\"", "11: `verdict` does not go with [renewal]"),
            (renewed, "", "11: it needs `renewed` or a `failure`"),
            (renewed, "failure = \"endet\"", "11: `endet` is no failure of a renewal; did you mean `ended`?"),
            (renewed, "failure = \"renewed\"", "11: `renewed` is no failure of a renewal"),
            (renewed, "failure = \"ended\"", "11: `expires-at` does not go with the result `ended`, which has detail"),
            ("expires-at =", "account-id =", "11: `account-id` does not go with the result `renewed`"),
            (
                "expires-at = \"2026-01-01T01:00:00Z\"",
                "fields = [\"site\"]",
                "11: `fields` of a renewed pair is a table",
            ),
            ("\"2026-01-01T01:00:00Z\"", "\"soon\"", "11: `soon` is not a time"),
            (
                renewed,
                "renewed = { access_token = \"new\" }\nfailure = \"ended\"",
                "11: it has `renewed` and a `failure`",
            ),
        ];
        for (from, to, expected) in cases {
            let error = error_of(&RENEWAL.replacen(from, to, 1));
            assert!(error.starts_with(expected), "{from} -> {to}: {error}");
        }
    }
}
