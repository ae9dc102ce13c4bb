//! Running one case: the credential is prepared, and the plugin verifies it with the case's provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::canary;
use super::case::Case;
use super::deviation::Deviation;
use super::request::SecretNames;
use super::script::{Rule, Script};
use keyferry_egress::{AppClient, Egress, GrantSet, MockExchange, Request};
use keyferry_sandbox::{CallError, LoadedPlugin, LogLine, SecretAccess, Usage, Verdict, VerifyOptions};
use keyferry_schema::{Credential, Exposure, Input};
use keyferry_types::secret::{Secret, SharedSecret};

/// A plugin, its cases, and the egress that replaces the network.
pub(super) struct Runner {
    pub(super) plugin: LoadedPlugin,
    pub(super) egress: Egress,
    pub(super) cases: Vec<Case>,
}

/// The values of a case's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values<'a> {
    /// Those in the file.
    Written,
    /// Others of the same shape, that occur nowhere else.
    Canaries,
    /// Those in the file, but for this field: its value is no private key, and no header can contain it.
    Unusable(&'a str),
}

/// No private key, not for a header, and no user of HTTP Basic. The schema lets no such value in; here it is put past it.
const UNUSABLE: &str = "\u{1}:unusable-in-any-request";

/// A credential of a case, as the plugin gets it.
pub(super) struct PreparedCredential {
    credential: Credential,
    names: SecretNames,
    values: Vec<(String, String)>,
    /// Each secret, and the part of it that its hint shows.
    pub(super) secrets: Vec<(String, Option<String>)>,
}

/// The result of one run of a case.
pub(super) struct CaseRun {
    pub(super) result: Result<Verdict, CallError>,
    pub(super) deviations: Vec<Deviation>,
    /// Each request that was responded to, with the response.
    pub(super) exchanged: Vec<(Request, MockExchange)>,
    pub(super) usage: Usage,
    pub(super) log: Vec<LogLine>,
    pub(super) elapsed: Duration,
}

impl Runner {
    /// The credential of a case, checked against the plugin's schema.
    pub(super) fn prepare(&self, case: &Case, values: Values<'_>) -> Result<PreparedCredential, String> {
        let schema = &self.plugin.description.schema;
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
        let unread = self.plugin.description.secret_access == SecretAccess::Handles;
        if values == Values::Canaries && unread {
            for (index, field) in credential.fields.iter().enumerate() {
                let Exposure::Handle { hint } = &field.exposure else { continue };
                let other = canary::substitute(field.value.expose(), hint.as_deref(), index as u64 + 0x5EED);
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
        Ok(PreparedCredential::new(credential))
    }

    /// Runs the plugin's `verify` with the credential, and with the case in place of the provider.
    pub(super) async fn run(&self, case: &Case, rule: Rule, prepared: &PreparedCredential) -> CaseRun {
        let began = Instant::now();
        let limits = self.egress.limits();
        let echoes = prepared.secrets.iter().map(|(value, _)| value.clone()).collect();
        let (values, names) = (prepared.values.clone(), prepared.names.clone());
        let script = Script::new(case, rule, values, names, echoes, limits.response_bytes);
        let stage: Arc<Script> = Arc::clone(&script);
        let client = AppClient::with_mock(&self.egress, stage);
        let options = VerifyOptions {
            client: &client,
            grants: Arc::new(GrantSet::new(self.plugin.description.requested.clone())),
            limits,
            observer: Some(Arc::<Script>::clone(&script)),
            now_ms: case.now_ms,
        };
        let (result, usage, log) = match self.plugin.verify(&prepared.credential, options).await {
            Ok(call) => (call.result, call.usage, call.log),
            Err(error) => (Err(error), Usage::default(), Vec::new()),
        };
        let (deviations, exchanged) = (script.deviations(), script.exchanged());
        CaseRun { result, deviations, exchanged, usage, log, elapsed: began.elapsed() }
    }
}

impl PreparedCredential {
    /// The names of the secrets, with the parts of them that the plugin sees.
    pub(super) fn hints(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.names.iter().zip(&self.secrets).map(|((_, name), (_, hint))| (name, hint.as_deref()))
    }

    fn new(credential: Credential) -> Self {
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
