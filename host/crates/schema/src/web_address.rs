//! Web addresses as people paste them: [`with_scheme`].

use zeroize::Zeroizing;

/// An address with `https://` before it, where a host's name with a dot, or an IPv4 address, begins it and no scheme does:
/// `github.acme.example/login`, `//github.acme.example:8443`. Nothing for any other text, so that `mailto:me@acme.example` and
/// `user@acme.example` stay what they are.
pub(super) fn with_scheme(text: &str) -> Option<Zeroizing<String>> {
    let rest = text.strip_prefix("//").unwrap_or(text);
    let authority = rest.split(['/', '?', '#']).next()?;
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_port = port.is_none_or(|port| matches!(port.len(), 1..=5) && port.bytes().all(|b| b.is_ascii_digit()));
    (is_port && is_host(host)).then(|| Zeroizing::new(format!("https://{rest}")))
}

fn is_host(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let labels = || text.split('.');
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    // `1.5` is a number, and no host: the last label of a name is not one.
    let is_name = labels().next_back().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
    text.contains('.') && labels().all(is_label) && (is_name || text.parse::<std::net::Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_was_pasted_without_its_scheme_gets_one_and_nothing_else_does() {
        for (text, address) in [
            ("github.acme.example", Some("https://github.acme.example")),
            ("//github.acme.example", Some("https://github.acme.example")),
            ("GitHub.Acme.example./", Some("https://GitHub.Acme.example./")),
            ("github.acme.example:8443/api/v3", Some("https://github.acme.example:8443/api/v3")),
            ("acme.ghe.com?tab=https://x", Some("https://acme.ghe.com?tab=https://x")),
            ("acme.ghe.com#top", Some("https://acme.ghe.com#top")),
            ("192.0.2.1:8443", Some("https://192.0.2.1:8443")),
            ("", None),
            ("github", None),
            ("localhost:8443", None),
            ("https://github.acme.example", None),
            ("http://github.acme.example", None),
            ("https:github.acme.example", None),
            ("ftp://github.acme.example", None),
            ("mailto:me@acme.example", None),
            ("me@acme.example", None),
            ("user:password@acme.example", None),
            ("javascript:alert(1).x", None),
            ("/github.acme.example", None),
            ("///github.acme.example", None),
            ("github.acme.example:", None),
            ("github.acme.example:8443x", None),
            ("github..example", None),
            (".example", None),
            ("not a.url", None),
            ("1.5", None),
            ("2026.12.31", None),
            ("127.1", None),
            ("gith\u{fc}b.example", None),
        ] {
            assert_eq!(with_scheme(text).as_ref().map(|address| address.as_str()), address, "{text}");
        }
    }
}
