//! The hosts that a pattern covers, and invalid patterns.

use super::*;

#[test]
fn patterns_are_kept_in_one_spelling() {
    for (text, kept) in [
        ("api.example.com", "api.example.com"),
        ("API.Example.COM", "api.example.com"),
        ("api.example.com:443", "api.example.com"),
        ("api.example.com:8443", "api.example.com:8443"),
        ("*.example.com", "*.example.com"),
        ("*.example.com:8443", "*.example.com:8443"),
        ("*.suitetalk.api.netsuite.com", "*.suitetalk.api.netsuite.com"),
        ("*", "*"),
        ("{base_url}", "{base_url}"),
        ("api.{base_url}", "api.{base_url}"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1:8080"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("[::1]:8443", "[::1]:8443"),
        ("localhost:8443", "localhost:8443"),
    ] {
        let pattern: HostPattern = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(pattern.to_string(), kept);
        assert_eq!(kept.parse::<HostPattern>().unwrap(), pattern);
        let json = serde_json::to_string(&pattern).unwrap();
        assert_eq!(serde_json::from_str::<HostPattern>(&json).unwrap(), pattern);
    }
}

#[test]
fn refuses_what_is_no_pattern_or_covers_the_hosts_of_strangers() {
    for text in [
        "",
        ".",
        "..",
        "*.",
        "{}",
        "{a b}",
        "{base_url}:8443",
        "{base_url}.example.com",
        "api{base_url}",
        ".{base_url}",
        "*.{base_url}",
        "*{base_url}",
        "a.b.{base_url}",
        "API.{base_url}",
        "https://{base_url}",
        "api.{}",
        "api.{base_url",
        "api.{base_url}:8443",
        "api.{{base_url}}",
        "*.com",
        "*.co.uk",
        "*.com.au",
        "**.example.com",
        "*.*.example.com",
        "a.*.example.com",
        "a*.example.com",
        "*example.com",
        "*.192.0.2.1",
        "*.[::1]",
        "example.com.",
        "example..com",
        ".example.com",
        "-a.example.com",
        "exa mple.com",
        "example.com/",
        "example.com/v1",
        "https://example.com",
        "user@example.com",
        "example.com:",
        "example.com:0",
        "example.com:0443",
        "example.com:+443",
        "example.com:65536",
        "example.com:x",
        "0177.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "%31.example.com",
        "1%2e2.3.4",
        "[::1",
        "::1",
        "[::1]x",
        "[::ffff:1.2.3]",
        "[example.com]",
        "a?b",
        "a#b",
        "a\\b",
        "１２７.0.0.1",
    ] {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
    assert!("a".repeat(64).parse::<HostPattern>().is_err());
    assert!([&*"a".repeat(63); 4].join(".").parse::<HostPattern>().is_err());
}

#[test]
fn the_host_of_a_field_is_that_of_the_credentials_url_and_no_other() {
    let pattern: HostPattern = "{base_url}".parse().unwrap();
    let url = |text: &str| text.parse::<Url>().unwrap();
    assert!(!pattern.covers(&url("https://git.acme.example/")), "nothing is covered before it is bound");
    let bound = |value: &str| pattern.bound(|field| (field == "base_url").then(|| value.to_owned()));
    assert_eq!(bound("https://Git.Acme.example/x").unwrap().to_string(), "git.acme.example");
    let with_port = bound("https://git.acme.example:8443").unwrap();
    assert!(with_port.covers(&url("https://git.acme.example:8443/api")));
    assert!(!with_port.covers(&url("https://git.acme.example/api")));
    assert_eq!(bound("https://git.acme.example.").unwrap().to_string(), "git.acme.example");
    for nothing in ["", "git.acme.example", "http://git.acme.example", "https://", "file:///etc"] {
        assert_eq!(bound(nothing), None, "{nothing}");
    }
    let below: HostPattern = "api.{base_url}".parse().unwrap();
    assert!(below.field() == Some("base_url") && !below.is_one_called("base_url"));
    assert!(!below.covers(&url("https://api.git.acme.example/")), "nothing is covered before it is bound");
    let bound = |value: &str| below.bound(|field| (field == "base_url").then(|| value.to_owned()));
    let api = bound("https://Acme.ghe.com:8443/x").unwrap();
    assert_eq!(api.to_string(), "api.acme.ghe.com:8443");
    for other in ["https://acme.ghe.com:8443", "https://api.acme.ghe.com", "https://x.api.acme.ghe.com:8443"] {
        assert!(!api.covers(&url(other)), "{other}");
    }
    assert_eq!(bound("https://acme.ghe.com.").unwrap().to_string(), "api.acme.ghe.com");
    let long = format!("https://{}", [&*"a".repeat(62); 4].join("."));
    for nothing in ["https://192.0.2.1", "https://[2001:db8::1]", "http://acme.ghe.com", &long] {
        assert_eq!(bound(nothing), None, "{nothing}");
    }
    assert_eq!(pattern.bound(|_| None), None);
    let fixed: HostPattern = "*.example.com".parse().unwrap();
    assert_eq!(fixed.bound(|_| None), Some(fixed.clone()));
}

#[test]
fn covers_its_own_hosts_and_no_look_alike() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "api.example.com",
            &["https://api.example.com/", "https://API.example.com:443/x"],
            &[
                "https://example.com/",
                "https://api.example.com.evil.com/",
                "https://evilapi.example.com/",
                "https://api.example.com:8443/",
                "http://api.example.com/",
                "https://api.example.com./",
            ],
        ),
        (
            "*.example.com",
            &["https://a.example.com/"],
            &[
                "https://example.com/",
                "https://.example.com/",
                "https://a.b.example.com/",
                "https://aexample.com/",
                "https://a.example.com.evil.com/",
                "https://a.example.com:444/",
                "https://1.2.3.4/",
            ],
        ),
        ("*", &["https://a.example.com/", "https://1.2.3.4/", "https://[::1]/"], &["https://a.example.com:8443/"]),
        ("127.0.0.1:8080", &["http://127.0.0.1:8080/", "https://127.0.0.1:8080/"], &["https://127.0.0.1/"]),
        ("[::1]:8080", &["https://[::1]:8080/"], &["https://[::2]:8080/", "https://127.0.0.1:8080/"]),
    ];
    for (pattern, covered, not_covered) in cases {
        let pattern: HostPattern = pattern.parse().unwrap();
        for url in *covered {
            assert!(pattern.covers(&url.parse().unwrap()), "{pattern} {url}");
        }
        for url in *not_covered {
            // Some of them are not URLs, which is also correct.
            assert!(!url.parse().is_ok_and(|url| pattern.covers(&url)), "{pattern} {url}");
        }
    }
}
