//! The result that a case file expects of a call, as lines.

use super::file::ExpectFile;

/// The result that a case expects: a verdict, or the result of a renewal.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// Its name: `verified`, `rejected`, `renewed`.
    pub(super) name: String,
    lines: Vec<String>,
    /// Compared only where it is given.
    detail: Option<String>,
}

/// The names of the ends of a token and of a refresh token.
pub(super) const TIMES: [&str; 2] = ["expires-at", "refresh-expires-at"];

impl Expected {
    /// The name is the first of the lines.
    pub(super) fn new(name: &str, lines: Vec<String>, detail: Option<String>) -> Self {
        Self { name: name.to_owned(), lines, detail }
    }

    /// The expected and the found result as lines, with the detail if the file has one and a failure was found.
    pub(super) fn compared(&self, mut found: Vec<String>, detail: Option<&str>) -> (Vec<String>, Vec<String>) {
        let mut expected = self.lines.clone();
        if let (Some(wanted), Some(detail)) = (&self.detail, detail) {
            expected.push(format!("detail: {wanted}"));
            found.push(format!("detail: {detail}"));
        }
        (expected, found)
    }
}

/// Refuses details that do not go with a result.
pub(super) fn only(file: &ExpectFile, allowed: &[&str], result: &str) -> Result<(), String> {
    match given(file).into_iter().find(|given| !allowed.contains(given)) {
        None => Ok(()),
        Some(given) => Err(format!("`{given}` does not go with {result}, which has {}", allowed.join(", "))),
    }
}

/// The names of the details that a file sets.
fn given(file: &ExpectFile) -> Vec<&'static str> {
    [
        ("account-id", file.account_id.is_some()),
        ("display-name", file.display_name.is_some()),
        ("scopes", file.scopes.is_some()),
        ("expires-at", file.expires_at.is_some()),
        ("warnings", file.warnings.is_some()),
        ("config", file.config.is_some()),
        ("fields", file.fields.is_some()),
        ("retry-after", file.retry_after.is_some()),
        ("why", file.why.is_some()),
        ("status", file.status.is_some()),
        ("detail", file.detail.is_some()),
        ("renewed", file.renewed.is_some()),
        ("refresh-expires-at", file.refresh_expires_at.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_given)| is_given.then_some(name))
    .collect()
}

/// A list as a line.
pub(super) fn listed(name: &str, values: &[String]) -> String {
    format!("{name}: {}", values.join(", "))
}

/// A moment as a line.
pub(super) fn moment(name: &str, ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => format!("{name}: {time}"),
        Err(_) => format!("{name}: {ms} ms since 1970"),
    }
}

/// A time in a case file, in milliseconds since 1970.
pub(super) fn time(value: &toml::Value) -> Result<i64, String> {
    let text = match value {
        toml::Value::Integer(ms) => return Ok(*ms),
        toml::Value::String(text) => text.clone(),
        toml::Value::Datetime(time) => time.to_string(),
        other => {
            return Err(format!("a time is text like 2026-01-01T00:00:00Z, and this is of type {}", other.type_str()));
        }
    };
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed
        .map(|time| time.as_millisecond())
        .map_err(|error| format!("`{text}` is not a time like 2026-01-01T00:00:00Z: {error}"))
}
