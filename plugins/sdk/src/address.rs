//! Reads a tenant out of an address as people paste it: [`Address`].

use crate::{Credential, Failure};

/// A host and a path, read from what people paste: `acme.example.com`, `https://ACME.example.com./admin?tab=1`.
///
/// ```
/// # use keyferry_plugin::Address;
/// let address = Address::read("HTTPS://Acme.Example.com./admin?tab=1");
/// assert_eq!(address.host(), "acme.example.com");
/// assert_eq!(address.label_below("example.com"), Some("acme"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: Option<String>,
    path: Vec<String>,
}

impl Address {
    /// Reads an address with or without its scheme. Never fails: what is no address has an empty [`host`](Self::host), and so
    /// has one with a user or a password in it, which would be sent to somewhere else than it seems.
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if ["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => rest,
            Some(_) => "",
            None => text.strip_prefix("//").unwrap_or(text),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port.to_owned()).filter(|port| port != "443")),
            None => (authority, None),
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_port =
            port.as_ref().is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_port || !host.bytes().all(is_name) || host.split('.').any(str::is_empty) {
            return Self { host: String::new(), port: None, path: Vec::new() };
        }
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        Self { host, port, path }
    }

    /// The host's name in lower case, without a dot at its end.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host, and the port if it is not 443: `git.acme.example:8443`.
    pub fn authority(&self) -> String {
        match &self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The path's segments, as they were written, without empty ones: `/store/acme/` is `["store", "acme"]`.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(String::as_str)
    }

    /// The part of the host before a domain: `acme` and `a.b` of `acme.example.com` and `a.b.example.com`.
    pub fn below(&self, domain: &str) -> Option<&str> {
        self.host.strip_suffix(domain)?.strip_suffix('.').filter(|labels| !labels.is_empty())
    }

    /// The one label of the host before a domain: `acme` of `acme.example.com`, nothing of `a.b.example.com`.
    pub fn label_below(&self, domain: &str) -> Option<&str> {
        self.below(domain).filter(|label| !label.contains('.'))
    }
}

impl Credential {
    /// The tenant's label in a field that [`Field::tenant`](crate::Field::tenant) describes: `acme` of `acme`, `ACME`,
    /// `acme.example.com` and `https://acme.example.com/page`, where `domain` is `example.com`.
    ///
    /// # Errors
    /// [`Failure::rejected`] where the field is missing, and [`Failure::wrong_tenant`] where it names a host elsewhere.
    pub fn tenant(&self, field: &str, domain: &str) -> Result<String, Failure> {
        let address = Address::read(self.text(field)?);
        let label = if address.host().contains('.') { address.label_below(domain) } else { Some(address.host()) };
        label.filter(|label| is_label(label)).map(str::to_owned).ok_or_else(|| {
            let words = format!("`{field}` names no host of {domain}: give `acme` of acme.{domain}");
            Failure::wrong_tenant(words).field(field)
        })
    }
}

/// Whether text can be a label of a host's name.
fn is_label(text: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    matches!(text.len(), 1..=63) && text.bytes().all(is_char) && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_pasted() {
        for (text, authority, path) in [
            ("acme", "acme", ""),
            ("ACME", "acme", ""),
            ("Acme.Example.com", "acme.example.com", ""),
            (" acme.example.com. ", "acme.example.com", ""),
            ("acme.example.com/", "acme.example.com", ""),
            ("https://acme.example.com", "acme.example.com", ""),
            ("//acme.example.com/x", "acme.example.com", "x"),
            ("HTTPS://ACME.example.com:443/Admin//x/?tab=1#top", "acme.example.com", "Admin x"),
            ("http://acme.example.com?x=/y", "acme.example.com", ""),
            ("acme.example.com#/store/x", "acme.example.com", ""),
            ("https://git.acme.example:8443/api/v3/", "git.acme.example:8443", "api v3"),
            ("", "", ""),
            ("https://", "", ""),
            ("ftp://acme.example.com", "", ""),
            ("javascript://acme.example.com", "", ""),
            ("https://user@acme.example.com", "", ""),
            ("https://acme.example.com:password@evil.example", "", ""),
            ("https://acme.example.com\\@evil.example", "", ""),
            ("acme..example.com", "", ""),
            (".example.com", "", ""),
            ("acme.example.com..", "", ""),
            ("acme example.com", "", ""),
            ("acme.example.com:", "", ""),
            ("acme.example.com:8443x", "", ""),
            ("[::1]", "", ""),
            ("ácme.example.com", "", ""),
        ] {
            let address = Address::read(text);
            let read: Vec<_> = address.path().collect();
            assert_eq!((address.authority().as_str(), read.join(" ").as_str()), (authority, path), "{text}");
        }
    }

    #[test]
    fn what_is_below_a_domain_is_found_and_nothing_that_only_looks_so() {
        for (text, label) in [
            ("acme.example.com", Some("acme")),
            ("a.b.example.com", None),
            ("example.com", None),
            ("evilexample.com", None),
            ("acme.example.com.evil.example", None),
            ("evil.example/acme.example.com", None),
        ] {
            assert_eq!(Address::read(text).label_below("example.com"), label, "{text}");
        }
        assert_eq!(Address::read("a.b.example.com").below("example.com"), Some("a.b"));
    }

    #[test]
    fn a_label_keeps_to_one_label_of_a_host() {
        for (text, is) in
            [("acme", true), ("a-1", true), ("", false), ("-a", false), ("a.b", false), ("a_b", false), ("A", false)]
        {
            assert_eq!(is_label(text), is, "{text}");
        }
        assert!(!is_label(&"a".repeat(64)));
    }
}
