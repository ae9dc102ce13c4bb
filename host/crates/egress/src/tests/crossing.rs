//! A second parser lies between the check and the connection: `http::Uri`, and in the client below it the standard
//! library's parser of addresses. For any text, all have to agree.

use std::net::IpAddr;

use proptest::prelude::*;
use url::{Host, Url};

use crate::address;
use crate::host_name::is_plain_name;
use crate::host_pattern::HostPattern;
use crate::origin::Origin;
use crate::settings::Loopback;

/// Texts that are nearly a host.
fn host() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<u8>().prop_map(|n| n.to_string()),
        any::<u32>().prop_map(|n| n.to_string()),
        any::<u32>().prop_map(|n| format!("0x{n:x}")),
        any::<u8>().prop_map(|n| format!("0{n:o}")),
    ];
    let label = prop_oneof![
        "[a-z0-9-]{1,8}",
        "[A-Za-z0-9_-]{0,4}",
        "xn--[a-z0-9]{0,6}",
        "\\PC{1,3}",
        "[０-９①-⑨。．a-c]{1,3}",
        "%[0-9a-f]{2}",
        Just("localhost".to_owned()),
        Just("\u{ad}".to_owned()),
    ];
    prop_oneof![
        4 => prop::collection::vec(label, 1..5).prop_map(|labels| labels.join(".")),
        4 => prop::collection::vec(number, 1..5).prop_map(|numbers| numbers.join(".")),
        2 => any::<u128>().prop_map(|bits| format!("[{}]", std::net::Ipv6Addr::from_bits(bits))),
        1 => any::<u32>().prop_map(|bits| format!("[::ffff:{}]", std::net::Ipv4Addr::from_bits(bits))),
        1 => "\\[[0-9a-f:.%]{0,12}\\]",
    ]
}

/// Texts that are nearly an origin.
fn origin() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![6 => Just("https"), 1 => Just("HTTPS"), 1 => Just("http"), 1 => Just("ws")];
    let slashes = prop_oneof![6 => Just("://"), 1 => Just(":/"), 1 => Just(":\\\\"), 1 => Just(":///")];
    let user = prop_oneof![6 => Just(""), 1 => Just("a@"), 1 => Just("a:b@"), 1 => Just("api.example.com\\@")];
    let end = prop_oneof![
        6 => Just(String::new()),
        2 => any::<u16>().prop_map(|port| format!(":{port}")),
        1 => "[:/?#\\\\@.\\t\\n %]{1,2}[a-z0-9]{0,3}",
    ];
    (scheme, slashes, user, host(), end)
        .prop_map(|(scheme, slashes, user, host, end)| format!("{scheme}{slashes}{user}{host}{end}"))
}

/// The address that the client below dials without the resolver.
fn literal(uri: &http::Uri) -> Option<IpAddr> {
    uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_dialled_is_what_was_checked(text in origin()) {
        for loopback in [Loopback::Refused, Loopback::AllowedForDevelopment] {
            let Ok(parsed) = Origin::parse(&text, loopback) else { continue };
            let url = parsed.url();
            // Every part of the URL is in the text.
            prop_assert!(text.to_ascii_lowercase().contains(parsed.host()), "{text}");
            prop_assert_eq!((url.username(), url.password(), url.query(), url.fragment()), ("", None, None, None));
            prop_assert_eq!(url.host_str(), Some(parsed.host()));
            // The grants use the same host and port, ...
            prop_assert!(HostPattern::of(url).unwrap().covers(url));
            // ... and so does the connection, which has its own parser.
            let uri: http::Uri = url.as_str().parse().unwrap();
            prop_assert_eq!(uri.host(), Some(parsed.host()));
            prop_assert_eq!(uri.port_u16().unwrap_or(if url.scheme() == "http" { 80 } else { 443 }), parsed.port());
            prop_assert_eq!(literal(&uri), parsed.address(), "{}", text);
            if parsed.address().is_none() {
                prop_assert!(is_plain_name(parsed.host()), "{text} would be looked up");
                // None of the parsers takes it for an address: the last label of an address is a number (WHATWG URL,
                // "ends in a number").
                let last = parsed.host().rsplit('.').next().unwrap();
                prop_assert!(!last.bytes().all(|byte| byte.is_ascii_digit()) && !last.starts_with("0x"), "{text}");
            }
        }
    }

    #[test]
    fn a_pattern_covers_only_what_it_says(pattern in "(\\*\\.)?[a-c]{1,2}(\\.[a-c]{1,2}){0,2}(:[1-9][0-9]{0,3})?", text in origin()) {
        let (Ok(pattern), Ok(url)) = (pattern.parse::<HostPattern>(), text.parse::<Url>()) else { return Ok(()) };
        if !pattern.covers(&url) { return Ok(()) }
        let shown = pattern.to_string();
        let (name, port) = shown.split_once(':').unwrap_or((&shown, "443"));
        prop_assert_eq!(url.port_or_known_default().map(|port| port.to_string()), Some(port.to_owned()));
        let Some(Host::Domain(host)) = url.host() else { return Err(TestCaseError::fail("an address")) };
        match name.strip_prefix("*.") {
            Some(suffix) => prop_assert_eq!(host.split_once('.').map(|(_, rest)| rest), Some(suffix)),
            None => prop_assert_eq!(host, name),
        }
    }

    #[test]
    fn a_pattern_survives_being_written_down(text in host()) {
        if let Ok(pattern) = text.parse::<HostPattern>() {
            prop_assert_eq!(pattern.to_string().parse::<HostPattern>(), Ok(pattern));
        }
    }

    #[test]
    fn no_address_that_is_let_through_is_one_of_the_networks_that_are_not_public(bits in any::<u32>()) {
        let v4 = std::net::Ipv4Addr::from_bits(bits);
        if address::check_address(v4.into()).is_ok() {
            prop_assert!(!(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()));
            prop_assert!(!(v4.is_documentation() || v4.is_multicast() || v4.is_unspecified()));
        }
    }
}
