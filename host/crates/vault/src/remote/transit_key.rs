//! The address of a key of a transit engine.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::{Host, Url};

use super::token::TokenSource;
use keyferry_service_client::{Scheme, ServiceAddress};

/// A key of a transit engine, given by the address of its API: `https://vault.example.com/v1/transit/keys/NAME`.
///
/// ```
/// use keyferry_vault::TransitKey;
/// assert!("https://vault.example.com:8200/v1/team/transit/keys/keyferry".parse::<TransitKey>().is_ok());
/// assert!("http://vault.example.com/v1/transit/keys/keyferry".parse::<TransitKey>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitKey {
    /// Address of the service. Plain HTTP is allowed on this machine only.
    pub(super) service: ServiceAddress,
    pub(super) mount: String,
    pub(super) name: String,
}

/// Settings of a transit engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitSettings {
    /// The key in the transit engine.
    pub key: TransitKey,
    /// Source of the token.
    pub token: TokenSource,
    /// The namespace that the mount is in.
    pub namespace: Option<String>,
    /// Certificates (PEM) to believe besides the public ones.
    pub ca: Option<PathBuf>,
}

/// Text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedTransitKey {
    /// It has another shape.
    #[error("a transit key is given by the address of its API: `https://vault.example.com/v1/transit/keys/NAME`")]
    Shape,
    /// Tokens and keys would go over the network as they are.
    #[error("a key service is spoken to over https; http is for this very machine (localhost, 127.0.0.1) only")]
    NotHttps,
}

impl TransitKey {
    /// Id of the key in stored roots. The host is not part of it: it may get another name.
    pub(super) fn id(&self, namespace: Option<&str>) -> String {
        let namespace = namespace.map(|namespace| format!("{namespace}:")).unwrap_or_default();
        format!("transit:{namespace}{}/{}", self.mount, self.name)
    }

    /// The path of an operation: `encrypt`, `decrypt`.
    pub(super) fn path(&self, operation: &str) -> String {
        format!("/v1/{}/{operation}/{}", self.mount, self.name)
    }
}

impl FromStr for TransitKey {
    type Err = MalformedTransitKey;

    fn from_str(text: &str) -> Result<Self, MalformedTransitKey> {
        let url = Url::parse(text).map_err(|_| MalformedTransitKey::Shape)?;
        let service = ServiceAddress::from_url(&url).ok_or(MalformedTransitKey::Shape)?;
        if service.scheme == Scheme::Http && !is_loopback(&service.host) {
            return Err(MalformedTransitKey::NotHttps);
        }
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if service.port == 0 || !bare || url.password().is_some() {
            return Err(MalformedTransitKey::Shape);
        }
        // Nothing that would have to be escaped: Vault's names of keys and mounts have none of it.
        let word = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
                && !text.bytes().all(|b| b == b'.')
        };
        let path = url.path().strip_prefix("/v1/").ok_or(MalformedTransitKey::Shape)?;
        let (mount, name) = path.rsplit_once("/keys/").ok_or(MalformedTransitKey::Shape)?;
        if !word(name) || !mount.split('/').all(word) {
            return Err(MalformedTransitKey::Shape);
        }
        Ok(Self { service, mount: mount.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.service, self.path("keys"))
    }
}

/// Whether a host is this machine, by its spelling alone; no resolver is asked.
pub(super) fn is_loopback(host: &Host<impl AsRef<str>>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_put_together() {
        let cases = [
            ("https://vault.example.com/v1/transit/keys/keyferry", "transit:transit/keyferry", 443),
            ("https://vault.example.com:8200/v1/a/keys/b/keys/k-1_2.3", "transit:a/keys/b/k-1_2.3", 8200),
            ("http://127.0.0.1:8200/v1/transit/keys/k", "transit:transit/k", 8200),
            ("http://localhost/v1/transit/keys/k", "transit:transit/k", 80),
            ("https://[2001:db8::1]:1/v1/transit/keys/k", "transit:transit/k", 1),
        ];
        for (text, id, port) in cases {
            let key: TransitKey = text.parse().unwrap();
            assert_eq!((key.id(None).as_str(), key.service.port, key.to_string().as_str()), (id, port, text));
        }
        let key: TransitKey = cases[0].0.parse().unwrap();
        assert_eq!(key.path("encrypt"), "/v1/transit/encrypt/keyferry");
        assert_eq!(key.id(Some("team/a")), "transit:team/a:transit/keyferry");
    }

    #[test]
    fn refuses_what_is_no_address_of_a_key_or_would_go_in_plain() {
        use MalformedTransitKey::{NotHttps, Shape};
        for (text, expected) in [
            ("", Shape),
            ("vault.example.com/v1/transit/keys/k", Shape),
            ("https://vault.example.com/v1/transit/encrypt/k", Shape),
            ("https://vault.example.com/v2/transit/keys/k", Shape),
            ("https://vault.example.com/v1/transit/keys/", Shape),
            ("https://vault.example.com/v1//keys/k", Shape),
            ("https://vault.example.com/v1/transit/keys/a%2fb", Shape),
            ("https://vault.example.com/v1/transit/keys/k?version=1", Shape),
            ("https://vault.example.com/v1/transit/keys/k#x", Shape),
            ("https://user@vault.example.com/v1/transit/keys/k", Shape),
            ("https://:secret@vault.example.com/v1/transit/keys/k", Shape),
            ("ftp://vault.example.com/v1/transit/keys/k", Shape),
            ("http://vault.example.com/v1/transit/keys/k", NotHttps),
            ("http://10.0.0.1/v1/transit/keys/k", NotHttps),
            ("http://localhost.example.com/v1/transit/keys/k", NotHttps),
            ("http://127.0.0.1.nip.io/v1/transit/keys/k", NotHttps),
        ] {
            assert_eq!(text.parse::<TransitKey>(), Err(expected), "{text}");
        }
    }
}
