//! Groups 1 to 13: any spelling of an address, a name or a URL leads only to granted, public hosts; others
//! are not even looked up.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::site::*;
use crate::*;

/// Group, and origins without their scheme that stay refused with any grant.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "1 loopback and nothing",
        &[
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "127.255.255.254",
            "0",
            "0.0.0.0",
            "0.0.0.1",
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
        ],
    ),
    (
        "2 numbers in other bases",
        &[
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0177.0.0.1",
            "0300.0250.0.1",
            "0x7f.1",
            "0X7F.0.0.1",
            "0xA9FEA9FE",
            "169.254.43518",
            "0xa9.0376.0xa9fe",
            "256.0.0.1",
            "127.0.0.256",
            "127.0.0.0.1",
            "1.2.3.4.5",
            "4294967296",
            "08.0.0.1",
        ],
    ),
    (
        "3 private, shared and special networks",
        &[
            "10.0.0.0",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
        ],
    ),
    (
        "4 the services of clouds",
        &[
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "[fd00:ec2::254]",
            "[::ffff:169.254.169.254]",
            "metadata.google.internal",
            "metadata",
            "instance-data.ec2.internal",
        ],
    ),
    (
        "5 IPv6 in all its forms",
        &[
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[2001:0:53aa:64c:0:0:80ff:fffe]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[fe80::1%eth0]",
            "[fc00::]",
            "[fc00::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[100::1]",
            "[5f00::1]",
            "[::1",
            "::1",
        ],
    ),
    (
        "6 names of this machine and its network",
        &[
            "localhost",
            "LOCALHOST",
            "LocalHost",
            "localhost.",
            "foo.localhost",
            "ip6-localhost",
            "intranet",
            "a-machine",
            "nas.local",
            "NAS.LOCAL",
            "db.prod.internal",
            "router.home.arpa",
            "hidden.onion",
        ],
    ),
    (
        "7 dots",
        &[
            "127.0.0.1.",
            "api.example.com.",
            "..",
            ".",
            ".example.com",
            "a..b.com",
            "api.example.com..",
            "",
            "127.0.0..1",
        ],
    ),
    (
        "8 users, fragments, backslashes",
        &[
            "api.example.com@127.0.0.1",
            "api.example.com:443@127.0.0.1",
            "user:password@api.example.com",
            "@127.0.0.1",
            "127.0.0.1#@api.example.com",
            "127.0.0.1?@api.example.com",
            "127.0.0.1/@api.example.com",
            "api.example.com\\@127.0.0.1",
            "127.0.0.1\\.api.example.com",
            "\\127.0.0.1",
            "/127.0.0.1",
            "[api.example.com]",
        ],
    ),
    (
        "9 escapes",
        &[
            "%31%32%37.0.0.1",
            "127%2e0%2e0%2e1",
            "%2531%2532%2537.0.0.1",
            "api%2eexample.com",
            "api.example.com%00.evil.com",
            "api.example.com%0d%0aHost:%20evil.com",
            "api.example.com%2f@127.0.0.1",
            "127.0.0.1\t",
            "127.0.\n0.1",
            " 127.0.0.1",
            "127.0.0.1\0",
        ],
    ),
    (
        "10 other scripts",
        &[
            "１２７.０.０.１",
            "①②⑦.⓪.⓪.①",
            "127。0。0。1",
            "127．0．0．1",
            "ｌｏｃａｌｈｏｓｔ",
            "lo\u{ad}calhost",
            "local\u{200d}host",
            "api\u{ad}.example.com",
            "аpi.example.com",
            "xn--",
            "xn--a",
            "xn--zzzzzzzzzzzz",
            "exämple.com",
        ],
    ),
    (
        "12 invalid ports",
        &[
            "api.example.com:0",
            "api.example.com:",
            "api.example.com:0443",
            "api.example.com:99999",
            "api.example.com:+443",
            "api.example.com:-1",
            "api.example.com:443:443",
            "api.example.com:４４３",
            "api.example.com:https",
        ],
    ),
];

/// Complete origins of other schemes.
const OTHER_SCHEMES: &[&str] = &[
    "http://api.example.com",
    "http://127.0.0.1",
    "HTTP://api.example.com",
    "ftp://api.example.com",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "data:text/plain,x",
    "ws://api.example.com",
    "wss://api.example.com",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock",
    "javascript:alert(1)",
    "jar:https://api.example.com!/",
    "//api.example.com",
    "https:api.example.com",
    "https:/api.example.com",
    "https:///api.example.com",
    "https:\\\\api.example.com",
    "://api.example.com",
    "api.example.com",
    "",
];

/// A client with a grant for every host, and its DNS server.
fn unbounded() -> (AppClient, Arc<GrantSet>, UdpSocket) {
    let dns = UdpSocket::bind("127.0.0.1:0").unwrap();
    dns.set_nonblocking(true).unwrap();
    let server = dns.local_addr().unwrap().to_string().parse().unwrap();
    let settings = EgressSettings { dns: vec![server], ..EgressSettings::default() };
    let client = AppClient::new(&Egress::new(settings).unwrap()).unwrap();
    let grants: GrantSet = ["GET https://*/*"].iter().map(|line| line.parse().unwrap()).collect();
    (client, Arc::new(grants), dns)
}

async fn refused(client: &AppClient, grants: &Arc<GrantSet>, origin: &str, group: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut call = Call::new(Arc::clone(grants), deadline, &EgressLimits::default());
    let error = client.send(&mut call, get_from(origin)).await.unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Denied(_) | ErrorKind::InvalidRequest),
        "{group}: {origin:?} got as far as {error:?}"
    );
    assert!(!error.sent, "{group}: {origin:?}");
}

#[tokio::test]
async fn no_spelling_of_an_inner_place_is_let_through_or_looked_up() {
    let (client, grants, dns) = unbounded();
    for (group, hosts) in REFUSED {
        for host in *hosts {
            refused(&client, &grants, &format!("https://{host}"), group).await;
        }
    }
    for origin in OTHER_SCHEMES {
        refused(&client, &grants, origin, "13 schemes").await;
    }
    let long = [&*"a".repeat(63); 4].join(".");
    for host in [long, format!("{}.com", "a".repeat(64))] {
        refused(&client, &grants, &format!("https://{host}"), "7 too long").await;
    }
    let asked = dns.recv(&mut [0; 512]).unwrap_err();
    assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock, "nothing of this was asked of a DNS server");
}

#[tokio::test]
async fn a_host_that_looks_like_a_granted_one_is_not_granted() {
    let (client, _, dns) = unbounded();
    let lines = ["GET https://api.granted.com/*", "GET https://*.granted.org/*", "GET https://paypal.com/*"];
    let grants: GrantSet = lines.iter().map(|line| line.parse().unwrap()).collect();
    let grants = Arc::new(grants);
    for (group, origins) in [
        (
            "10 look-alikes",
            &[
                "https://xn--pypal-4ve.com",
                "https://pаypal.com",
                "https://paypa1.com",
                "https://xn--paypal.com",
                "https://pay-pal.com",
            ][..],
        ),
        (
            "11 suffixes and prefixes",
            &[
                "https://api.granted.com.evil.com",
                "https://evilapi.granted.com",
                "https://granted.com",
                "https://api.granted.com%2eevil.com",
                "https://api.granted.com\\.evil.com",
                "https://api-granted.com",
                "https://www.api.granted.com",
                "https://granted.org",
                "https://a.b.granted.org",
                "https://evilgranted.org",
                "https://a.granted.org.evil.com",
                "https://.granted.org",
                "https://a..granted.org",
                "https://*.granted.org",
            ],
        ),
        (
            "12 ports",
            &[
                "https://api.granted.com:80",
                "https://api.granted.com:22",
                "https://api.granted.com:25",
                "https://api.granted.com:444",
                "https://api.granted.com:6379",
                "https://api.granted.com:8443",
                "https://a.granted.org:65535",
            ],
        ),
    ] {
        for origin in origins {
            refused(&client, &grants, origin, group).await;
        }
    }
    assert!(dns.recv(&mut [0; 512]).is_err(), "nothing of this was asked of a DNS server");
}

#[tokio::test]
async fn what_is_spelled_in_capitals_or_with_the_port_of_its_scheme_is_the_same_host() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    for origin in ["HTTPS://API.Example.COM", "https://api.example.com:443", "hTTps://api.EXAMPLE.com:443"] {
        bench.send(get_from(origin)).await.unwrap_or_else(|error| panic!("{origin}: {error}"));
    }
    assert!(bench.site.seen().iter().all(|seen| seen.header("host") == Some("api.example.com")));
}
