//! A case: a credential, the exchanges with the provider, and the expected verdict or result of a renewal.

use std::path::PathBuf;

use super::expected::{self, Expected};
use super::faults::FaultName;
use super::file::{CaseFile, ExchangeFile, FaultWord, ResponseFile};
use super::renewal::{self, AskedPair};
use super::{request, verdict};
use keyferry_egress::Method;
use keyferry_sandbox::TRIAL_TIME_MS;

/// One case, parsed from its file.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file's name without `.toml`.
    pub name: String,
    /// Path of the case file.
    pub file: PathBuf,
    /// A description of the case, by its author.
    pub about: Option<String>,
    pub(super) now_ms: u64,
    pub(super) auth_type: String,
    pub(super) fields: Vec<(String, toml::Value)>,
    /// The pair that the case renews; `None` if it verifies the credential.
    pub(super) renewal: Option<AskedPair>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) expected: Expected,
}

/// One request and its result.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) method: Method,
    /// The request in lines, see [`request`].
    pub(super) request: Vec<String>,
    pub(super) optional: bool,
    pub(super) outcome: Outcome,
}

/// The result of a request in a case.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Response(MockResponse),
    Fault(FaultName),
}

/// The provider's response. `{{field}}` is replaced by the value of a field.
#[derive(Debug, Clone)]
pub(super) struct MockResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) content: Content,
}

/// Format of a response's body, which decides how a value is encoded in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Json,
    Text,
}

/// A mistake in a case file that is well-formed TOML.
#[derive(Debug)]
pub(super) struct CaseMistake {
    pub(super) section: Section,
    pub(super) problem: String,
}

/// A section of a case file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Now,
    Exchange(usize),
    Expect,
}

impl CaseMistake {
    fn in_section(section: Section) -> impl FnOnce(String) -> Self {
        move |problem| Self { section, problem }
    }
}

impl Case {
    /// Interprets the content of a case file.
    ///
    /// # Errors
    /// The first mistake, and its section.
    pub(super) fn parse(name: &str, path: PathBuf, file: CaseFile) -> Result<Self, CaseMistake> {
        let now_ms = match &file.now {
            None => TRIAL_TIME_MS,
            Some(now) => {
                let ms =
                    expected::time(&toml::Value::String(now.clone())).map_err(CaseMistake::in_section(Section::Now))?;
                u64::try_from(ms).unwrap_or_default()
            }
        };
        let expected = match &file.renewal {
            Some(_) => renewal::expected(&file.expect),
            None => verdict::expected(&file.expect),
        };
        let exchange =
            |(index, exchange)| Exchange::parse(exchange).map_err(CaseMistake::in_section(Section::Exchange(index)));
        Ok(Self {
            name: name.to_owned(),
            file: path,
            about: file.about,
            now_ms,
            auth_type: file.credential.auth_type,
            fields: file.credential.fields.into_iter().map(|(name, value)| (name, test_key(value))).collect(),
            exchanges: file.exchanges.iter().enumerate().map(exchange).collect::<Result<_, _>>()?,
            renewal: file.renewal.as_ref().map(|renewal| AskedPair::parse(renewal, &file.expect)),
            expected: expected.map_err(CaseMistake::in_section(Section::Expect))?,
        })
    }
}

/// A private key that is used nowhere else: signing needs a well-formed one.
fn test_key(value: toml::Value) -> toml::Value {
    let key = match value.as_str() {
        Some("{{test-rsa-key}}") => include_str!("test_rsa_key.pem"),
        Some("{{test-ec-key}}") => include_str!("test_ec_key.pem"),
        _ => return value,
    };
    toml::Value::String(key.to_owned())
}

impl Exchange {
    fn parse(file: &ExchangeFile) -> Result<Self, String> {
        let outcome = match (&file.answer, &file.fault) {
            (Some(answer), None) => Outcome::Response(MockResponse::parse(answer)?),
            (None, Some(FaultWord::Name(name))) => Outcome::Fault(name.parse()?),
            (None, Some(FaultWord::Status(status))) => Outcome::Fault(status.to_string().parse()?),
            (Some(_), Some(_)) => return Err("it has an `answer` and a `fault`; it can have one".to_owned()),
            (None, None) => return Err("it needs an `answer` or a `fault`".to_owned()),
        };
        let request = request::expected(file)?;
        let method = file
            .method
            .to_ascii_uppercase()
            .parse()
            .map_err(|error: keyferry_egress::InvalidGrant| error.to_string())?;
        Ok(Self { method, request, optional: file.optional, outcome })
    }
}

impl MockResponse {
    fn parse(file: &ResponseFile) -> Result<Self, String> {
        if !(200..=599).contains(&file.status) {
            return Err(format!("answer: {} is not a status that ends an exchange (200 to 599)", file.status));
        }
        let (body, content) = match (&file.json, &file.text) {
            (Some(toml::Value::String(text)), None) => {
                request::json_of(&toml::Value::String(text.clone())).map_err(|problem| format!("answer: {problem}"))?;
                (text.clone(), Content::Json)
            }
            (Some(table), None) => (request::json_of(table)?.to_string(), Content::Json),
            (None, Some(text)) => (text.clone(), Content::Text),
            (None, None) => (String::new(), Content::Text),
            (Some(_), Some(_)) => return Err("answer: it has `json` and `text`; it can have one".to_owned()),
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, values) in &file.headers {
            headers.extend(values.as_slice().iter().map(|value| (name.to_ascii_lowercase(), value.clone())));
        }
        if content == Content::Json && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Ok(Self { status: file.status, headers, body, content })
    }
}
