//! The result for a component that sends a request to an internal address: by the address, by a name that resolves to
//! it, by a name that also resolves to a public one, by a redirect.

use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::dns::{Answer, DnsServer, Question, ResponseCode, alias};
use tokio::net::TcpListener;

use super::probe::Probe;

/// Internal addresses, and the URLs of requests to them.
const LITERALS: &[(&str, &str, &str)] = &[
    // The granted origin, the requested URL, the error.
    ("https://127.0.0.1", "https://127.0.0.1/", "Denied"),
    ("https://[::1]", "https://[::1]/", "Denied"),
    ("https://0.0.0.0", "https://0.0.0.0/", "Denied"),
    ("https://10.0.0.1", "https://10.0.0.1/", "Denied"),
    ("https://172.31.255.255", "https://172.31.255.255/", "Denied"),
    ("https://192.168.0.1", "https://192.168.0.1/", "Denied"),
    ("https://100.64.0.1", "https://100.64.0.1/", "Denied"),
    ("https://169.254.169.254", "https://169.254.169.254/latest/meta-data/", "Denied"),
    ("https://100.100.100.200", "https://100.100.100.200/", "Denied"),
    ("https://168.63.129.16", "https://168.63.129.16/", "Denied"),
    ("https://[fd00:ec2::254]", "https://[fd00:ec2::254]/", "Denied"),
    ("https://[64:ff9b::7f00:1]", "https://[64:ff9b::7f00:1]/", "Denied"),
    ("https://[2002:7f00:1::]", "https://[2002:7f00:1::]/", "Denied"),
    ("https://localhost", "https://localhost/", "Denied"),
    ("https://db.prod.internal", "https://db.prod.internal/", "Denied"),
    ("https://intranet", "https://intranet/", "Denied"),
    // A grant normalises odd spellings of an address; a request has to use the normal one.
    ("https://0x7f.1", "https://0x7f.1/", "InvalidRequest"),
    ("https://2130706433", "https://2130706433/", "InvalidRequest"),
    ("https://0177.0.0.1", "https://0177.0.0.1/", "InvalidRequest"),
    ("https://127.0.0.1", "https://127.1/", "InvalidRequest"),
    ("https://127.0.0.1", "https://127.0.0.1./", "InvalidRequest"),
    ("https://127.0.0.1", "https://①②⑦.0.0.1/", "InvalidRequest"),
    ("https://127.0.0.1", "https://%31%32%37.0.0.1/", "InvalidRequest"),
    ("https://[::ffff:127.0.0.1]", "https://[::ffff:127.0.0.1]/", "InvalidRequest"),
    ("https://127.0.0.1", "https://public.example.com@127.0.0.1/", "InvalidRequest"),
    ("https://127.0.0.1", "https://127.0.0.1#@public.example.com/", "Denied"),
    ("https://127.0.0.1", "https://public.example.com\\@127.0.0.1/", "InvalidRequest"),
    ("https://127.0.0.1", "http://127.0.0.1/", "InvalidRequest"),
    ("https://public.example.com", "https://evil.example.com/", "Denied"),
    ("https://public.example.com", "https://public.example.com:8443/", "Denied"),
    ("https://public.example.com", "https://public.example.com.evil.com/", "Denied"),
    ("https://public.example.com", "https://public\u{ad}.example.com/", "InvalidRequest"),
    ("https://public.example.com", "file:///etc/passwd", "InvalidRequest"),
];

#[tokio::test]
async fn a_component_that_asks_for_an_inner_address_is_refused_before_any_lookup() {
    let dns = DnsServer::start(|_| Answer::Code(ResponseCode::NXDomain)).await;
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let providers = MockProviders::start().await.unwrap();
    // As in production: loopback is not allowed.
    let probe = Probe::start(providers, &dns, |options| options.egress_ca = None).await;
    for (origin, ask, told) in LITERALS {
        let detail = probe.ask(origin, ask).await;
        let by_plugin = detail.contains(told) && detail.contains("sent false");
        // The host rejects an origin that the caller's own fields spell so, and names these fields.
        let by_host = *told == "InvalidRequest" && detail.starts_with('`') && detail.contains("` cannot be used: ");
        assert!(by_plugin || by_host, "{ask} under {origin}: {detail}");
    }
    let trapped = format!("https://{}", trap.local_addr().unwrap());
    assert!(probe.ask(&trapped, &trapped).await.contains("Denied"));
    // Nor the server's own listener.
    let own = format!("https://{}", probe.world.server.address());
    assert!(probe.ask(&own, &own).await.contains("Denied"));
    assert_eq!(dns.names(), Vec::<String>::new(), "nothing of this is worth a lookup");
    let accepted = tokio::time::timeout(std::time::Duration::from_millis(100), trap.accept()).await;
    assert!(accepted.is_err(), "the component connected");
}

fn answer(question: &Question) -> Answer {
    let own = |addresses: &[&str]| question.addresses(addresses);
    match question.name.split('.').next().unwrap_or_default() {
        "public" => own(&["127.0.0.1"]),
        "private" => own(&["10.0.0.1"]),
        "metadata" => own(&["169.254.169.254", "fd00:ec2::254"]),
        "azure" => own(&["168.63.129.16"]),
        "second" => own(&["127.0.0.1", "10.0.0.1"]),
        "first" => own(&["10.0.0.1", "127.0.0.1"]),
        "dual" => own(&["127.0.0.1", "fd00::1"]),
        "alias" => {
            let mut records = vec![alias(&question.name, "inside.example.net")];
            records.extend(question.records("inside.example.net", &["10.0.0.1"]));
            Answer::Records(records)
        }
        // The first lookup returns a public address, all others an internal one.
        "rebound" if question.before == 0 => own(&["127.0.0.1"]),
        "rebound" => own(&["10.0.0.1"]),
        "broken" => Answer::Code(ResponseCode::ServFail),
        _ => Answer::Code(ResponseCode::NXDomain),
    }
}

/// Redirects to the URL in the path. Each connection serves one request, so that each request looks its host up.
fn reply(request: Received) -> Reply {
    let reply = match request.path().split_once("/to/") {
        Some((status, host)) => {
            let status = status.trim_start_matches('/').parse().unwrap_or(302);
            let (scheme, host) = host.split_once('/').unwrap_or(("https", host));
            Reply::status(status).with_header("location", &format!("{scheme}://{host}"))
        }
        None => Reply::text(200, "the provider's answer"),
    };
    reply.with_header("connection", "close")
}

#[tokio::test]
async fn a_name_that_leads_inside_is_to_a_component_as_if_it_were_not_there() {
    let dns = DnsServer::start(answer).await;
    let mut providers = MockProviders::start().await.unwrap();
    let port = providers.add("*.example.com", reply).await.unwrap().port();
    let probe = Probe::start(providers, &dns, |_| {}).await;
    let ask = async |host: &str| {
        let url = format!("https://{host}.example.com:{port}");
        probe.ask(&url, &url).await.replace(host, "HOST")
    };
    assert!(ask("public").await.contains("the provider's answer"));
    let missing = ask("missing").await;
    assert!(missing.contains("getaddrinfo ENOTFOUND HOST.example.com"), "{missing}");
    for host in ["private", "metadata", "azure", "second", "first", "dual", "alias"] {
        assert_eq!(ask(host).await, missing, "{host} reads like one that does not exist");
    }
    assert!(ask("broken").await.contains("getaddrinfo EAI_AGAIN HOST.example.com"));
    assert!(ask("rebound").await.contains("the provider's answer"));
    assert_eq!(ask("rebound").await, missing, "the second lookup leads inside");
    let served = probe.world.providers.received_total();
    assert_eq!(served, 2);
    // The log has details for the operator that callers do not get.
    let logs = probe.world.server.logs();
    assert!(logs.contains("10.0.0.1") && logs.contains("a name leads to an address that is never dialled"), "{logs}");
    // Names are looked up unchanged: no search domain, no capitals, no additional dot.
    let is_asked = |name: &String| name.ends_with(".example.com") || name == "inside.example.net";
    assert!(dns.names().iter().all(is_asked), "{:?}", dns.names());
}

#[tokio::test]
async fn a_component_that_follows_redirects_is_checked_at_each() {
    let dns = DnsServer::start(answer).await;
    let mut providers = MockProviders::start().await.unwrap();
    let port = providers.add("*.example.com", reply).await.unwrap().port();
    let probe = Probe::start(providers, &dns, |_| {}).await;
    let origin = format!("https://public.example.com:{port}");
    for status in [301, 302, 303, 307, 308] {
        for (to, told) in [
            ("10.0.0.1".to_owned(), "Denied"),
            ("169.254.169.254".to_owned(), "Denied"),
            (format!("private.example.com:{port}"), "Denied"),
            ("http/169.254.169.254".to_owned(), "InvalidRequest"),
            (format!("http/public.example.com:{port}"), "InvalidRequest"),
        ] {
            let detail = probe.ask_again(&origin, &format!("{origin}/{status}/to/{to}"), 2).await;
            let (first, second) = detail.split_once(" | ").unwrap_or_else(|| panic!("{status} to {to}: {detail}"));
            assert!(first.contains(&format!("status {status}")), "{detail}");
            assert!(second.contains(told) && second.contains("sent false"), "{status} to {to}: {detail}");
        }
    }
    let went = probe.ask_again(&origin, &format!("{origin}/302/to/public.example.com:{port}"), 2).await;
    assert!(went.contains("the provider's answer"), "{went}");
    // To the granted host itself, which then resolves to another address.
    let origin = format!("https://rebound.example.com:{port}");
    let went = probe.ask_again(&origin, &format!("{origin}/307/to/rebound.example.com:{port}"), 2).await;
    assert!(went.contains("status 307") && went.contains("getaddrinfo ENOTFOUND rebound.example.com"), "{went}");
}
