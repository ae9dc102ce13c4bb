//! Messages about unknown names in case files, with the known name that was probably meant.

/// Similarity (0 to 1) from which an unknown name is taken for a misspelling of a known one.
const SIMILAR: f64 = 0.7;

/// `given` is no `what`, the known name that is most similar to it, and all known names.
pub fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    let suggestion = match most_similar(given, known) {
        Some(name) => format!("; did you mean `{name}`? There are"),
        None => "; there are".to_owned(),
    };
    format!("`{given}` is no {what}{suggestion}: {}", known.join(", "))
}

/// Adds a suggestion to serde's message about an unknown key, which lists the known ones.
pub(super) fn with_suggestion(message: &str) -> String {
    let message = message.lines().next().unwrap_or(message);
    if !message.starts_with("unknown field") {
        return message.to_owned();
    }
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((given, known)) if !known.is_empty() => unknown("key here", given, known),
        _ => message.to_owned(),
    }
}

fn most_similar<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let names = known.iter().map(|name| (strsim::jaro_winkler(given, name), *name));
    let best = names.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > SIMILAR).then_some(best.1)
}
