//! A DNS server whose answers a test defines, over UDP and TCP.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{AbortHandle, JoinHandle};

pub use hickory_proto::op::ResponseCode;
pub use hickory_proto::rr::{Record, RecordType};

use crate::or_fail::{OrFail as _, fail};

/// Attempts to find a port that is free for both UDP and TCP.
const ATTEMPTS: usize = 50;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// In lower case, without the final dot.
    pub name: String,
    /// `A`, `AAAA` ...
    pub kind: RecordType,
    /// The transport of the question.
    pub transport: Transport,
    /// The number of earlier questions with this name and type.
    pub before: usize,
}

/// The transport of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// Over a connection.
    Tcp,
}

/// An answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These records, possibly an empty list.
    Records(Vec<Record>),
    /// No records, and this code.
    Code(ResponseCode),
    /// No answer.
    Silence,
    /// The same answer, after this delay.
    Late(Duration, Box<Answer>),
    /// No records, and the flag (TC) that the answer is truncated and complete over TCP.
    Truncated,
    /// These records, under an identifier that no question had.
    WrongId(Vec<Record>),
    /// These records, as the answer to a different question.
    WrongQuestion(Vec<Record>),
    /// Bytes that are not DNS.
    Bytes(Vec<u8>),
}

impl Question {
    /// The addresses of the requested type under the requested name, with a TTL of 0.
    pub fn addresses(&self, addresses: &[&str]) -> Answer {
        Answer::Records(self.records(&self.name, addresses))
    }

    /// The records behind [`addresses`](Self::addresses), under another name.
    pub fn records(&self, owner: &str, addresses: &[&str]) -> Vec<Record> {
        let data = addresses.iter().map(|text| match text.parse().or_fail(text) {
            IpAddr::V4(v4) => RData::A(A(v4)),
            IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
        });
        data.filter(|data| data.record_type() == self.kind).map(|data| record(owner, data)).collect()
    }
}

/// A CNAME record: `owner` is an alias of `target`.
pub fn alias(owner: &str, target: &str) -> Record {
    record(owner, RData::CNAME(CNAME(name(target))))
}

fn record(owner: &str, data: RData) -> Record {
    Record::from_rdata(name(owner), 0, data)
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).or_fail(text)
}

/// The server. It stops when this is dropped.
pub struct DnsServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
    tasks: [AbortHandle; 2],
}

type Handler = Arc<dyn Fn(&Question) -> Answer + Send + Sync>;

impl DnsServer {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(handler: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> Self {
        for _ in 0..ATTEMPTS {
            let udp = UdpSocket::bind(("127.0.0.1", 0)).await.or_fail("bind a UDP port");
            let address = udp.local_addr().or_fail("the bound address");
            if let Ok(tcp) = TcpListener::bind(address).await {
                return Self::serve(udp, tcp, Arc::new(handler));
            }
        }
        fail("no port is free for both UDP and TCP")
    }

    /// Starts at this address.
    pub async fn start_at(address: SocketAddr, handler: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> Self {
        let udp = UdpSocket::bind(address).await.or_fail(address);
        Self::serve(udp, TcpListener::bind(address).await.or_fail(address), Arc::new(handler))
    }

    fn serve(udp: UdpSocket, tcp: TcpListener, handler: Handler) -> Self {
        let address = udp.local_addr().or_fail("the bound address");
        let asked: Arc<Mutex<Vec<Question>>> = Arc::default();
        let desk = Desk { handler, asked: Arc::clone(&asked), counts: Arc::default() };
        let datagrams = tokio::spawn(serve_udp(udp, desk.clone()));
        let connections: JoinHandle<()> = tokio::spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                tokio::spawn(serve_tcp(stream, desk.clone()));
            }
        });
        Self { address, asked, tasks: [datagrams.abort_handle(), connections.abort_handle()] }
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of every question so far, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.asked().into_iter().map(|question| question.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Receives questions and sends answers.
#[derive(Clone)]
struct Desk {
    handler: Handler,
    asked: Arc<Mutex<Vec<Question>>>,
    counts: Arc<Mutex<HashMap<(String, RecordType), usize>>>,
}

impl Desk {
    /// The bytes of the answer, and its delay.
    fn answer(&self, packet: &[u8], transport: Transport) -> Option<(Duration, Vec<u8>)> {
        let asked = Message::from_vec(packet).ok()?;
        let query = asked.queries.first()?;
        let name = query.name().to_ascii().to_ascii_lowercase().trim_end_matches('.').to_owned();
        let kind = query.query_type();
        let before = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry((name.clone(), kind)).or_default();
            *count += 1;
            *count - 1
        };
        let question = Question { name, kind, transport, before };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(question.clone());
        let mut after = Duration::ZERO;
        let mut answer = (self.handler)(&question);
        while let Answer::Late(by, later) = answer {
            (after, answer) = (after + by, *later);
        }
        Some((after, encode(&asked, answer)?))
    }
}

fn encode(asked: &Message, answer: Answer) -> Option<Vec<u8>> {
    let mut message = Message::response(asked.metadata.id, OpCode::Query);
    message.metadata.recursion_desired = asked.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.queries.clone_from(&asked.queries);
    match answer {
        Answer::Records(records) => message.answers = records,
        Answer::Code(code) => message.metadata.response_code = code,
        Answer::Truncated => message.metadata.truncation = true,
        Answer::WrongId(records) => {
            message.metadata.id = asked.metadata.id.wrapping_add(1);
            message.answers = records;
        }
        Answer::WrongQuestion(records) => {
            message.queries.iter_mut().for_each(|query| _ = query.set_name(name("another.example")));
            message.answers = records;
        }
        Answer::Bytes(bytes) => return Some(bytes),
        Answer::Silence | Answer::Late(..) => return None,
    }
    Some(message.to_vec().or_fail("encode the answer"))
}

async fn serve_udp(socket: UdpSocket, desk: Desk) {
    let socket = Arc::new(socket);
    let mut packet = vec![0; 65_535];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        let Some((after, bytes)) = desk.answer(packet.get(..length).unwrap_or_default(), Transport::Udp) else {
            continue;
        };
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            // The client may have closed its socket.
            let _ = socket.send_to(&bytes, from).await;
        });
    }
}

async fn serve_tcp(mut stream: TcpStream, desk: Desk) {
    while let Ok(length) = stream.read_u16().await {
        let mut packet = vec![0; length.into()];
        if stream.read_exact(&mut packet).await.is_err() {
            return;
        }
        let Some((after, bytes)) = desk.answer(&packet, Transport::Tcp) else { continue };
        tokio::time::sleep(after).await;
        let Ok(length) = u16::try_from(bytes.len()) else { fail("the answer is longer than a DNS message") };
        let said = [&length.to_be_bytes(), bytes.as_slice()].concat();
        if stream.write_all(&said).await.is_err() {
            return;
        }
    }
}
