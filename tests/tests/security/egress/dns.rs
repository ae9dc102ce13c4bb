//! Group 15: for every DNS response, or none, each dialled address was checked, and all addresses of the response were
//! checked. Here 127.0.0.1 represents a public address.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyferry_egress::{
    AppClient, Body, Call, Egress, EgressLimits, EgressSettings, ErrorKind, GrantSet, Loopback, Method, Request,
    Response, SendError,
};
use keyferry_mock_providers::{MockProviders, Received, Reply};
use keyferry_tests::dns::{Answer, DnsServer, Question, ResponseCode, Transport, alias};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The timeout of connecting, including the lookup: so long that a busy machine has answered all that is answered.
const CONNECT_TIME: Duration = Duration::from_secs(4);

/// A site for all of `*.example.com`, and a client that trusts it and uses one DNS server.
struct Bench {
    providers: MockProviders,
    client: AppClient,
    port: u16,
    _folder: TempDir,
}

impl Bench {
    async fn start(dns: &DnsServer, loopback: Loopback) -> Self {
        let mut providers = MockProviders::start().await.unwrap();
        let reply = |request: Received| match request.path() {
            "/close" => Reply::text(200, "closed").with_header("connection", "close"),
            _ => Reply::text(200, "reached"),
        };
        let port = providers.add("*.example.com", reply).await.unwrap().port();
        let folder = TempDir::new().unwrap();
        let ca = folder.path().join("ca.pem");
        providers.write_ca_pem(&ca).unwrap();
        let settings = EgressSettings {
            ca_file: Some(ca),
            dns: vec![dns.address().to_string().parse().unwrap()],
            loopback,
            limits: EgressLimits { connect_time: CONNECT_TIME, ..EgressLimits::default() },
            ..EgressSettings::default()
        };
        let client = AppClient::new(&Egress::new(settings).unwrap()).unwrap();
        Self { providers, client, port, _folder: folder }
    }

    async fn ask(&self, host: &str) -> Result<Response, SendError> {
        self.ask_path(host, "").await
    }

    async fn ask_path(&self, host: &str, path: &str) -> Result<Response, SendError> {
        ask(&self.client, self.port, host, path).await
    }
}

async fn ask(client: &AppClient, port: u16, host: &str, path: &str) -> Result<Response, SendError> {
    let grants: GrantSet = [format!("GET https://*.example.com:{port}")].iter().map(|g| g.parse().unwrap()).collect();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let mut call = Call::new(Arc::new(grants), deadline, &EgressLimits::default());
    let request = Request {
        method: Method::Get,
        origin: format!("https://{host}.example.com:{port}"),
        path: vec![vec![keyferry_egress::Part::Text(path.to_owned())]],
        query: Vec::new(),
        headers: Vec::new(),
        auth: None,
        body: Body::Empty,
        mint: Vec::new(),
    };
    client.send(&mut call, request).await
}

/// The result of a name's lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The site was reached.
    Reached,
    /// The name does not exist.
    Missing,
    /// All servers failed.
    Failed,
    /// No response in time.
    TimedOut,
}

use Outcome::{Failed, Missing, Reached, TimedOut};

fn outcome(result: &Result<Response, SendError>, host: &str) -> Outcome {
    match result {
        Ok(_) => Reached,
        Err(error) => {
            assert!(!error.sent, "{error:?}");
            let host = format!("{host}.example.com");
            match &error.kind {
                ErrorKind::Dns if error.message == format!("getaddrinfo ENOTFOUND {host}") => Missing,
                ErrorKind::Dns if error.message == format!("getaddrinfo EAI_AGAIN {host}") => Failed,
                ErrorKind::Timeout if error.message.starts_with(&format!("no answer to the lookup of {host}")) => {
                    TimedOut
                }
                _ => panic!("{host}: {error:?}"),
            }
        }
    }
}

/// The answer for a name.
type Says = fn(&Question) -> Answer;

/// Every kind of answer that a server can send.
const CASES: &[(&str, Says, Outcome)] = &[
    ("public", |q| q.addresses(&["127.0.0.1"]), Reached),
    ("two-public", |q| q.addresses(&["127.0.0.1", "127.0.0.2"]), Reached),
    ("private", |q| q.addresses(&["10.0.0.1"]), Missing),
    ("public-then-private", |q| q.addresses(&["127.0.0.1", "10.0.0.1"]), Missing),
    ("private-then-public", |q| q.addresses(&["192.168.0.1", "127.0.0.1"]), Missing),
    (
        "one-of-sixty",
        |q| {
            let mut addresses: Vec<String> = (1..60).map(|n| format!("127.0.0.{n}")).collect();
            addresses.push("172.16.0.1".to_owned());
            tcp_only(q, q.addresses(&addresses.iter().map(String::as_str).collect::<Vec<_>>()))
        },
        Missing,
    ),
    ("public-and-private-v6", |q| q.addresses(&["127.0.0.1", "fd00::1"]), Missing),
    ("public-and-mapped", |q| q.addresses(&["127.0.0.1", "::ffff:127.0.0.1"]), Missing),
    ("public-and-nat64", |q| q.addresses(&["127.0.0.1", "64:ff9b::7f00:1"]), Missing),
    ("public-and-6to4", |q| q.addresses(&["127.0.0.1", "2002:7f00:1::"]), Missing),
    ("private-and-public-v6", |q| q.addresses(&["10.0.0.1", "::1"]), Missing),
    ("nothing", |q| q.addresses(&["0.0.0.0"]), Missing),
    ("nothing-v6", |q| q.addresses(&["::"]), Missing),
    ("broadcast", |q| q.addresses(&["255.255.255.255"]), Missing),
    ("metadata", |q| q.addresses(&["169.254.169.254"]), Missing),
    ("metadata-v6", |q| q.addresses(&["fd00:ec2::254"]), Missing),
    ("metadata-alibaba", |q| q.addresses(&["100.100.100.200"]), Missing),
    ("metadata-azure", |q| q.addresses(&["168.63.129.16"]), Missing),
    ("alias-to-public", |q| with_alias(q, "inside.example.net", &["127.0.0.1"]), Reached),
    ("alias-to-private", |q| with_alias(q, "inside.example.net", &["10.0.0.1"]), Missing),
    ("alias-alone-to-private", |q| Answer::Records(vec![alias(&q.name, "private.example.com")]), Missing),
    ("alias-alone-to-nothing", |q| Answer::Records(vec![alias(&q.name, "no-such.example.com")]), Missing),
    ("alias-to-itself", |q| Answer::Records(vec![alias(&q.name, &q.name)]), Missing),
    ("alias-in-a-ring", |q| Answer::Records(vec![alias(&q.name, "alias-in-a-ring-too.example.com")]), Missing),
    ("alias-in-a-ring-too", |q| Answer::Records(vec![alias(&q.name, "alias-in-a-ring.example.com")]), Missing),
    ("hop3", hop, Reached),
    ("hop40", hop, Missing),
    ("of-somebody-else", |q| Answer::Records(q.records("elsewhere.example.net", &["127.0.0.1"])), Missing),
    ("empty", |_| Answer::Records(Vec::new()), Missing),
    ("none", |_| Answer::Code(ResponseCode::NXDomain), Missing),
    ("broken", |_| Answer::Code(ResponseCode::ServFail), Failed),
    ("unwilling", |_| Answer::Code(ResponseCode::Refused), Failed),
    ("confused", |_| Answer::Code(ResponseCode::FormErr), Failed),
    ("silent", |_| Answer::Silence, TimedOut),
    ("late", |q| Answer::Late(Duration::from_millis(200), Box::new(q.addresses(&["127.0.0.1"]))), Reached),
    ("late-and-private", |q| Answer::Late(Duration::from_millis(200), Box::new(q.addresses(&["10.0.0.1"]))), Missing),
    ("too-late", |q| Answer::Late(Duration::from_secs(5), Box::new(q.addresses(&["127.0.0.1"]))), TimedOut),
    ("cut", |q| tcp_only(q, q.addresses(&["127.0.0.1"])), Reached),
    ("cut-and-private", |q| tcp_only(q, q.addresses(&["10.0.0.1"])), Missing),
    ("cut-always", |_| Answer::Truncated, Failed),
    (
        "huge",
        |q| {
            let addresses: Vec<String> = (0..3000).map(|n| format!("127.1.{}.{}", n / 250, n % 250 + 1)).collect();
            tcp_only(q, q.addresses(&addresses.iter().map(String::as_str).collect::<Vec<_>>()))
        },
        Failed,
    ),
    ("wrong-id", |q| Answer::WrongId(q.records(&q.name, &["127.0.0.1"])), TimedOut),
    ("wrong-question", |q| Answer::WrongQuestion(q.records(&q.name, &["127.0.0.1"])), TimedOut),
    ("no-dns", |_| Answer::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), TimedOut),
    ("half-silent", |q| if is_v4(q) { q.addresses(&["127.0.0.1"]) } else { Answer::Silence }, Reached),
    (
        "half-broken",
        |q| if is_v4(q) { q.addresses(&["127.0.0.1"]) } else { Answer::Code(ResponseCode::ServFail) },
        Reached,
    ),
    ("half-private", |q| if is_v4(q) { Answer::Silence } else { q.addresses(&["fe80::1"]) }, Missing),
];

fn is_v4(question: &Question) -> bool {
    question.kind == keyferry_tests::dns::RecordType::A
}

/// An answer that does not fit into a datagram.
fn tcp_only(question: &Question, answer: Answer) -> Answer {
    if question.transport == Transport::Udp { Answer::Truncated } else { answer }
}

fn with_alias(question: &Question, target: &str, addresses: &[&str]) -> Answer {
    let mut records = vec![alias(&question.name, target)];
    records.extend(question.records(target, addresses));
    Answer::Records(records)
}

/// `hop3` is an alias of `hop2`, and so on down to a public address.
fn hop(question: &Question) -> Answer {
    let label = question.name.split('.').next().unwrap_or_default();
    match label.trim_start_matches("hop").parse() {
        Ok(0_u32) => question.addresses(&["127.0.0.1"]),
        Ok(left) => Answer::Records(vec![alias(&question.name, &format!("hop{}.example.com", left - 1))]),
        Err(_) => Answer::Code(ResponseCode::NXDomain),
    }
}

fn answer(question: &Question) -> Answer {
    let label = question.name.split('.').next().unwrap_or_default();
    match CASES.iter().find(|(name, ..)| *name == label) {
        Some((_, says, _)) => says(question),
        None if label.starts_with("hop") => hop(question),
        None => Answer::Code(ResponseCode::NXDomain),
    }
}

#[tokio::test]
async fn whatever_a_server_answers_leads_to_what_is_public_or_nowhere() {
    let dns = DnsServer::start(answer).await;
    let bench = Bench::start(&dns, Loopback::AllowedForDevelopment).await;
    // Concurrently, because the silent ones take long.
    let mut asking = JoinSet::new();
    for (host, _, expected) in CASES {
        let (client, port) = (bench.client.clone(), bench.port);
        asking.spawn(async move {
            let began = Instant::now();
            let result = ask(&client, port, host, "").await;
            (*host, *expected, outcome(&result, host), began.elapsed())
        });
    }
    let results = asking.join_all().await;
    let wrong: Vec<_> = results.iter().filter(|(_, expected, found, _)| expected != found).collect();
    assert!(wrong.is_empty(), "host, expected, found: {wrong:?}");
    // With a margin for a busy machine.
    assert!(results.iter().all(|(.., time)| *time < CONNECT_TIME + Duration::from_secs(2)), "{results:?}");
    let reached = CASES.iter().filter(|(.., expected)| *expected == Reached).count();
    assert_eq!(bench.providers.received_total(), reached as u64);
    let foreign = |name: &String| !name.ends_with(".example.com") && !name.ends_with(".example.net");
    assert!(!dns.names().iter().any(foreign), "no search domain: {:?}", dns.names());
}

#[tokio::test]
async fn nothing_is_public_by_being_called_localhost() {
    let dns = DnsServer::start(|question| Answer::Records(vec![alias(&question.name, "localhost")])).await;
    let bench = Bench::start(&dns, Loopback::Refused).await;
    assert_eq!(outcome(&bench.ask("alias").await, "alias"), Missing);
}

#[tokio::test]
async fn an_address_is_kept_as_long_as_its_connection_and_no_longer() {
    let dns = DnsServer::start(|question| match question.before {
        0 => question.addresses(&["127.0.0.1"]),
        _ => question.addresses(&["10.0.0.1"]),
    })
    .await;
    let bench = Bench::start(&dns, Loopback::AllowedForDevelopment).await;
    for path in ["one", "two", "close"] {
        assert_eq!(outcome(&bench.ask_path("flips", path).await, "flips"), Reached, "{path}");
    }
    let connections: Vec<u64> = bench.providers.received().iter().map(|request| request.connection).collect();
    assert!(connections.iter().all(|connection| *connection == connections[0]), "one connection: {connections:?}");
    let questions = dns.asked().len();
    // The connection is closed, and the DNS server now returns another address.
    assert_eq!(outcome(&bench.ask("flips").await, "flips"), Missing);
    assert!(dns.asked().len() > questions, "it was asked again");
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_up_nobody_else() {
    let dns = DnsServer::start(|question| match question.name.starts_with("good") {
        true => question.addresses(&["127.0.0.1"]),
        false => Answer::Silence,
    })
    .await;
    let bench = Bench::start(&dns, Loopback::AllowedForDevelopment).await;
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let mut waiting = JoinSet::new();
    for n in 0..200 {
        let (client, port) = (bench.client.clone(), bench.port);
        waiting.spawn(async move { ask(&client, port, &format!("silent{n}"), "").await.is_err() });
    }
    let began = Instant::now();
    while dns.names().len() < 200 && began.elapsed() < CONNECT_TIME {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // None of them holds a thread. The margin is for threads of parallel tests.
    assert_eq!(outcome(&bench.ask("good").await, "good"), Reached);
    assert!(threads() < before + 100, "{before} threads, then {}", threads());
    assert!(waiting.join_all().await.into_iter().all(|failed| failed));
}
