//! Names and ports of hosts: the one spelling that is accepted, and the names that never leave a machine or a network.

/// Whether a name in ASCII form is one that resolvers take, lower-case and without a dot at the end.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    name.len() <= 253
        && name
            .split('.')
            .all(|label| matches!(label.len(), 1..=63) && label.bytes().all(plain) && !label.starts_with('-'))
}

/// A port in the one spelling that it has.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    (port != 0 && port.to_string() == text).then_some(port)
}

/// `localhost` and the names below it never leave the machine (RFC 6761).
pub(super) fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// Names that only have a meaning inside a network: a single label, and the names set aside for that (RFC 6762, RFC 8375,
/// ICANN's `.internal`). Split-horizon servers give them public addresses too.
pub(super) fn is_internal_name(host: &str) -> bool {
    match host.rsplit_once('.') {
        None => true,
        Some((rest, top)) => matches!(top, "internal" | "local" | "onion") || top == "arpa" && rest.ends_with("home"),
    }
}
