//! Running a case, and a plugin's whole suite.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::canary;
use super::case::Case;
use super::conformance;
use super::report::{Budget, Group, Line, Outcome, SuiteReport, TestReport, diff, logged};
use super::request::SecretNames;
use super::script::{Problem, Rule, Script};
use keyferry_egress::{Egress, EgressSettings, EgressSetupError, GrantSet};
use keyferry_sandbox::{
    CallError, LoadedPlugin, LogLine, OpenError, SecretAccess, Usage, Verdict, VerifyOptions, Workbench,
};
use keyferry_schema::{Credential, Exposure, Input};
use keyferry_types::path_text::ShowPath as _;
use keyferry_types::secret::{Secret, SharedSecret};

/// Units of fuel that one call may take: about what a server's limit of 2 s of processor time allows, in interpreted
/// code, on a slow machine.
pub(super) const FUEL: u64 = 2_000_000_000;

/// A plugin and its cases, ready to run.
pub struct Suite {
    pub(super) plugin: PathBuf,
    pub(super) specimen: LoadedPlugin,
    pub(super) cases: Vec<Case>,
    egress: Egress,
    memory_bytes: usize,
}

/// Why a suite cannot run at all.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SuiteError {
    #[error("{}: {}", plugin.shown(), explained(source))]
    Plugin { plugin: PathBuf, source: Box<OpenError> },
    #[error(transparent)]
    Egress(#[from] EgressSetupError),
}

/// A plugin's last words are worth more than the runtime's.
fn explained(error: &OpenError) -> String {
    match error {
        OpenError::Describe { log, .. } if !log.is_empty() => format!("{error}; it logged: {}", log.join("; ")),
        _ => error.to_string(),
    }
}

/// A credential of a case, as the plugin gets it.
pub(super) struct Prepared {
    pub(super) credential: Credential,
    names: SecretNames,
    values: Vec<(String, String)>,
    /// Each secret and what its hint shows.
    pub(super) secrets: Vec<(String, Option<String>)>,
}

/// What one run of a case came to.
pub(super) struct Ran {
    pub(super) result: Result<Verdict, CallError>,
    pub(super) problems: Vec<Problem>,
    pub(super) usage: Usage,
    pub(super) log: Vec<LogLine>,
    pub(super) elapsed: Duration,
}

impl Suite {
    /// Puts a plugin on the workbench.
    ///
    /// # Errors
    /// If the file is no plugin.
    pub async fn open(
        workbench: &Workbench,
        plugin: PathBuf,
        component: Vec<u8>,
        cases: Vec<Case>,
    ) -> Result<Self, SuiteError> {
        let failed = |source| SuiteError::Plugin { plugin: plugin.clone(), source: Box::new(source) };
        let specimen = workbench.open(component).await.map_err(failed)?;
        let egress = Egress::new(EgressSettings::default())?;
        Ok(Self { plugin, specimen, cases, egress, memory_bytes: workbench.limits().memory_bytes })
    }

    /// Number of tests.
    pub fn count(&self) -> usize {
        self.cases.len() + conformance::count(self)
    }

    /// Runs all tests, and calls `done` with the report of each.
    pub async fn run(&self, done: &mut dyn FnMut(&TestReport)) -> SuiteReport {
        let mut book = Book {
            done,
            tests: Vec::new(),
            leaks: Vec::new(),
            budget: Budget {
                fuel: (self.specimen.described.fuel, FUEL),
                memory_bytes: (self.specimen.described.memory_bytes as u64, self.memory_bytes as u64),
                requests: (0, u64::from(self.egress.limits().requests_per_call)),
            },
        };
        for case in &self.cases {
            let test = self.one(case, &mut book).await;
            book.add(test);
        }
        conformance::run(self, &mut book).await;
        SuiteReport {
            plugin: self.plugin.clone(),
            slug: self.specimen.description.slug.to_string(),
            sha256: self.specimen.digest.to_string(),
            tests: book.tests,
            budget: book.budget,
        }
    }

    /// Runs one case, counted from 0, if there is such a one.
    pub async fn run_case(&self, index: usize) -> Option<TestReport> {
        let mut book = Book { done: &mut |_| {}, tests: Vec::new(), leaks: Vec::new(), budget: Budget::default() };
        Some(self.one(self.cases.get(index)?, &mut book).await)
    }

    /// The plugin's verdict on a case, counted from 0, independent of the verdict that the case expects.
    pub(super) async fn verdict(&self, index: usize) -> Result<Verdict, String> {
        let case = self.cases.get(index).ok_or("there is no such case")?;
        let prepared = self.prepare(case, Values::Written)?;
        let ran = self.perform(case, Rule::Strict, &prepared).await;
        match ran.problems.first() {
            Some(problem) => Err(problem.lines().iter().map(Line::marked).collect::<Vec<_>>().join("\n")),
            None => ran.result.map_err(|error| error.to_string()),
        }
    }

    async fn one(&self, case: &Case, book: &mut Book<'_>) -> TestReport {
        let began = Instant::now();
        let (lines, log) = match self.prepare(case, Values::Written) {
            Ok(prepared) => {
                let ran = self.perform(case, Rule::Strict, &prepared).await;
                book.note(&prepared, &ran, &case.name);
                (judged(case, &ran), logged(&ran.log))
            }
            Err(violations) => (vec![Line::Says(violations)], Vec::new()),
        };
        TestReport {
            group: Group::Case,
            name: case.name.clone(),
            about: case.about.clone(),
            outcome: Outcome::of(lines),
            elapsed: began.elapsed(),
            log,
        }
    }

    /// The credential of a case, checked against the plugin's schema.
    pub(super) fn prepare(&self, case: &Case, values: Values<'_>) -> Result<Prepared, String> {
        let schema = &self.specimen.description.schema;
        let validated = |fields: &[(String, serde_json::Value)]| {
            let fields: serde_json::Map<_, _> = fields.iter().cloned().collect();
            let object = serde_json::json!({ &case.auth_type: fields });
            let input: Input = serde_json::from_value(object).map_err(|error| error.to_string())?;
            schema.validate(&input).map_err(|violations| {
                format!("the credential in [credential] does not fit the plugin's schema: {violations}")
            })
        };
        let json = |value: &toml::Value| serde_json::to_value(value).unwrap_or_default();
        let mut fields: Vec<_> = case.fields.iter().map(|(name, value)| (name.clone(), json(value))).collect();
        let mut credential = validated(&fields)?;
        // A plugin that reads secrets may send them in a shape of its own, which only the written case can foresee.
        let unread = self.specimen.description.secret_access == SecretAccess::Handles;
        if values == Values::Canaries && unread {
            for (index, field) in credential.fields.iter().enumerate() {
                let Exposure::Handle { hint } = &field.exposure else { continue };
                let other = canary::stand_in(field.value.expose(), hint.as_deref(), index as u64 + 0x5EED);
                let Some(place) = fields.iter().position(|(name, _)| name == field.name.as_str()) else { continue };
                let mut with_canary = fields.clone();
                if let Some((_, value)) = with_canary.get_mut(place) {
                    *value = serde_json::Value::String(other);
                }
                // Some values have a check digit, or are keys that have to be well formed: those stay.
                let same_hint = |c: &Credential| c.fields.get(index).map(|f| &f.exposure) == Some(&field.exposure);
                if !field.value.expose().contains("PRIVATE KEY") && validated(&with_canary).is_ok_and(|c| same_hint(&c))
                {
                    fields = with_canary;
                }
            }
            credential = validated(&fields)?;
        }
        if let Values::Unusable(name) = values
            && let Some(field) = credential.fields.iter_mut().find(|field| field.name.as_str() == name)
        {
            field.value = SharedSecret::new(Secret::new(UNUSABLE));
        }
        Ok(Prepared::of(credential))
    }

    /// Has the plugin verify the credential, with the case's provider.
    pub(super) async fn perform(&self, case: &Case, rule: Rule, prepared: &Prepared) -> Ran {
        let began = Instant::now();
        let limits = self.egress.limits();
        let echoes = prepared.secrets.iter().map(|(value, _)| value.clone()).collect();
        let (values, names) = (prepared.values.clone(), prepared.names.clone());
        let script = Script::new(case, rule, values, names, echoes, limits.response_bytes);
        let stage: Arc<Script> = Arc::clone(&script);
        let client = self.egress.staged_client(stage);
        let setting = VerifyOptions {
            client: &client,
            grants: Arc::new(GrantSet::new(self.specimen.description.requested.clone())),
            limits,
            witness: Some(Arc::<Script>::clone(&script)),
            now_ms: case.now_ms,
        };
        let (result, usage, log) = match self.specimen.verify(&prepared.credential, setting).await {
            Ok(tried) => (tried.result, tried.usage, tried.log),
            Err(error) => (Err(error), Usage::default(), Vec::new()),
        };
        Ran { result, problems: script.problems(), usage, log, elapsed: began.elapsed() }
    }
}

/// Which values a case's secrets have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values<'a> {
    /// Those in the file.
    Written,
    /// Others of the same shape, that occur nowhere else.
    Canaries,
    /// Those in the file, but for this field: it holds what no key is made of and no header can carry.
    Unusable(&'a str),
}

/// No private key, not for a header, and no user of HTTP Basic. The schema lets no such value in; here it is put past it.
const UNUSABLE: &str = "\u{1}:unusable-in-any-request";

impl Prepared {
    fn of(credential: Credential) -> Self {
        let mut prepared = Self { names: SecretNames::default(), values: Vec::new(), secrets: Vec::new(), credential };
        for field in &prepared.credential.fields {
            let value = field.value.expose().to_owned();
            if let Exposure::Handle { hint } = &field.exposure {
                prepared.names.add(&field.value, field.name.as_str());
                prepared.secrets.push((value.clone(), hint.clone()));
            }
            prepared.values.push((field.name.to_string(), value));
        }
        prepared
    }
}

/// Where results are put together.
pub(super) struct Book<'a> {
    done: &'a mut dyn FnMut(&TestReport),
    tests: Vec<TestReport>,
    pub(super) leaks: Vec<Line>,
    pub(super) budget: Budget,
}

impl Book<'_> {
    pub(super) fn add(&mut self, test: TestReport) {
        (self.done)(&test);
        self.tests.push(test);
    }

    /// Whether a case has passed.
    pub(super) fn passed(&self, case: &str) -> bool {
        self.tests.iter().any(|test| test.name == case && test.outcome == Outcome::Passed)
    }

    /// Keeps what a run took, and looks for secrets in all that came out of it.
    pub(super) fn note(&mut self, prepared: &Prepared, ran: &Ran, run: &str) {
        self.budget.raise(&ran.usage);
        let said = match &ran.result {
            Ok(verdict) => format!("{verdict:?}"),
            Err(error) => error.to_string(),
        };
        let lines = ran.log.iter().map(|line| ("a log line", line.text.as_str()));
        for (place, text) in lines.chain([("the verdict", said.as_str())]) {
            for (secret, hint) in &prepared.secrets {
                if let Some(piece) = canary::leak(secret, hint.as_deref(), text) {
                    self.leaks.push(Line::Says(format!(
                        "{run}: {place} holds a piece of a secret ({} characters)",
                        piece.len()
                    )));
                }
            }
        }
    }
}

/// What is wrong with a strict run.
fn judged(case: &Case, ran: &Ran) -> Vec<Line> {
    let mut lines: Vec<Line> = ran.problems.iter().flat_map(Problem::lines).collect();
    match &ran.result {
        Err(error) => lines.push(Line::Says(error.to_string())),
        // The verdict of a plugin that was led astray says nothing.
        Ok(_) if !ran.problems.is_empty() => {}
        Ok(verdict) => {
            let (expected, found) = case.expected.compared(verdict);
            if expected != found {
                let mut says = "the verdict is another; - is the case, + the plugin".to_owned();
                if let Verdict::Failed(failure) = verdict {
                    says = format!("{says} (its detail: {})", failure.detail);
                }
                lines.extend(diff(says, &expected, &found));
            }
        }
    }
    lines
}
