//! Running one case: the credential is prepared, and the plugin verifies or renews it with the case's provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::canary;
use super::case::Case;
use super::deviation::Deviation;
use super::renewal::{CLIENT_ID, CLIENT_SECRET};
use super::request::SecretNames;
use super::script::{Rule, Script};
use keyferry_egress::{AppClient, Egress, Grant, GrantSet, MockExchange, Request};
use keyferry_sandbox::{
    CallError, CallOptions, LoadedPlugin, LogLine, RecordedCall, Renewable, RenewalClient, RenewalResult, SecretAccess,
    Usage, Verdict,
};
use keyferry_schema::{Credential, Exposure, Input};
use keyferry_types::path_text::ShowPath as _;
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
    /// The OAuth client of a renewal.
    client: Option<RenewalClient>,
    names: SecretNames,
    values: Vec<(String, String)>,
    /// Each secret, and the part of it that its hint shows.
    pub(super) secrets: Vec<(String, Option<String>)>,
}

/// The result of one run of a case: a verdict, or the result of a renewal.
pub(super) struct CaseRun<T> {
    pub(super) result: Result<T, CallError>,
    pub(super) deviations: Vec<Deviation>,
    /// Each request that was responded to, with the response.
    pub(super) exchanged: Vec<(Request, MockExchange)>,
    /// The values of the tokens that the host took out of responses.
    pub(super) minted: Vec<String>,
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
        let unread = self.plugin.description.secret_access == SecretAccess::Handles || case.renewal.is_some();
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
        Ok(PreparedCredential::new(credential).with_client(case, values))
    }

    /// The pair that a case renews, as the plugin describes it. `None` for a case that verifies.
    ///
    /// # Errors
    /// The file, the line and the mistake, if the plugin does not describe what the case asks for.
    pub(super) fn pair(&self, case: &Case) -> Result<Option<&Renewable>, String> {
        let Some(asked) = &case.renewal else { return Ok(None) };
        let pair = asked.described(&self.plugin.description, &case.auth_type);
        let pair = pair.map_err(|(line, problem)| format!("{}:{line}: {problem}", case.file.shown()))?;
        Ok(Some(pair))
    }

    /// Runs the plugin's `verify` with the credential, and with the case in place of the provider.
    pub(super) async fn run(&self, case: &Case, rule: Rule, prepared: &PreparedCredential) -> CaseRun<Verdict> {
        let began = Instant::now();
        let script = self.script(case, rule, prepared);
        let client = self.client(&script);
        let options = self.options(case, &client, &script, self.plugin.description.requested.clone());
        let call = self.plugin.verify(&prepared.credential, options).await;
        finished(&script, began, call)
    }

    /// Runs the plugin's `renew` with the credential and the client of the case, granted the requests of renewals alone.
    pub(super) async fn renew(
        &self,
        case: &Case,
        pair: &Renewable,
        rule: Rule,
        prepared: &PreparedCredential,
    ) -> CaseRun<RenewalResult> {
        let began = Instant::now();
        let script = self.script(case, rule, prepared);
        let client = self.client(&script);
        let options = self.options(case, &client, &script, self.plugin.description.renewal_requests());
        let (name, oauth_client) = (pair.access_token.as_str(), prepared.client.as_ref());
        let call = self.plugin.renew(&prepared.credential, name, oauth_client, options).await;
        finished(&script, began, call)
    }

    fn script(&self, case: &Case, rule: Rule, prepared: &PreparedCredential) -> Arc<Script> {
        let echoes = prepared.secrets.iter().map(|(value, _)| value.clone()).collect();
        let (values, names) = (prepared.values.clone(), prepared.names.clone());
        Script::new(case, rule, values, names, echoes, self.egress.limits().response_bytes)
    }

    fn client(&self, script: &Arc<Script>) -> AppClient {
        let stage: Arc<Script> = Arc::clone(script);
        AppClient::with_mock(&self.egress, stage)
    }

    fn options<'a>(
        &'a self,
        case: &Case,
        client: &'a AppClient,
        script: &Arc<Script>,
        requests: Vec<Grant>,
    ) -> CallOptions<'a> {
        CallOptions {
            client,
            grants: Arc::new(GrantSet::new(requests)),
            limits: self.egress.limits(),
            observer: Some(Arc::<Script>::clone(script)),
            now_ms: case.now_ms,
        }
    }
}

fn finished<T>(script: &Script, began: Instant, call: Result<RecordedCall<T>, CallError>) -> CaseRun<T> {
    let (result, usage, log) = match call {
        Ok(call) => (call.result, call.usage, call.log),
        Err(error) => (Err(error), Usage::default(), Vec::new()),
    };
    let (deviations, exchanged, minted) = (script.deviations(), script.exchanged(), script.minted());
    CaseRun { result, deviations, exchanged, minted, usage, log, elapsed: began.elapsed() }
}

impl PreparedCredential {
    /// The names of the secrets, with the parts of them that the plugin sees.
    pub(super) fn hints(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.names.iter().zip(&self.secrets).map(|((_, name), (_, hint))| (name, hint.as_deref()))
    }

    fn new(credential: Credential) -> Self {
        let mut prepared =
            Self { client: None, names: SecretNames::default(), values: Vec::new(), secrets: Vec::new(), credential };
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

    /// The same, with the OAuth client of the case. Its id is a secret like its secret.
    fn with_client(mut self, case: &Case, values: Values<'_>) -> Self {
        let Some(client) = case.renewal.as_ref().and_then(|asked| asked.client.as_ref()) else { return self };
        let mut secret = |name: &str, value: &str, seed: u64| {
            let value = match values {
                Values::Canaries => canary::substitute(value, None, seed),
                Values::Written | Values::Unusable(_) => value.to_owned(),
            };
            let secret = SharedSecret::new(Secret::new(value.as_str()));
            self.names.add(&secret, name);
            self.secrets.push((value.clone(), None));
            self.values.push((name.to_owned(), value));
            secret
        };
        let id = secret(CLIENT_ID, &client.id, 0xC11D);
        let secret = client.secret.as_ref().map(|value| secret(CLIENT_SECRET, value, 0xC15E));
        self.client = Some(RenewalClient { id, secret });
        self
    }
}
