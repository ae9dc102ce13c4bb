//! Plain HTTP on a port that serves HTTPS. Without a response, such a client would only see a broken connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The response. Its body has the form that every client of the documented API reads.
const RESPONSE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\n\
    content-length: 86\r\nconnection: close\r\n\r\n\
    {\"error\":\"this port serves HTTPS: write https:// in place of http:// in the address\"}\n";
/// How long, and how many bytes, the rest of a request is read. A connection that is closed before is reset, and the response lost.
const LINGER: Duration = Duration::from_secs(2);
const MOST_UNREAD: usize = 64 * 1024;

/// Whether the client has begun a request of plain HTTP: a method in capital letters, which no TLS handshake begins with.
pub(crate) async fn is_spoken_on(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = stream.peek(&mut first).await;
    matches!(peeked, Ok(1)) && first.iter().all(u8::is_ascii_uppercase)
}

/// Responds with the scheme to use, and closes the connection.
pub(crate) async fn refuse(mut stream: TcpStream) {
    let rest = async {
        stream.write_all(RESPONSE.as_bytes()).await?;
        stream.shutdown().await?;
        let (mut buffer, mut unread) = ([0; 4096], 0);
        while unread < MOST_UNREAD {
            match stream.read(&mut buffer).await? {
                0 => break,
                length => unread += length,
            }
        }
        std::io::Result::Ok(())
    };
    // A client that has closed the connection has no use for it.
    let _ = tokio::time::timeout(LINGER, rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_has_the_length_that_it_says() {
        let (head, body) = RESPONSE.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
