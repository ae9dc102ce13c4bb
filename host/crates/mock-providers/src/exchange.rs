//! One request that a mock provider received, and its reply.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// A request as it came in.
///
/// It holds credentials as they were sent, so that a test can look at them; its `Debug` leaves header values and the
/// body out.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The `Host` header, as sent.
    pub host: String,
    /// The name asked for in the TLS handshake, `None` where the client named none.
    pub server_name: Option<String>,
    /// Which connection it came on: equal numbers mean the same connection, whichever the provider.
    pub connection: u64,
    /// HTTP method of the request, such as `GET`.
    pub method: String,
    /// The request target: `/v1/balance?expand=x`.
    pub path_and_query: String,
    /// All headers in the order of arrival, names in lower case. Bytes outside UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The complete body of the request.
    pub body: Vec<u8>,
}

impl Received {
    /// The first header of this name, which is compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    /// The query without the `?`; empty if the URL has no query.
    pub fn query(&self) -> &str {
        self.path_and_query.split_once('?').map(|(_, query)| query).unwrap_or_default()
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Received")
            .field("host", &self.host)
            .field("connection", &self.connection)
            .field("method", &self.method)
            .field("path", &self.path())
            .field("header_names", &names)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A response, and how it is delivered: whole, or with a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status. A number that is no status is sent as 500.
    pub status: u16,
    /// Headers besides `Content-Length` and `Date`. One that HTTP does not allow is left out.
    pub headers: Vec<(String, String)>,
    /// Body of the response, in bytes.
    pub body: Vec<u8>,
    /// Delay before the first byte.
    pub delay: Duration,
    /// How the response is delivered.
    pub delivery: Delivery,
}

/// How a response is delivered to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Whole, with its length.
    Whole,
    /// Not at all: the connection is closed after the request was read.
    Closed,
    /// The body, repeated for as long as the client reads. An empty body is repeated as zero bytes of value 0.
    Endless,
    /// Byte by byte, one each interval, with the right length announced.
    Drip(Duration),
    /// The right length announced, half of it sent, then the connection closed.
    CutShort,
    /// These bytes instead of an HTTP response, then the connection closed.
    Raw(Vec<u8>),
}

impl Reply {
    /// A response without headers or body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, delivery: Delivery::Whole }
    }

    /// A response with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..Self::status(status) }
            .with_header("content-type", "application/json;charset=utf-8")
    }

    /// A response with a plain-text body.
    pub fn text(status: u16, body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), ..Self::status(status) }
            .with_header("content-type", "text/plain; charset=utf-8")
    }

    /// With one header more, or another value for one that is there.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sent only after this long.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Delivered another way than whole.
    #[must_use]
    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_received_request_prints_without_what_it_carries() {
        let request = Received {
            host: "api.example.com".to_owned(),
            server_name: None,
            connection: 1,
            method: "GET".to_owned(),
            path_and_query: "/me?key=s3cr3t".to_owned(),
            headers: vec![("authorization".to_owned(), "Bearer s3cr3t".to_owned())],
            body: b"token=s3cr3t".to_vec(),
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("/me") && shown.contains("authorization"), "{shown}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
        assert_eq!(request.query(), "key=s3cr3t");
        assert_eq!(request.header("Authorization"), Some("Bearer s3cr3t"));
    }

    #[test]
    fn setting_a_header_twice_keeps_the_last() {
        let reply = Reply::text(200, "x").with_header("Content-Type", "text/html");
        assert_eq!(reply.headers, [("Content-Type".to_owned(), "text/html".to_owned())]);
    }
}
