//! URLs in case files: written by people, with `{{field}}` in them, and compared with what a plugin asks for.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a segment or a query. Everything else is shown percent-encoded, so that a `/` or `&` inside of a
/// value does not look like one between values.
const SHOWN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b'*')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'\'');

/// The first of the private-use characters that stand for placeholders while a URL is taken apart.
const FIRST_MARK: u32 = 0xE000;

/// The one spelling of a URL that requests are compared in.
pub(super) fn shown(origin: &str, segments: &[String], query: &[(String, String)]) -> String {
    let origin = origin.to_ascii_lowercase();
    let mut url = origin.strip_suffix(":443").unwrap_or(&origin).to_owned();
    for segment in segments {
        url.push('/');
        url.push_str(&encoded(segment));
    }
    if segments.is_empty() {
        url.push('/');
    }
    for (index, (name, value)) in query.iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(&encoded(name));
        url.push('=');
        url.push_str(&encoded(value));
    }
    url
}

/// Brings what a person wrote into that spelling.
///
/// # Errors
/// What is not right about it.
pub(super) fn normal(written: &str) -> Result<String, String> {
    let (marked, placeholders) = mark(written)?;
    let Some((scheme, rest)) = marked.split_once("://") else {
        return Err(format!("`{written}` is not a URL: it must begin with https://"));
    };
    if rest.contains('#') {
        return Err(format!("`{written}` has a fragment (#), which is never sent"));
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.is_empty() || host.chars().any(|c| u32::from(c) >= FIRST_MARK) {
        return Err(format!("`{written}` needs a host in plain text: a host cannot contain a secret"));
    }
    let unmark = |text: &str| decoded(text).map(|text| restored(&text, &placeholders));
    let segments = match path.trim_start_matches('/') {
        "" => Vec::new(),
        path => path.split('/').map(unmark).collect::<Result<_, _>>()?,
    };
    let mut pairs = Vec::new();
    for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((unmark(name)?, unmark(value)?));
    }
    Ok(shown(&format!("{scheme}://{host}"), &segments, &pairs))
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| format!("`{text}` is not UTF-8 once its percent signs are decoded"))
}

/// Percent-encodes what is between placeholders.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, placeholder, after)) = next(rest) {
        out.extend(utf8_percent_encode(before, SHOWN));
        out.push_str(placeholder);
        rest = after;
    }
    out.extend(utf8_percent_encode(rest, SHOWN));
    out
}

/// The text before the first placeholder, the placeholder with its braces, and the text after.
pub(super) fn next(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("{{")?;
    let (before, from) = text.split_at(start);
    let end = from.find("}}")? + 2;
    let (placeholder, after) = from.split_at(end);
    Some((before, placeholder, after))
}

/// Puts one character in the place of each placeholder.
fn mark(text: &str) -> Result<(String, Vec<String>), String> {
    let (mut marked, mut placeholders, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, placeholder, after)) = next(rest) {
        marked.push_str(before);
        let count = u32::try_from(placeholders.len()).unwrap_or(u32::MAX);
        let mark = char::from_u32(FIRST_MARK + count.min(0x1000)).unwrap_or(char::REPLACEMENT_CHARACTER);
        marked.push(mark);
        placeholders.push(placeholder.to_owned());
        rest = after;
    }
    if rest.contains("{{") {
        return Err(format!("`{text}` opens a {{{{ that it does not close"));
    }
    marked.push_str(rest);
    Ok((marked, placeholders))
}

fn restored(text: &str, placeholders: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let index = u32::from(c).checked_sub(FIRST_MARK).and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| placeholders.get(index)) {
            Some(placeholder) => out.push_str(placeholder),
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_spelling_however_it_is_written() {
        let cases = [
            ("https://API.acme.example", "https://api.acme.example/"),
            ("https://api.acme.example:443/v1", "https://api.acme.example/v1"),
            ("https://a.example:8443/v1/", "https://a.example:8443/v1/"),
            ("https://a.example/x y/a%2Fb", "https://a.example/x%20y/a%2Fb"),
            ("https://a.example/u/{{api_key}}/me", "https://a.example/u/{{api_key}}/me"),
            (
                "https://a.example/?t=pre-{{/access_token}}&q=SELECT Id",
                "https://a.example/?t=pre-{{/access_token}}&q=SELECT%20Id",
            ),
            ("https://a.example/q?a", "https://a.example/q?a="),
        ];
        for (written, expected) in cases {
            assert_eq!(normal(written).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_what_is_wrong() {
        let cases = [
            ("api.acme.example/v1", "begin with https://"),
            ("https://{{host}}.example/", "cannot contain a secret"),
            ("https://a.example/{{key", "does not close"),
            ("https://a.example/#x", "fragment"),
            ("https://a.example/%ff", "UTF-8"),
        ];
        for (written, expected) in cases {
            let error = normal(written).unwrap_err();
            assert!(error.contains(expected), "{written}: {error}");
        }
    }
}
