//! A connection with the least work per request: request bytes are built before, and of a response only its status,
//! length and `Retry-After` are read.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::spec::Load;

/// The head of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The wait that `Retry-After` asks for.
    pub(super) again: Option<Duration>,
    /// Length of the head in bytes.
    bytes: usize,
    body: usize,
}

/// The bytes of the request for one linked account.
pub(super) fn request(load: &Load, account: usize) -> Vec<u8> {
    let mut text = format!("{} HTTP/1.1\r\nhost: {}\r\n", load.method_and_target, load.address);
    for (name, value) in &load.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = load.body.len();
    text.push_str(&format!("linked_account_id: bench_{account}\r\ncontent-length: {length}\r\n\r\n{}", load.body));
    text.into_bytes()
}

/// A connection that is kept.
pub(super) struct Client {
    to: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) fn new(to: SocketAddr) -> Self {
        Self { to, stream: None, buffer: Vec::with_capacity(4096) }
    }

    /// Connects, unless it is connected.
    pub(super) async fn connect(&mut self) -> io::Result<&mut TcpStream> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.to).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends a request and reads the response. After a failure the next request opens a new connection.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<Head> {
        let result = self.try_exchange(request).await;
        if result.is_err() {
            self.stream = None;
        }
        result
    }

    async fn try_exchange(&mut self, request: &[u8]) -> io::Result<Head> {
        self.buffer.clear();
        self.connect().await?.write_all(request).await?;
        let (Some(stream), buffer) = (&mut self.stream, &mut self.buffer) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut head = None;
        loop {
            if stream.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if head.is_none() {
                head = Head::parse(buffer)?;
            }
            if let Some(head) = head
                && buffer.len() >= head.bytes + head.body
            {
                return Ok(head);
            }
        }
    }
}

impl Head {
    /// `None` where the head is incomplete.
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let strange = || io::Error::from(io::ErrorKind::InvalidData);
        let text = std::str::from_utf8(bytes.get(..end).unwrap_or_default()).map_err(|_| strange())?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let mut head = Self { status: status.ok_or_else(strange)?, again: None, bytes: end + 4, body: 0 };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                head.body = value.trim().parse().map_err(|_| strange())?;
            } else if name.eq_ignore_ascii_case("retry-after") {
                head.again = Some(Duration::from_secs(value.trim().parse().map_err(|_| strange())?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(strange());
            }
        }
        Ok(Some(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_all_of_it_is_there() {
        let whole = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 12\r\n\r\n{\"error\"";
        for end in 0..whole.len() - 9 {
            assert_eq!(Head::parse(&whole[..end]).unwrap(), None, "{end}");
        }
        let head = Head::parse(whole).unwrap().unwrap();
        assert_eq!(head, Head { status: 503, again: Some(Duration::from_secs(1)), bytes: whole.len() - 8, body: 12 });
        assert!(Head::parse(b"nonsense\r\n\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err(), "not counted wrong");
    }
}
