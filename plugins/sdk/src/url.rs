//! Takes a URL apart into what a request is made of.

/// The pieces of a URL, decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// Scheme and host, such as `https://api.example.com`.
    pub(crate) origin: String,
    /// `/a/b%20c/` is `["a", "b c", ""]`; `/` and nothing are no segment at all.
    pub(crate) segments: Vec<String>,
    /// `?a=1&b` is `[("a", "1"), ("b", "")]`.
    pub(crate) query: Vec<(String, String)>,
}

/// Never fails: what is not a URL becomes an origin that Keyferry refuses, with a better message than there could be here.
pub(crate) fn split(url: &str) -> Pieces {
    let url = url.split('#').next().unwrap_or_default();
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    // The slashes of `https://` do not begin the path.
    let mut slashes = url.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
    let path_at = slashes.nth(if has_scheme(url) { 2 } else { 0 }).unwrap_or(url.len());
    let (origin, path) = url.split_at_checked(path_at).unwrap_or((url, ""));
    Pieces { origin: origin.to_owned(), segments: segments(path), query: pairs(query).collect() }
}

/// The pairs of a query, or of a form.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&spaced(name)), decoded(&spaced(value)))
    })
}

fn has_scheme(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, rest)| !scheme.contains('/') && rest.starts_with("//"))
}

/// `+` stands for a space in a query, and for itself in a path.
fn spaced(text: &str) -> String {
    text.chars().map(|char| if char == '+' { ' ' } else { char }).collect()
}

/// The segments of a path with or without its first `/`.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').map(decoded).collect() }
}

/// Text without its percent-encoding. Keyferry encodes every piece again, so encoded text would come out encoded twice.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = tail;
                    high * 16 + low
                }
                _ => first,
            },
            _ => first,
        });
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart_into_origin_segments_and_query() {
        type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);
        let cases: [Case<'_>; 11] = [
            ("https://slack.com", "https://slack.com", &[], &[]),
            ("https://slack.com/", "https://slack.com", &[], &[]),
            ("https://slack.com/api/auth.test", "https://slack.com", &["api", "auth.test"], &[]),
            ("https://a.example:8443/x/", "https://a.example:8443", &["x", ""], &[]),
            ("https://a.example?x=1", "https://a.example", &[], &[("x", "1")]),
            (
                "https://a.example/b?q=/c&d&e=%26+%2B#f?g",
                "https://a.example",
                &["b"],
                &[("q", "/c"), ("d", ""), ("e", "& +")],
            ),
            ("https://a.example/a%2Fb/c%20d+e", "https://a.example", &["a/b", "c d+e"], &[]),
            ("https://a.example/100%/%zz/%ff", "https://a.example", &["100%", "%zz", "%ff"], &[]),
            ("a.example/b", "a.example", &["b"], &[]),
            ("/b", "", &["b"], &[]),
            ("", "", &[], &[]),
        ];
        for (url, origin, path, query) in cases {
            let pieces = split(url);
            assert_eq!(pieces.origin, origin, "{url}");
            assert_eq!(pieces.segments, path, "{url}");
            let pairs: Vec<_> = pieces.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(pairs, query, "{url}");
        }
    }

    #[test]
    fn text_beyond_ascii_survives() {
        assert_eq!(split("https://a.example/é/%C3%A9").segments, ["é", "é"]);
        assert_eq!(split("https://ä.example/é").origin, "https://ä.example");
    }
}
