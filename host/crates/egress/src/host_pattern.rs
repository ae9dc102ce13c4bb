//! [`HostPattern`]: the hosts that a grant covers.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::host_name::{is_plain_name, parse_port};

/// A host, every host one label below a name, any host, or the one that a credential names; and one port.
///
/// | text | covers |
/// |---|---|
/// | `api.example.com` | that host on port 443 |
/// | `api.example.com:8443` | that host on port 8443 |
/// | `*.example.com` | `a.example.com`, not `example.com`, not `a.b.example.com` |
/// | `[2001:db8::1]`, `192.0.2.1` | that address |
/// | `*` | any host on port 443 |
/// | `{base_url}` | the host and port of the URL in the credential's field `base_url`; nothing until it is [bound](Self::bound) |
/// | `api.{base_url}` | `api.` before that host, on the same port; nothing where the host is an address |
///
/// Names in other scripts are kept in their ASCII form (`bücher.example` is `xn--bcher-kva.example`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    names: Names,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Names {
    Any,
    /// The name below which one label may stand, without the dot.
    OneLabelBelow(String),
    Exact(Host<String>),
    /// The host of the URL in the credential's field of that name, or the one that has this label before it.
    OfField {
        below: Option<String>,
        field: String,
    },
}

/// A text that is not a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a host pattern: {reason}")]
pub struct InvalidHostPattern {
    shown: String,
    reason: &'static str,
}

/// The port of a pattern that names none.
const HTTPS: u16 = 443;

impl HostPattern {
    /// Whether the pattern covers the host and port of a URL.
    pub fn covers(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return false;
        };
        port == self.port
            && match &self.names {
                Names::Any => true,
                Names::OfField { .. } => false,
                Names::Exact(exact) => *exact == host,
                Names::OneLabelBelow(suffix) => match host {
                    Host::Domain(name) => name
                        .strip_suffix(suffix.as_str())
                        .and_then(|rest| rest.strip_suffix('.'))
                        .is_some_and(|label| !label.is_empty() && !label.contains('.')),
                    Host::Ipv4(_) | Host::Ipv6(_) => false,
                },
            }
    }

    /// Whether the pattern is `*`, which covers any host.
    pub fn is_any(&self) -> bool {
        self.names == Names::Any
    }

    /// Whether it covers one host, the same for every credential, and that one is called so.
    pub(super) fn is_one_called(&self, host: &str) -> bool {
        matches!(&self.names, Names::Exact(exact) if exact.to_string() == host)
    }

    /// The field whose URL tells the host, if the pattern is `{field}` or `api.{field}`.
    pub fn field(&self) -> Option<&str> {
        match &self.names {
            Names::OfField { field, .. } => Some(field),
            _ => None,
        }
    }

    /// The pattern for one credential: `{field}` becomes the host and port of the `https` URL in that field, and `None`
    /// where there is no such URL. Any other pattern stays as it is.
    pub fn bound(&self, value: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let Names::OfField { below, field } = &self.names else { return Some(self.clone()) };
        let url: Url = value(field)?.parse().ok()?;
        if url.scheme() != "https" {
            return None;
        }
        let mut bound = Self::of(&url)?;
        if let Names::Exact(Host::Domain(name)) = &mut bound.names {
            // The root's dot at the end is a spelling of the same name.
            if let Some(bare) = name.strip_suffix('.') {
                *name = bare.to_owned();
            }
            if let Some(label) = below {
                *name = format!("{label}.{name}");
            }
            return is_plain_name(name).then_some(bound);
        }
        below.is_none().then_some(bound)
    }

    /// The pattern that covers exactly the host and port of a URL.
    pub(super) fn of(url: &Url) -> Option<Self> {
        Some(Self { names: Names::Exact(url.host()?.to_owned()), port: url.port_or_known_default()? })
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHostPattern;

    fn from_str(text: &str) -> Result<Self, InvalidHostPattern> {
        parse(text).map_err(|reason| InvalidHostPattern { shown: text.chars().take(80).collect(), reason })
    }
}

fn parse(text: &str) -> Result<HostPattern, &'static str> {
    if let Some((label, field)) = text.split_once('{').and_then(|(label, rest)| Some((label, rest.strip_suffix('}')?)))
    {
        let is_name = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err("between `{` and `}` stands the name of a field");
        }
        let below = match label.strip_suffix('.') {
            None if label.is_empty() => None,
            Some(label) if is_plain_name(label) && !label.contains('.') => Some(label.to_owned()),
            _ => return Err("only one lower-case label and a dot may precede `{`"),
        };
        return Ok(HostPattern { names: Names::OfField { below, field: field.to_owned() }, port: HTTPS });
    }
    let (names, port) = split_port(text)?;
    let names = if names == "*" {
        Names::Any
    } else if let Some(suffix) = names.strip_prefix("*.") {
        match parse_host(suffix)? {
            Host::Domain(name) if !is_public_suffix_like(&name) => Names::OneLabelBelow(name),
            Host::Domain(_) => return Err("what follows `*.` is shared by many owners, so name more labels"),
            Host::Ipv4(_) | Host::Ipv6(_) => return Err("`*.` cannot stand before an address"),
        }
    } else {
        Names::Exact(parse_host(names)?)
    };
    Ok(HostPattern { names, port })
}

fn split_port(text: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = match text.rfind(']') {
        Some(end) => {
            let (host, rest) = text.split_at(end + 1);
            match rest.strip_prefix(':') {
                Some(port) => (host, port),
                None if rest.is_empty() => return Ok((host, HTTPS)),
                None => return Err("after `]` comes a port or nothing"),
            }
        }
        None => match text.split_once(':') {
            Some(parts) => parts,
            None => return Ok((text, HTTPS)),
        },
    };
    parse_port(port).map(|port| (host, port)).ok_or("the port must be a number from 1 to 65535 without leading zeros")
}

fn parse_host(text: &str) -> Result<Host<String>, &'static str> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().map(Host::Ipv6).map_err(|_| "there is no IPv6 address between the brackets");
    }
    // `Host::parse` decodes percent escapes first; a pattern has no use for them.
    if text.contains(['%', '*']) {
        return Err("`*` may only be the whole first label, and `%` does not occur in a host");
    }
    match Host::parse(text).map_err(|_| "it is neither a name nor an address")? {
        Host::Ipv4(address) if address.to_string() != text => {
            Err("an IPv4 address is written as four decimal numbers without leading zeros")
        }
        Host::Domain(name) if !is_plain_name(&name) => {
            Err("a name has labels of 1 to 63 letters, digits, `-` or `_`, parted by dots, at most 253 in all")
        }
        host => Ok(host),
    }
}

/// Whether a name looks like one below which unrelated owners have theirs: a single label (`com`), or a country code
/// below which second-level registrations happen (`co.uk`, `com.au`).
///
/// A list of all such names would have to be kept up to date; these two rules catch common mistakes.
fn is_public_suffix_like(name: &str) -> bool {
    match name.rsplit_once('.') {
        None => true,
        Some((second, top)) => {
            top.len() == 2
                && matches!(
                    second,
                    "ac" | "co" | "com" | "edu" | "gob" | "gov" | "gv" | "ltd" | "ne" | "net" | "or" | "org"
                )
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.names {
            Names::Any => f.write_str("*")?,
            Names::OneLabelBelow(suffix) => write!(f, "*.{suffix}")?,
            Names::Exact(host) => host.fmt(f)?,
            Names::OfField { below: None, field } => write!(f, "{{{field}}}")?,
            Names::OfField { below: Some(label), field } => write!(f, "{label}.{{{field}}}")?,
        }
        if self.port == HTTPS { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = InvalidHostPattern;
    fn try_from(text: String) -> Result<Self, InvalidHostPattern> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> String {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests;
