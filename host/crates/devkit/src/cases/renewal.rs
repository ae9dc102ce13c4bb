//! Renewals written as lines: a plugin's result and a case file's, in the same words.

use super::expected::{Expected, TIMES, listed, moment, only, time};
use super::file::{ClientFile, ExpectFile, FieldsFile, RenewalFile};
use super::suggestion;
use keyferry_sandbox::{AppDescription, Renewable, RenewalFailureKind, RenewalResult};

/// The pair that is renewed unless the case names another.
const USUAL_PAIR: &str = "access_token";

/// The names of the OAuth client's values in a case file.
pub(super) const CLIENT_ID: &str = "client_id";
pub(super) const CLIENT_SECRET: &str = "client_secret";

/// What a renewal case asks of the plugin.
#[derive(Debug, Clone)]
pub(super) struct AskedPair {
    /// The pair, by the field of its access token.
    pub(super) pair: String,
    pub(super) client: Option<ClientFile>,
    /// The fields that the case expects a new token in.
    tokens: Vec<String>,
    /// Lines of `[renewal]` and of `[expect]` in the file.
    lines: (usize, usize),
}

/// Each result of a renewal, and the details that go with it.
const RESULTS: [(&str, &[&str]); 8] = [
    (RENEWED, &["renewed", "expires-at", "refresh-expires-at", "scopes", "fields"]),
    ("ended", &["detail"]),
    ("client-refused", &["detail"]),
    ("not-renewable", &["fields", "detail"]),
    ("rate-limited", &["retry-after", "detail"]),
    ("unreachable", &["why", "detail"]),
    ("provider-error", &["status", "detail"]),
    ("unexpected-answer", &["detail"]),
];
const RENEWED: &str = "renewed";

impl AskedPair {
    pub(super) fn parse(file: &RenewalFile, expect: &ExpectFile) -> Self {
        Self {
            pair: file.pair.clone().unwrap_or_else(|| USUAL_PAIR.to_owned()),
            client: file.client.clone(),
            tokens: expect.renewed.iter().flat_map(|tokens| tokens.keys().cloned()).collect(),
            lines: (1, 1),
        }
    }

    /// The same, with the lines of `[renewal]` and of `[expect]`.
    pub(super) fn at(self, lines: (usize, usize)) -> Self {
        Self { lines, ..self }
    }

    /// The pair as the plugin describes it.
    ///
    /// # Errors
    /// The line and the mistake, if the plugin does not describe what the case asks for.
    pub(super) fn described<'d>(
        &self,
        description: &'d AppDescription,
        auth_type: &str,
    ) -> Result<&'d Renewable, (usize, String)> {
        let (line, expect_line) = self.lines;
        let of_type = || description.renewables.iter().filter(|pair| pair.auth_type.as_str() == auth_type);
        let known: Vec<&str> = of_type().map(|pair| pair.access_token.as_str()).collect();
        if known.is_empty() {
            return Err((line, format!("the plugin does not say that it renews tokens of `{auth_type}`")));
        }
        let pair = of_type().find(|pair| pair.access_token.as_str() == self.pair).ok_or_else(|| {
            (line, suggestion::unknown(&format!("pair of `{auth_type}` that the plugin renews"), &self.pair, &known))
        })?;
        let fields: Vec<&str> =
            std::iter::once(&pair.access_token).chain(&pair.refresh_token).map(|field| field.as_str()).collect();
        if let Some(unknown) = self.tokens.iter().find(|token| !fields.contains(&token.as_str())) {
            return Err((expect_line, suggestion::unknown("token of the renewed pair", unknown, &fields)));
        }
        Ok(pair)
    }
}

/// Reads `[expect]` of a renewal case.
///
/// # Errors
/// The first mistake in it.
pub(super) fn expected(file: &ExpectFile) -> Result<Expected, String> {
    let name = match (&file.verdict, &file.renewed, &file.failure) {
        (Some(_), ..) => {
            return Err("`verdict` does not go with [renewal]: a renewal has `renewed` or a `failure`".to_owned());
        }
        (None, Some(_), Some(_)) => return Err("it has `renewed` and a `failure`; it can have one".to_owned()),
        (None, Some(_), None) => RENEWED,
        (None, None, Some(failure)) => failure,
        (None, None, None) => return Err("it needs `renewed` or a `failure`".to_owned()),
    };
    let failures: Vec<&str> = RESULTS.iter().map(|(name, _)| *name).filter(|name| *name != RENEWED).collect();
    let known = RESULTS.iter().find(|(known, _)| *known == name && (name == RENEWED) == file.renewed.is_some());
    let Some((_, allowed)) = known else { return Err(suggestion::unknown("failure of a renewal", name, &failures)) };
    only(file, allowed, &format!("the result `{name}`"))?;
    let mut lines = vec![name.to_owned()];
    for (field, token) in file.renewed.iter().flatten() {
        lines.push(token_line(field, token));
    }
    for (name, value) in TIMES.iter().zip([&file.expires_at, &file.refresh_expires_at]) {
        lines.extend(value.as_ref().map(time).transpose()?.map(|ms| moment(name, ms)));
    }
    lines.extend(file.scopes.as_ref().map(|scopes| listed("scopes", scopes)));
    match (&file.fields, file.renewed.is_some()) {
        (None, _) => {}
        (Some(FieldsFile::Values(values)), true) => {
            lines.extend(values.iter().map(|(name, value)| field_line(name, value)));
        }
        (Some(FieldsFile::Names(names)), false) => lines.extend(some_listed("fields", names)),
        (Some(FieldsFile::Names(_)), true) => {
            return Err("`fields` of a renewed pair is a table of fields and their new values".to_owned());
        }
        (Some(FieldsFile::Values(_)), false) => return Err("`fields` of a failure is a list of names".to_owned()),
    }
    lines.extend(file.retry_after.map(|seconds| format!("retry-after: {seconds}")));
    lines.extend(file.why.as_ref().map(|why| format!("why: {why}")));
    lines.extend(file.status.map(|status| format!("status: {status}")));
    Ok(Expected::new(name, lines, file.detail.clone()))
}

/// The name of a result in a case file.
pub(super) fn name(result: &RenewalResult) -> String {
    match result {
        Ok(_) => RENEWED.to_owned(),
        Err(failure) => failure.kind.code().replace('_', "-"),
    }
}

/// The line for people of a failure.
pub(super) fn detail(result: &RenewalResult) -> Option<&str> {
    result.as_ref().err().map(|failure| failure.detail.as_str())
}

/// A result in lines, in the words of a case file, without its detail. The tokens are those of the case's answers.
pub(super) fn lines(result: &RenewalResult, pair: &Renewable) -> Vec<String> {
    let mut lines = vec![name(result)];
    match result {
        Ok(renewed) => {
            let refresh_field = pair.refresh_token.as_ref().map_or("refresh-token", |field| field.as_str());
            let mut tokens = vec![token_line(pair.access_token.as_str(), renewed.access_token.expose())];
            tokens.extend(renewed.refresh_token.as_ref().map(|token| token_line(refresh_field, token.expose())));
            tokens.sort();
            lines.extend(tokens);
            for (name, end) in TIMES.iter().zip([renewed.expires_at, renewed.refresh_expires_at]) {
                lines.extend(end.map(|ms| moment(name, i64::try_from(ms).unwrap_or(i64::MAX))));
            }
            lines.extend(renewed.scopes.as_ref().map(|scopes| listed("scopes", scopes)));
            lines.extend(renewed.fields.iter().map(|(name, value)| field_line(name.as_str(), value)));
        }
        Err(failure) => match &failure.kind {
            RenewalFailureKind::NotRenewable(fields) => lines.extend(some_listed("fields", fields)),
            RenewalFailureKind::RateLimited(seconds) => lines.extend(seconds.map(|s| format!("retry-after: {s}"))),
            RenewalFailureKind::Unreachable(why) => lines.push(format!("why: {}", why.code())),
            RenewalFailureKind::ProviderError(status) => lines.push(format!("status: {status}")),
            RenewalFailureKind::Ended | RenewalFailureKind::ClientRefused | RenewalFailureKind::UnexpectedAnswer => {}
        },
    }
    lines
}

fn token_line(field: &str, token: &str) -> String {
    format!("{field} = {token}")
}

fn field_line(name: &str, value: &str) -> String {
    format!("field {name} = {value}")
}

fn some_listed(name: &str, values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| listed(name, values))
}
