//! [`MockPlugin`]: a plugin whose cases become credentials and exchanges of a mock provider. The plugin makes its requests itself,
//! so that the mock provider knows each of them as it will be sent.

use std::time::{SystemTime, UNIX_EPOCH};

use super::table::{Entry, MockCredential, MockTable, Origin, Phase};
use super::vary::{END, variants, with_fields, with_own_tokens};
use super::wire::WireLines;
use crate::cases::case::Case;
use crate::cases::runner::{Runner, Values};
use crate::cases::script::Rule;
use crate::cases::suite::SuiteError;
use crate::cases::verdict;
use keyferry_egress::{Egress, EgressSettings, MockExchange};
use keyferry_sandbox::{LoadedPlugin, Verdict};
use keyferry_schema::{AuthType, Secrecy};
use keyferry_types::echo::{safe_list, safe_name};

/// Verdicts by the words that people use for them.
const OUTCOMES: [(&str, &str); 9] = [
    ("good", "verified"),
    ("valid", "verified"),
    ("works", "verified"),
    ("expired", "rejected"),
    ("revoked", "rejected"),
    ("restricted", "insufficient-scope"),
    ("suspended", "account-suspended"),
    ("down", "provider-error"),
    ("unavailable", "provider-error"),
];

/// A plugin and its cases.
pub struct MockPlugin {
    slug: String,
    runner: Runner,
}

/// A credential of the user's, and what is to become of it.
pub struct Token {
    /// The auth type; without one, the first of the app that has all these fields.
    pub auth_type: Option<String>,
    /// The fields and their values.
    pub fields: Vec<(String, String)>,
    /// A verdict, a word for one (`good`, `expired`, `restricted`, `down`), or the name of a case.
    pub outcome: String,
}

/// A case that no credential was made of.
#[derive(Debug)]
pub struct LeftOut {
    /// The name of the case.
    pub case: String,
    /// The reason.
    pub reason: &'static str,
}

/// Why a token cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The app has no such auth type, or none with these fields.
    #[error("{app} has no auth type {wanted}; it has {known}")]
    AuthType {
        /// The app.
        app: String,
        /// The auth type or the fields.
        wanted: String,
        /// The app's auth types and their fields.
        known: String,
    },
    /// The values do not fit the schema.
    #[error("{0}")]
    Schema(String),
    /// The word is no outcome, or the app has no case of it.
    #[error("{app} has no case with the outcome `{outcome}`; it has {known}")]
    Outcome {
        /// The app.
        app: String,
        /// The outcome, if a message may repeat it.
        outcome: String,
        /// The outcomes that there are cases of.
        known: String,
    },
    /// The plugin comes to another verdict with all responses of such cases.
    #[error("with these values, {app} does not come to the verdict `{outcome}` in any of its cases")]
    Elsewhere {
        /// The app.
        app: String,
        /// The outcome.
        outcome: String,
    },
}

/// A verification that a plugin made with the responses of a case.
struct Played {
    verdict: String,
    exchanges: Vec<(WireLines, MockExchange)>,
}

impl MockPlugin {
    /// Sets one up. Cases of renewals make no credential.
    ///
    /// # Errors
    /// If egress cannot be set up.
    pub fn new(plugin: LoadedPlugin, cases: Vec<Case>) -> Result<Self, SuiteError> {
        let egress = Egress::new(EgressSettings::default())?;
        let cases = cases.into_iter().filter(|case| case.renewal.is_none()).collect();
        Ok(Self { slug: plugin.description.slug.to_string(), runner: Runner { plugin, egress, cases } })
    }

    /// The app.
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// Adds a credential for each case. Returns the cases of which none can be made.
    pub async fn add_cases(&self, table: &mut MockTable) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        for (index, case) in self.runner.cases.iter().enumerate() {
            // Odd ones, each of which makes other values.
            let seed = 0x0FE4_4101 + 2 * index as u64;
            let mut reason = "its plugin does not pass it";
            let mut chosen = None;
            for other in variants(&self.runner, case, seed) {
                let Some(played) = self.play(&other, Rule::Strict).await else { continue };
                if played.verdict != case.expected.name {
                    continue;
                }
                if table.has_other(&played.exchanges) {
                    reason = "its requests cannot be told apart from those of another case";
                    continue;
                }
                chosen = Some((other, played));
                break;
            }
            match chosen {
                Some((other, played)) => self.add(table, Origin::Case, &other, case, played).await,
                None => left_out.push(LeftOut { case: case.name.clone(), reason }),
            }
        }
        left_out
    }

    /// Adds a credential of the user's.
    ///
    /// # Errors
    /// If it does not fit the app, or the app has no case with that outcome.
    pub async fn add_token(&self, table: &mut MockTable, token: &Token) -> Result<(), TokenError> {
        let app = self.slug.clone();
        let auth_type = self.auth_type(token)?;
        let fields: Vec<_> =
            token.fields.iter().map(|(name, value)| (name.clone(), toml::Value::String(value.clone()))).collect();
        let wanted = token.outcome.trim().to_ascii_lowercase().replace([' ', '_'], "-");
        let verdict = OUTCOMES.iter().find(|(word, _)| *word == wanted).map_or(wanted.as_str(), |(_, verdict)| verdict);
        let mut cases: Vec<&Case> =
            self.runner.cases.iter().filter(|case| case.name == wanted || case.expected.name == verdict).collect();
        if cases.is_empty() {
            let mut known: Vec<_> = self.runner.cases.iter().map(|case| case.expected.name.clone()).collect();
            known.sort();
            known.dedup();
            let outcome = safe_name(&token.outcome, known.iter().map(String::as_str)).to_owned();
            return Err(TokenError::Outcome { app, outcome, known: known.join(", ") });
        }
        let name = format!("token-{}", table.credentials.len());
        let with = |case: &Case| {
            let mut other = with_fields(case, fields.clone());
            auth_type.name.as_str().clone_into(&mut other.auth_type);
            with_own_tokens(other, &name)
        };
        if let Some(case) = cases.first()
            && let Err(violations) = self.runner.prepare(&with(case), Values::Written)
        {
            return Err(TokenError::Schema(violations));
        }
        // First those whose name says it, of the same auth type and with the same fields.
        cases.sort_by_key(|case| {
            let has = |name: &str| case.fields.iter().any(|(known, _)| known == name);
            let common = token.fields.iter().filter(|(name, _)| has(name)).count();
            let is_named = if case.name == wanted { 0 } else { 2 - u8::from(case.name.contains(&wanted)) };
            (is_named, case.auth_type != auth_type.name.as_str(), usize::MAX - common, case.fields.len())
        });
        for case in cases {
            let other = with(case);
            if let Some(played) = self.play(&other, Rule::Ordered).await
                && played.verdict == case.expected.name
                && !table.has_other(&played.exchanges)
            {
                self.add(table, Origin::User, &other, case, played).await;
                return Ok(());
            }
        }
        Err(TokenError::Elsewhere { app, outcome: verdict.to_owned() })
    }

    fn auth_type(&self, token: &Token) -> Result<&AuthType, TokenError> {
        let schema = &self.runner.plugin.description.schema;
        let has_all = |auth_type: &&AuthType| token.fields.iter().all(|(name, _)| auth_type.field(name).is_some());
        let found = match &token.auth_type {
            Some(name) => schema.auth_type(name).filter(has_all),
            None => schema.types().iter().find(has_all),
        };
        found.ok_or_else(|| {
            let fields = schema.types().iter().flat_map(|auth_type| &auth_type.fields);
            let fields: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
            let names = safe_list(token.fields.iter().map(|(name, _)| name.as_str()), &fields);
            let of = |auth_type: &AuthType| {
                let fields: Vec<&str> = auth_type.fields.iter().map(|field| field.name.as_str()).collect();
                format!("`{}` ({})", auth_type.name, fields.join(", "))
            };
            let wanted = match &token.auth_type {
                Some(name) => {
                    let name = safe_name(name, schema.types().iter().map(|auth_type| auth_type.name.as_str()));
                    format!("`{name}` with the fields {names}")
                }
                None => format!("with the fields {names}"),
            };
            let known = schema.types().iter().map(of).collect::<Vec<_>>().join(", ");
            TokenError::AuthType { app: self.slug.clone(), wanted, known }
        })
    }

    /// Adds the credential of `played`; `case` is the case that it was made of.
    async fn add(&self, table: &mut MockTable, origin: Origin, played_case: &Case, case: &Case, played: Played) {
        let credential = table.credentials.len();
        let later = if played.verdict == "rate-limited" && !played.exchanges.is_empty() {
            self.after_the_limit(played_case, &played, table).await
        } else {
            None
        };
        let code = |name: &str| name.replace('-', "_");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let passed = match origin {
            Origin::Case => i64::try_from(now).unwrap_or(i64::MAX).saturating_sub_unsigned(case.now_ms),
            // The user has said it.
            Origin::User => 0,
        };
        table.credentials.push(MockCredential {
            origin,
            slug: self.slug.clone(),
            auth_type: played_case.auth_type.clone(),
            fields: played_case.fields.iter().map(|(name, value)| (name.clone(), given(name, value, passed))).collect(),
            known_by: self.known_by(played_case, case),
            case: case.name.clone(),
            about: case.about.clone(),
            outcome: code(&played.verdict),
            then: later.as_ref().map(|later| code(&later.verdict)),
            requests: played.exchanges.len(),
        });
        for (phase, played) in std::iter::once((Phase::First, played)).chain(later.map(|later| (Phase::Later, later))) {
            let entries = played.exchanges.into_iter();
            table.entries.extend(entries.map(|(lines, result)| Entry { lines, result, credential, phase }));
        }
    }

    /// The field whose value tells the credential from those of other cases: a plain one is only changed where it has to be.
    fn known_by(&self, played_case: &Case, case: &Case) -> Option<String> {
        let auth_type = self.runner.plugin.description.schema.auth_type(&case.auth_type)?;
        let is_plain = |name: &str| auth_type.field(name).is_some_and(|field| field.secrecy == Secrecy::Plain);
        let is_other = |(name, value): &&(String, toml::Value)| {
            case.fields.iter().any(|(known, old)| known == name && old != value)
        };
        let mut changed: Vec<&str> =
            played_case.fields.iter().filter(is_other).map(|(name, _)| name.as_str()).collect();
        changed.sort_by_key(|name| !is_plain(name));
        changed.first().map(|name| (*name).to_owned())
    }

    /// The verification of a rate-limited credential once it is no longer limited.
    async fn after_the_limit(&self, limited: &Case, first: &Played, table: &MockTable) -> Option<Played> {
        let mut valid: Vec<&Case> = self.runner.cases.iter().filter(|case| case.expected.name == "verified").collect();
        let same = |case: &&Case| {
            let has = |name: &String| case.fields.iter().any(|(known, _)| known == name);
            (case.auth_type != limited.auth_type, limited.fields.iter().filter(|(name, _)| !has(name)).count())
        };
        valid.sort_by_key(same);
        for case in valid {
            let other = Case { auth_type: limited.auth_type.clone(), ..with_fields(case, limited.fields.clone()) };
            let other = with_own_tokens(other, &format!("{}-over", limited.name));
            let Some(played) = self.play(&other, Rule::Ordered).await else { continue };
            let is_same_request = match (played.exchanges.first(), first.exchanges.first()) {
                (Some((later, _)), Some((first, _))) => later.may_be(first),
                _ => false,
            };
            if played.verdict == "verified" && is_same_request && !table.has_other(&played.exchanges) {
                return Some(played);
            }
        }
        None
    }

    /// Has the plugin verify the credential of a case with its responses. `None` if it does not keep to the case.
    async fn play(&self, case: &Case, rule: Rule) -> Option<Played> {
        let prepared = self.runner.prepare(case, Values::Written).ok()?;
        let run = self.runner.run(case, rule, &prepared).await;
        let verdict: &Verdict = run.result.as_ref().ok().filter(|_| run.deviations.is_empty())?;
        let verdict = verdict::name(verdict);
        let exchanges = run.exchanged.iter().map(|(request, result)| (WireLines::of_plugin(request), result.clone()));
        Some(Played { verdict, exchanges: exchanges.collect() })
    }
}

/// The value of a field as it is given to a server. The end of a credential is as far from now as in the case, whose clock shows an
/// earlier time: that many milliseconds have passed since.
fn given(name: &str, value: &toml::Value, passed: i64) -> serde_json::Value {
    /// Larger numbers are milliseconds since 1970, and smaller ones seconds.
    const SECONDS: i64 = 100_000_000_000;
    let later = |end: i64| end.saturating_add(if end < SECONDS { passed / 1000 } else { passed });
    if !name.ends_with(END) {
        return serde_json::to_value(value).unwrap_or_default();
    }
    match value {
        toml::Value::Integer(end) => return later(*end).into(),
        toml::Value::String(text) => {
            if let Ok(end) = text.parse() {
                return later(end).to_string().into();
            }
            let end = text.parse::<jiff::Timestamp>().ok();
            let moved = end.and_then(|end| end.checked_add(jiff::SignedDuration::from_millis(passed)).ok());
            if let Some(moved) = moved {
                return moved.to_string().into();
            }
        }
        _ => {}
    }
    serde_json::to_value(value).unwrap_or_default()
}
