//! Where a plugin may send something: an origin and a path against grants.

use std::net::IpAddr;

use keyferry_egress::{Grant, GrantSet, HostPattern, Method, check_address, requested_url};

/// What is always granted here; [`is_granted`] says the same in other words.
const GRANTED: [&str; 2] = ["GET https://api.example.com/v1", "GET https://*.example.org:8443"];

/// A grant is read as it is written, an origin leads where it seems to, and nothing is allowed that is not granted.
///
/// The first line is an origin, the second the segments of a path, parted by spaces; the others are grants.
pub fn egress(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let (origin, path) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let grants: GrantSet = lines.filter_map(|line| line.parse().ok()).collect();
    for grant in grants.iter() {
        let again: Grant = grant.to_string().parse().expect("a grant is read as it is written");
        assert_eq!(again, *grant);
    }
    if let Ok(pattern) = origin.parse::<HostPattern>() {
        assert_eq!(pattern.to_string().parse::<HostPattern>().as_ref(), Ok(&pattern));
    }
    let segments: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split(' ').collect() };
    let Ok((url, address)) = requested_url(origin, &segments) else { return };

    // What is dialled is what was written.
    assert_eq!(url.scheme(), "https");
    let host = url.host_str().expect("a URL of an origin has a host");
    let written = origin.split_once("://").expect("an origin has a scheme").1.to_ascii_lowercase();
    assert!(
        written == host || written.strip_prefix(host).is_some_and(|port| port.starts_with(':')),
        "{origin} -> {url}"
    );
    assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none());
    assert_eq!(url.path().split('/').skip(1).count(), segments.len().max(1), "{path} -> {url}");
    assert!(!url.path().split('/').any(|segment| segment == "." || segment == ".."), "{url}");
    assert_eq!(address, host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok());
    if let Some(address) = address.filter(|address| check_address(*address).is_ok()) {
        assert!(is_public(address), "{address} may be dialled");
    }

    // What is allowed is granted, and what is not is denied with the very line that would allow it.
    let ours: GrantSet = GRANTED.iter().map(|line| line.parse().expect("a grant")).collect();
    assert_eq!(ours.allows(Method::Get, &url).is_ok(), is_granted(url.as_str()), "{url}");
    assert!(ours.allows(Method::Post, &url).is_err());
    for method in Method::ALL {
        if let Err(denied) = grants.allows(method, &url) {
            let missing: Grant = denied.missing.parse().expect("what is missing is a grant");
            assert!(missing.covers(method, &url), "{missing} does not cover {url}");
        }
    }
}

/// Whether [`GRANTED`] covers a URL, judged by its text alone.
fn is_granted(url: &str) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    if let Some(rest) = url.strip_prefix("https://api.example.com/v1") {
        return below(rest);
    }
    let Some((host, _)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else { return false };
    host.strip_suffix(".example.org:8443").is_some_and(|label| !label.is_empty() && !label.contains('.'))
}

/// A second opinion, of the standard library.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let inside = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified();
            !(inside || v4.is_multicast() || v4.is_broadcast() || v4.is_documentation())
        }
        IpAddr::V6(v6) => {
            let inside = v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified();
            !(inside || v6.is_multicast() || v6.to_ipv4().is_some())
        }
    }
}
