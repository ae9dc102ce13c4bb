//! Calls of webhooks. Callers of the API choose their URLs, so each is a way to make this server send requests: names
//! and addresses are checked like those of plugins' requests, and of a response only the status and the requested wait
//! are used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use tokio::time::timeout;
use url::{Position, Url};

use super::assembler::Secrecy;
use super::dial::Dialer;
use super::egress::Egress;
use super::error::{EgressSetupError, ErrorKind, SendError};
use super::headers;
use super::host_name::{is_internal_name, is_localhost};
use super::origin::Origin;
use super::outgoing::uri;
use super::overrides::is_connection_header;
use super::settings::Loopback;
use super::transport_error::{broken_off, format_duration};
use keyferry_types::retry_after;
use keyferry_types::secret::{Secret, SharedSecret};

/// The longest URL, in bytes.
const LONGEST_URL: usize = 2048;
/// Headers that the server sets itself, besides those that say where a request goes.
const OURS: [&str; 5] = ["content-type", "idempotency-key", "keyferry-attempt", "user-agent", "x-cobalt-signature"];

/// An invalid URL or header of a webhook. The text gives the reason and repeats no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidWebhook(String);

impl InvalidWebhook {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// URL of a webhook. Its path can hold a password of the receiver, so it is not printed.
#[derive(Clone)]
pub struct WebhookUrl {
    text: String,
    url: Url,
    origin: Origin,
}

impl WebhookUrl {
    /// `https://host[:port][/path][?query]`. http is for loopback in development.
    fn parse(text: &str, loopback: Loopback) -> Result<Self, InvalidWebhook> {
        if text.len() > LONGEST_URL {
            return Err(InvalidWebhook::new(format!("the URL is longer than {LONGEST_URL} bytes")));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidWebhook::new("the URL must be ASCII without spaces; percent-encode what is not"));
        }
        let after_scheme = text.find("://").map_or(0, |at| at + 3);
        let rest = text.get(after_scheme..).unwrap_or_default();
        let end = after_scheme + rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let origin = Origin::parse(text.get(..end).unwrap_or_default(), loopback)
            .map_err(|invalid| InvalidWebhook::new(invalid.to_string().replace("the origin", "the URL")))?;
        let url = Url::parse(text).map_err(|error| InvalidWebhook::new(format!("the URL is invalid: {error}")))?;
        if text.contains(['#', '\\']) {
            return Err(InvalidWebhook::new("the URL must have no fragment and no backslash"));
        }
        let is_allowed = loopback == Loopback::AllowedForDevelopment && is_localhost(origin.host());
        let is_inside = is_localhost(origin.host()) || is_internal_name(origin.host());
        if origin.address().is_none() && is_inside && !is_allowed {
            return Err(InvalidWebhook::new("the URL's host is a name for inside a network, and no such is called"));
        }
        Ok(Self { text: text.to_owned(), url, origin })
    }

    /// The URL as the caller wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host of the URL.
    pub fn host(&self) -> &str {
        self.origin.host()
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl(at {})", self.host())
    }
}

/// A header of a webhook. Its value is often a password of the receiver.
#[derive(Debug, Clone)]
pub struct WebhookHeader {
    name: HeaderName,
    value: SharedSecret,
}

impl WebhookHeader {
    /// A header that a caller may set.
    ///
    /// # Errors
    /// If the name is not one, or is not the caller's to set, or the value holds a line break or another control character.
    pub fn new(name: &str, value: SharedSecret) -> Result<Self, InvalidWebhook> {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| InvalidWebhook::new("webhook_headers has a name that is not a header's"))?;
        if is_connection_header(&name) || OURS.contains(&name.as_str()) {
            return Err(InvalidWebhook::new(format!("webhook_headers: {name} is not for a caller to set")));
        }
        if headers::value(&name, value.expose(), Secrecy::Secret).is_err() {
            let message = "webhook_headers has a value with a line break or another control character";
            return Err(InvalidWebhook::new(message));
        }
        Ok(Self { name, value })
    }

    /// Name of the header, in lower case.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Value of the header.
    pub fn value(&self) -> &Secret {
        &self.value
    }
}

/// One attempt to deliver an event to a webhook.
#[derive(Debug)]
pub struct WebhookRequest<'a> {
    /// URL of the webhook.
    pub url: &'a WebhookUrl,
    /// HTTP method of the call.
    pub method: http::Method,
    /// The webhook's own headers.
    pub headers: &'a [WebhookHeader],
    /// Headers that the server sets, such as the signature.
    pub ours: Vec<(HeaderName, String)>,
    /// Body of the call, as JSON.
    pub body: Bytes,
}

/// The response of a webhook, without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookResponse {
    /// HTTP status of the response.
    pub status: u16,
    /// Wait that `Retry-After` of a 429 or 503 asks for.
    pub wait: Option<Duration>,
}

impl WebhookResponse {
    fn new(status: http::StatusCode, headers: &http::HeaderMap, now: jiff::Timestamp) -> Self {
        let is_busy = matches!(status, http::StatusCode::TOO_MANY_REQUESTS | http::StatusCode::SERVICE_UNAVAILABLE);
        let text = headers.get(header::RETRY_AFTER).filter(|_| is_busy).and_then(|text| text.to_str().ok());
        let now_ms = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let wait = text.and_then(|text| retry_after::seconds(text, now_ms));
        Self { status: status.as_u16(), wait: wait.map(|seconds| Duration::from_secs(u64::from(seconds))) }
    }
}

/// Calls webhooks. Cloning it is cheap.
#[derive(Clone)]
pub struct WebhookClient {
    egress: Egress,
    dialer: Arc<Dialer>,
    time: Duration,
}

impl fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookClient").field("egress", &self.egress).field("time", &self.time).finish_non_exhaustive()
    }
}

impl WebhookClient {
    /// A client that waits at most `time` for a response. It keeps no connection: the next call of a webhook can be an hour
    /// away, and until then the buffers would hold what was sent.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(egress: Egress, time: Duration) -> Result<Self, EgressSetupError> {
        Ok(Self { dialer: Arc::new(egress.dialer()?), egress, time })
    }

    /// Parses a URL and checks everything that can be checked without a DNS lookup.
    ///
    /// # Errors
    /// If it is not https, contains a hidden part, or names an address that is never dialled.
    pub fn url(&self, text: &str) -> Result<WebhookUrl, InvalidWebhook> {
        let url = WebhookUrl::parse(text, self.egress.settings().loopback)?;
        self.egress.check_literal(&url.origin).map_err(|error| InvalidWebhook::new(error.message))?;
        Ok(url)
    }

    /// Sends, and returns the status of the response and the wait that it asks for. The body is not read, and a redirect is
    /// a status like any other.
    ///
    /// # Errors
    /// If there is no response in time, or the name resolves to an address that is not dialled.
    pub async fn call(&self, request: WebhookRequest<'_>) -> Result<WebhookResponse, SendError> {
        let WebhookRequest { url: WebhookUrl { url, origin, .. }, method, headers, ours, body } = request;
        self.egress.check_literal(origin)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri(url[Position::BeforePath..Position::AfterQuery].to_owned())?;
        let all = request.headers_mut();
        all.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        all.insert(header::USER_AGENT, HeaderValue::from_static(concat!("Keyferry/", env!("CARGO_PKG_VERSION"))));
        all.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        all.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        all.insert(header::HOST, origin.host_header().clone());
        for (name, text) in ours {
            all.insert(name.clone(), headers::value(&name, &text, Secrecy::Plain)?);
        }
        for WebhookHeader { name, value } in headers {
            all.append(name, headers::value(name, value.expose(), Secrecy::Secret)?);
        }
        let exchange = async {
            let mut connection = self.dialer.dial(origin).await?;
            let response = connection.send(request).await.map_err(|failed| broken_off(&*failed.error, origin))?;
            Ok(WebhookResponse::new(response.status(), response.headers(), jiff::Timestamp::now()))
        };
        timeout(self.time, exchange).await.unwrap_or_else(|_| {
            let message = format!("no answer from {} within {}", origin.host(), format_duration(self.time));
            Err(SendError::sent(ErrorKind::Timeout, message))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_to_a_public_name_or_address_and_hides_nothing() {
        let client = |loopback| {
            let settings = crate::EgressSettings { loopback, ..crate::EgressSettings::default() };
            WebhookClient::new(Egress::new(settings).unwrap(), Duration::from_secs(1)).unwrap()
        };
        let (strict, dev) = (client(Loopback::Refused), client(Loopback::AllowedForDevelopment));
        for good in [
            "https://hooks.example.com",
            "https://hooks.example.com/a/b?c=d&e=%20",
            "https://hooks.example.com:8443/x",
            "HTTPS://Hooks.Example.com/x",
            "https://93.184.215.14/x",
        ] {
            let url = strict.url(good).unwrap_or_else(|error| panic!("{good}: {error}"));
            assert_eq!(url.as_str(), good);
            assert!(!format!("{url:?}").contains("/x"));
        }
        for bad in [
            "",
            "hooks.example.com",
            "http://hooks.example.com",
            "http://127.0.0.1/x",
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://a.localhost/x",
            "https://10.0.0.1/x",
            "https://192.168.1.1:8443",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/x",
            "https://[fd00:ec2::254]/x",
            "https://100.100.100.200/",
            "https://0.0.0.0/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://metadata.google.internal/x",
            "https://printer.local/x",
            "https://intranet/x",
            "https://user@hooks.example.com/x",
            "https://user:pw@hooks.example.com/x",
            "https://hooks.example.com@10.0.0.1/x",
            "https://hooks.example.com\\@10.0.0.1/x",
            "https://hooks.example.com/x#y",
            "https://hooks.example.com/a b",
            "https://hooks.example.com/\r\nx",
            "https://hooks.exämple.com/x",
            "ftp://hooks.example.com/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            &format!("https://hooks.example.com/{}", "x".repeat(LONGEST_URL)),
        ] {
            assert!(strict.url(bad).is_err(), "{bad}");
        }
        for loopback in ["http://127.0.0.1:8080/x", "http://localhost:1/x", "https://[::1]:8443/x"] {
            assert!(dev.url(loopback).is_ok(), "{loopback}");
        }
        for other in ["http://hooks.example.com/x", "http://10.0.0.1/x", "https://10.0.0.1/x", "https://intranet/x"] {
            assert!(dev.url(other).is_err(), "{other}");
        }
    }

    #[test]
    fn an_answer_asks_to_wait_by_retry_after_of_a_429_or_503() {
        let now: jiff::Timestamp = "2026-11-29T22:00:00Z".parse().unwrap();
        for (status, text, wait) in [
            (429, "7", Some(7)),
            (503, "0.5", Some(1)),
            (503, "Sun, 29 Nov 2026 22:00:09 GMT", Some(9)),
            (503, "-1", None),
            (500, "7", None),
            (200, "7", None),
            (301, "7", None),
        ] {
            let headers = http::HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(text))]);
            let response = WebhookResponse::new(http::StatusCode::from_u16(status).unwrap(), &headers, now);
            assert_eq!(response, WebhookResponse { status, wait: wait.map(Duration::from_secs) }, "{status} {text}");
        }
    }

    #[test]
    fn a_header_does_not_steer_the_request_and_a_wrong_value_is_not_shown() {
        let header = |name: &str, value: &str| WebhookHeader::new(name, SharedSecret::new(Secret::new(value)));
        for name in ["Authorization", "X-Api-Key", "Cookie", "x-cobalt-other"] {
            assert!(header(name, "s3cr3t").is_ok(), "{name}");
        }
        for name in
            ["Host", "content-length", "X-Cobalt-Signature", "Idempotency-Key", "Proxy-Authorization", "a b", ""]
        {
            assert!(header(name, "s3cr3t").is_err(), "{name}");
        }
        let error = header("x-key", "s3cr3t\r\nhost: x").unwrap_err().to_string();
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}
