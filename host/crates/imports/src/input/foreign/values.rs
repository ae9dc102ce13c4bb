//! Values within a row of another system: at a path, all of them, masked ones.

use keyferry_schema::Input;
use keyferry_types::secret::SharedSecret;

/// Values of a row that are looked at.
const MOST_VALUES: usize = 4096;
/// How n8n's API writes a value that is not there, and one that it keeps to itself.
const EMPTY: &str = "__n8n_EMPTY_VALUE_";
const BLANK: &str = "__n8n_BLANK_VALUE_";
/// What is done with lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    Read,
    /// No field is a list, nor an item of one.
    Passed,
}

/// Collects values that have no parts, with their paths and joined names.
pub(super) fn walk<'a>(
    path: &str,
    name: &str,
    value: &'a Input,
    lists: Lists,
    leaves: &mut Vec<(String, String, &'a Input)>,
) {
    if leaves.len() >= MOST_VALUES {
        return;
    }
    match value {
        Input::Object(members) if !is_masked(value) => {
            for (member, value) in members {
                walk(&format!("{path}.{member}"), &format!("{name}_{}", snake(member)), value, lists, leaves);
            }
        }
        Input::Array(_) if lists == Lists::Passed => {}
        Input::Text(text) if text.expose().starts_with(EMPTY) => {}
        Input::Array(items) => {
            for (n, item) in items.iter().enumerate().take(64) {
                walk(&format!("{path}.{n}"), &format!("{name}_{n}"), item, lists, leaves);
            }
        }
        _ => leaves.push((path.to_owned(), name.to_owned(), value)),
    }
}

/// What is at a path of names with dots between; a name can have dots of its own, and an item of a list has its number.
pub(super) fn at<'a>(input: &'a Input, path: &str) -> Option<&'a Input> {
    let part = |name: &str| match input {
        Input::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => input.member(name),
    };
    part(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        at(part(first)?, rest)
    })
}

/// A copy of a value that has no parts. Texts and numbers are shared.
pub(super) fn scalar(value: &Input) -> Option<Input> {
    match value {
        Input::Bool(value) => Some(Input::Bool(*value)),
        Input::Number(digits) => Some(Input::Number(SharedSecret::clone(digits))),
        Input::Text(text) => Some(Input::Text(SharedSecret::clone(text))),
        Input::Null | Input::Array(_) | Input::Object(_) => None,
    }
}

/// Whether a placeholder replaces the value: stars, a word that says so, the value's beginning, or a reference to a secret
/// store.
pub(super) fn is_masked(value: &Input) -> bool {
    let Input::Text(text) = value else { return value.member("_secret").is_some() };
    let text = text.expose().trim();
    let word = text.trim_matches(['[', ']', '<', '>', '*', '_']);
    text.starts_with(BLANK)
        || text.contains("***")
        || text.contains('\u{2022}')
        || text.ends_with("...")
        || text.ends_with('\u{2026}')
        || ["redacted", "masked", "hidden"].iter().any(|mask| word.eq_ignore_ascii_case(mask))
}

/// `instanceUrl` and `COMPANY-DOMAIN` -> `instance_url` and `company_domain`, as fields are called here.
pub(super) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            snake.push('_');
        }
        snake.push(if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() });
        before = c;
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_told_by_plain_rules() {
        for (name, field) in [
            ("apiKey", "api_key"),
            ("instance_url", "instance_url"),
            ("your-domain", "your_domain"),
            ("COMPANYDOMAIN", "companydomain"),
            ("oauth2Token", "oauth2_token"),
        ] {
            assert_eq!(snake(name), field);
        }
    }

    #[test]
    fn what_stands_in_a_values_place_is_seen() {
        for json in [
            "\"**********\"",
            "\"REDACTED\"",
            "\"[redacted]\"",
            "\"ghp_...\"",
            "\"ab***yz\"",
            "{\"_secret\":\"x_v1\"}",
            "\"__n8n_BLANK_VALUE_e5362baf-c777\"",
        ] {
            assert!(is_masked(&serde_json::from_str(json).unwrap()), "{json}");
        }
        for json in ["\"s3cr3t\"", "\"a**b\"", "\"\"", "1", "{\"secret\":\"x\"}", "\"redacted-by-me\""] {
            assert!(!is_masked(&serde_json::from_str(json).unwrap()), "{json}");
        }
    }
}
