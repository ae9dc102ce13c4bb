//! HTTP/1.1 by hand: sends exact bytes that no client library sends, and reads the responses one by one.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::http::Response;
use crate::or_fail::{OrFail as _, fail};

/// How long the server may be silent before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    closed: bool,
}

impl Wire {
    /// Connects. Fails the test where the server refuses.
    pub async fn connect(to: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(to)).await;
        let stream = stream.or_fail(format_args!("connect to {to}")).or_fail(format_args!("connect to {to}"));
        Self::of(stream)
    }

    /// Connects with a window so small that a response soon has to wait for its reader.
    pub async fn connect_narrow(to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().or_fail("make a socket");
        socket.set_recv_buffer_size(4096).or_fail("make its window small");
        Self::of(socket.connect(to).await.or_fail(format_args!("connect to {to}")))
    }

    fn of(stream: TcpStream) -> Self {
        // Separate writes are to arrive as separate packets.
        stream.set_nodelay(true).or_fail("send at once");
        Self { stream, unread: Vec::new(), closed: false }
    }

    /// Sends. `false` where the server accepts no more bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.is_ok_and(|sent| sent.is_ok())
    }

    /// Sends as long as the server accepts bytes, for at most `patience` without progress.
    pub async fn send_while_taken(&mut self, bytes: &[u8], patience: Duration) -> usize {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match timeout(patience, self.stream.write(rest)).await {
                Ok(Ok(some)) => sent += some,
                _ => break,
            }
        }
        sent
    }

    /// Sends one byte after the other with pauses in between, until the server closes or all bytes are sent.
    pub async fn trickle(&mut self, bytes: &[u8], pause: Duration) {
        for byte in bytes {
            if self.closed || !self.send([*byte]).await {
                return;
            }
            // Reads during the pause: the server may have closed.
            self.more_within(pause).await;
        }
    }

    /// Half-closes the connection.
    pub async fn finish(&mut self) {
        // The server may have closed already.
        let _gone = self.stream.shutdown().await;
    }

    /// Closes with a TCP reset.
    pub fn reset(self) {
        self.stream.set_zero_linger().or_fail("have the connection reset when it is closed");
    }

    /// The next response, interim ones (1xx) included; `None` where the server has closed instead. `head_only` where
    /// the request was HEAD, whose response has a length and no body.
    pub async fn answer_to(&mut self, head_only: bool) -> Option<Response> {
        loop {
            if let Some((answer, length)) = parse(&self.unread, head_only) {
                self.unread.drain(..length);
                return Some(answer);
            }
            if self.closed {
                if !self.unread.is_empty() {
                    fail(format_args!("a response is cut off: {:?}", String::from_utf8_lossy(&self.unread)));
                }
                return None;
            }
            if !self.more_within(PATIENCE).await {
                fail(format_args!("neither a response nor an end within {PATIENCE:?}"));
            }
        }
    }

    /// The next response to a request that was not HEAD.
    pub async fn answer(&mut self) -> Option<Response> {
        self.answer_to(false).await
    }

    /// All responses up to the one with this `X-Request-Id`, or until the server closes. After a silence of `quiet`,
    /// the connection is half-closed, and the server has to close.
    pub async fn answers_until(&mut self, last: &str, quiet: Duration) -> Vec<Response> {
        let mut answers: Vec<Response> = Vec::new();
        let mut finished = false;
        loop {
            while let Some((answer, length)) = parse(&self.unread, false) {
                self.unread.drain(..length);
                let is_last = answer.header("x-request-id") == Some(last);
                answers.push(answer);
                if is_last {
                    return answers;
                }
            }
            if self.closed {
                return answers;
            }
            if !self.more_within(if finished { PATIENCE } else { quiet }).await {
                if finished {
                    fail(format_args!("the server keeps a connection whose client has finished, after {answers:?}"));
                }
                self.finish().await;
                finished = true;
            }
        }
    }

    /// Sends all bytes while it reads at most this number of responses. Returns whether all bytes were sent, and the
    /// responses.
    pub async fn pipeline(&mut self, bytes: Vec<u8>, count: usize) -> (bool, Vec<Response>) {
        let mut answers = Vec::new();
        let mut sent = 0;
        let (mut reader, mut writer) = self.stream.split();
        while answers.len() < count {
            let rest = bytes.get(sent..).unwrap_or_default();
            tokio::select! {
                read = reader.read_buf(&mut self.unread) => if !read.is_ok_and(|read| read > 0) { break },
                written = writer.write(rest), if !rest.is_empty() => match written {
                    Ok(written) => sent += written,
                    Err(_) => break,
                },
                () = tokio::time::sleep(PATIENCE) => fail(format_args!("nothing more after {} responses", answers.len())),
            }
            while let Some((answer, length)) = parse(&self.unread, false) {
                self.unread.drain(..length);
                answers.push(answer);
            }
        }
        (sent == bytes.len(), answers)
    }

    /// Reads this number of bytes at a time, with pauses, until the server closes. Returns the total.
    pub async fn sip(mut self, bytes: usize, pause: Duration) -> usize {
        let mut sip = vec![0; bytes];
        let mut taken = 0;
        while let Ok(Ok(read @ 1..)) = timeout(PATIENCE, self.stream.read(&mut sip)).await {
            taken += read;
            tokio::time::sleep(pause).await;
        }
        taken
    }

    /// The number of complete responses until the server closes.
    pub async fn answers_or_cut(mut self) -> usize {
        let mut answers = 0;
        loop {
            while let Some((_, length)) = parse(&self.unread, false) {
                self.unread.drain(..length);
                answers += 1;
            }
            if !self.more_within(PATIENCE).await || self.closed {
                return answers;
            }
        }
    }

    /// Whether the server has closed the connection, waiting for it for a minute.
    pub async fn is_closed(&mut self) -> bool {
        while !self.closed && self.more_within(PATIENCE).await {}
        self.closed
    }

    /// Whether the connection still seems open.
    pub async fn is_open(&mut self) -> bool {
        self.more_within(Duration::from_millis(1)).await;
        !self.closed
    }

    /// Whether bytes have arrived that were not read as a response yet.
    pub async fn has_unread(&mut self) -> bool {
        self.more_within(Duration::from_millis(1)).await;
        !self.unread.is_empty()
    }

    /// Reads the next bytes, or notes that the server has closed. `false` where neither happens in time.
    async fn more_within(&mut self, patience: Duration) -> bool {
        self.unread.reserve(16 * 1024);
        match timeout(patience, self.stream.read_buf(&mut self.unread)).await {
            Ok(Ok(1..)) => {}
            // A reset also ends a connection.
            Ok(Ok(_) | Err(_)) => self.closed = true,
            Err(_) => return false,
        }
        true
    }
}

/// The first response in these bytes, if it is complete, and its length.
fn parse(bytes: &[u8], head_only: bool) -> Option<(Response, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|text| text.parse().ok());
    let status: u16 = status.filter(|_| first.starts_with("HTTP/1.")).or_fail(format_args!("read {first:?}"));
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let length = if head_only || status < 200 { 0 } else { length.unwrap_or(0) };
    let body = bytes.get(end..end + length)?.to_vec();
    Some((Response { status, headers, body }, end + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let first = b"HTTP/1.1 100 Continue\r\n\r\n".as_slice();
        let second = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Request-Id: a\r\n\r\nabc".as_slice();
        let bytes = [first, second, b"HTTP/1.1 404"].concat();
        let (answer, length) = parse(&bytes, false).unwrap();
        assert_eq!((answer.status, length), (100, first.len()));
        let (answer, length) = parse(&bytes[length..], false).unwrap();
        assert_eq!((answer.status, answer.text().as_str(), length), (200, "abc", second.len()));
        assert!(parse(&bytes[first.len() + second.len()..], false).is_none());
        assert!(parse(&second[..second.len() - 1], false).is_none(), "the body is not all there");
        assert_eq!(parse(second, true).unwrap().1, second.len() - 3, "HEAD has none");
    }
}
