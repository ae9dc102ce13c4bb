//! Other values for the credential of a case, so that a mock provider can tell apart cases that share one.

use serde_json::Value as Json;

use crate::cases::canary;
use crate::cases::case::{Case, Content, Outcome};
use crate::cases::runner::{Runner, Values};
use crate::cases::url;
use keyferry_schema::Secrecy;

/// Shorter values also occur inside of unrelated text, so they stay as they are.
const SHORTEST: usize = 5;
/// The end of the name of a field that is a moment, which no request contains.
pub(super) const END: &str = "expires_at";

/// Cases like this one with other credentials, the most readable first. Each credential fits the schema of the plugin.
pub(super) fn variants(runner: &Runner, case: &Case, seed: u64) -> Vec<Case> {
    let Some(auth_type) = runner.plugin.description.schema.auth_type(&case.auth_type) else {
        return vec![case.clone()];
    };
    let is_secret = |name: &str| auth_type.field(name).is_some_and(|field| field.secrecy == Secrecy::Secret);
    let hints = hints(runner, case);
    let is_usable = |fields: &Fields| {
        let other = Case { fields: fields.clone(), ..case.clone() };
        runner.prepare(&other, Values::Written).is_ok() && self::hints(runner, &other) == hints
    };
    let others = |name: &str, value: &str| {
        let hint = hints.iter().find(|(known, _)| known == name).and_then(|(_, hint)| hint.as_deref());
        [named(value, &case.name), in_part(value, seed), canary::substitute(value, hint, seed)]
    };
    // The first of the values that fits.
    let with = |mut fields: Fields, name: &str, values: &[String]| {
        for value in values {
            let mut tried = fields.clone();
            set(&mut tried, name, value);
            if is_usable(&tried) {
                fields = tried;
                break;
            }
        }
        fields
    };
    let texts: Vec<(&str, &str)> = case
        .fields
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .filter(|(name, value)| value.len() >= SHORTEST && !name.ends_with(END) && !value.contains("PRIVATE KEY"))
        .collect();
    let (secrets, plain): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(name, _)| is_secret(name));
    let of_secrets = |skipped: usize| {
        secrets.iter().fold(case.fields.clone(), |fields, (name, value)| {
            with(fields, name, others(name, value).get(skipped..).unwrap_or_default())
        })
    };
    let unreadable = of_secrets(1);
    let mut all = vec![of_secrets(0), unreadable.clone()];
    for (name, value) in plain {
        all.extend(others(name, value).map(|value| with(unreadable.clone(), name, &[value])));
    }
    all.push(case.fields.clone());
    all.into_iter().map(|fields| with_fields(case, fields)).map(|other| with_own_tokens(other, &case.name)).collect()
}

type Fields = Vec<(String, toml::Value)>;

/// The names of the secrets, with the parts of them that the plugin sees.
fn hints(runner: &Runner, case: &Case) -> Vec<(String, Option<String>)> {
    let Ok(prepared) = runner.prepare(case, Values::Written) else { return Vec::new() };
    prepared.hints().map(|(name, hint)| (name.to_owned(), hint.map(str::to_owned))).collect()
}

fn set(fields: &mut Fields, name: &str, value: &str) {
    if let Some((_, known)) = fields.iter_mut().find(|(known, _)| known == name) {
        *known = toml::Value::String(value.to_owned());
    }
}

/// The value with the name of its case at the end, or before the `@` of an address.
fn named(value: &str, name: &str) -> String {
    match value.split_once('@') {
        Some((user, domain)) => format!("{user}-{name}@{domain}"),
        None => format!("{value}-{name}"),
    }
}

/// The value with another longest run of letters and digits.
fn in_part(value: &str, seed: u64) -> String {
    let runs = value.split(|c: char| !c.is_ascii_alphanumeric());
    let Some(longest) = runs.rev().max_by_key(|run| run.len()) else { return value.to_owned() };
    let Some(at) = value.rfind(longest) else { return value.to_owned() };
    let (before, rest) = value.split_at(at);
    let (run, after) = rest.split_at(longest.len());
    // A beginning that says what kind of value it is stays.
    let (kept, changed) = run.split_at(run.len() / 2);
    format!("{before}{kept}{}{after}", canary::substitute(changed, None, seed))
}

/// The case with these values of fields, and with the new values where its requests and responses had the old ones.
pub(super) fn with_fields(case: &Case, fields: Vec<(String, toml::Value)>) -> Case {
    let mut other = case.clone();
    for (name, old) in &case.fields {
        let new = fields.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_str());
        let (Some(old), Some(new)) = (old.as_str(), new) else { continue };
        if old.len() < SHORTEST || old == new {
            continue;
        }
        for exchange in &mut other.exchanges {
            for line in &mut exchange.request {
                *line = line.replace(old, new);
            }
            if let Outcome::Response(response) = &mut exchange.outcome {
                response.body = response.body.replace(old, new);
                for (_, value) in &mut response.headers {
                    *value = value.replace(old, new);
                }
            }
        }
    }
    Case { fields, ..other }
}

/// The case with the name of the case in each token that a response mints and a later request contains.
pub(super) fn with_own_tokens(mut case: Case, name: &str) -> Case {
    let mut pointers: Vec<String> = Vec::new();
    for line in case.exchanges.iter().flat_map(|exchange| &exchange.request) {
        let mut rest = line.as_str();
        while let Some((_, placeholder, after)) = url::next(rest) {
            let name = placeholder.trim_start_matches("{{").trim_end_matches("}}");
            if name.starts_with('/') {
                pointers.push(name.to_owned());
            }
            rest = after;
        }
    }
    for exchange in &mut case.exchanges {
        let Outcome::Response(response) = &mut exchange.outcome else { continue };
        if response.content != Content::Json {
            continue;
        }
        let Ok(mut json) = serde_json::from_str::<Json>(&response.body) else { continue };
        let mut is_minted = false;
        for pointer in &pointers {
            if let Some(Json::String(token)) = json.pointer_mut(pointer) {
                token.push('-');
                token.push_str(name);
                is_minted = true;
            }
        }
        if is_minted {
            response.body = json.to_string();
        }
    }
    case
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cases::load::parse;

    #[test]
    fn values_keep_their_shape_or_say_their_case() {
        assert_eq!(named("xoxb-1-example", "rejected"), "xoxb-1-example-rejected");
        assert_eq!(named("importer@acme.example", "down"), "importer-down@acme.example");
        let other = in_part("pat-na1-00000000-444444444444", 3);
        assert!(other.starts_with("pat-na1-00000000-444444") && other.len() == 29, "{other}");
        assert_ne!(other, in_part("pat-na1-00000000-444444444444", 4));
        assert_eq!(in_part("--", 1), "--");
    }

    #[test]
    fn a_new_value_is_in_requests_and_responses_and_a_minted_token_says_its_case() {
        let case = r#"
[credential]
auth-type = "keybased"
fields = { account = "AC0001", secret = "s3cr3t" }
[[exchange]]
method = "GET"
url = "https://api.acme.example/AC0001/token"
bearer = "{{secret}}"
answer = { status = 200, json = '{"access_token":"t","account":"AC0001"}' }
[[exchange]]
method = "GET"
url = "https://api.acme.example/AC0001"
bearer = "{{/access_token}}"
answer = { status = 200, json = '{}' }
[expect]
verdict = "verified"
"#;
        let case = parse(Path::new("limited.toml"), case).unwrap();
        let fields = [("account", "AC0002"), ("secret", "0ther")];
        let fields = fields.map(|(name, value)| (name.to_owned(), toml::Value::String(value.to_owned()))).to_vec();
        let other = with_own_tokens(with_fields(&case, fields), &case.name);
        assert_eq!(other.exchanges[0].request[0], "GET https://api.acme.example/AC0002/token");
        let Outcome::Response(response) = &other.exchanges[0].outcome else { panic!("{other:?}") };
        assert_eq!(response.body, r#"{"access_token":"t-limited","account":"AC0002"}"#);
    }
}
