//! Faults of providers, and the verdicts that a plugin may give on them.

use std::fmt;
use std::str::FromStr;

use keyferry_egress::{Fault, MockExchange};
use keyferry_sandbox::{FailureKind, Unreachable, Verdict};

/// A fault that replaces a response, in a case or in the conformance suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`about` describes each")]
pub enum FaultName {
    Dns,
    Refused,
    Tls,
    Timeout,
    Reset,
    SlowDrip,
    Oversize,
    WrongContentType,
    InvalidUtf8,
    InvalidJson,
    Redirect,
    Unauthorized,
    Forbidden,
    TooManyRequests,
    ServerError,
    Unavailable,
    Echo,
}

/// Seconds in the `Retry-After` of the 429.
pub(super) const RETRY_AFTER: u32 = 30;

/// A page as a gateway shows while its backend is down.
const PAGE: &str = "<!doctype html><title>Maintenance</title><p>We will be back soon.</p>";

impl FaultName {
    /// All faults, in the order in which they are tested.
    pub const ALL: [Self; 17] = [
        Self::Dns,
        Self::Refused,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::SlowDrip,
        Self::Oversize,
        Self::WrongContentType,
        Self::InvalidUtf8,
        Self::InvalidJson,
        Self::Redirect,
        Self::Unauthorized,
        Self::Forbidden,
        Self::TooManyRequests,
        Self::ServerError,
        Self::Unavailable,
        Self::Echo,
    ];

    /// Its name in a case file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::SlowDrip => "slow-drip",
            Self::Oversize => "oversize",
            Self::WrongContentType => "wrong-content-type",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::InvalidJson => "invalid-json",
            Self::Redirect => "redirect",
            Self::Unauthorized => "401",
            Self::Forbidden => "403",
            Self::TooManyRequests => "429",
            Self::ServerError => "500",
            Self::Unavailable => "503",
            Self::Echo => "echo",
        }
    }

    /// What happens, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Dns => "the name does not exist",
            Self::Refused => "nothing listens",
            Self::Tls => "the certificate is another host's",
            Self::Timeout => "no response in time",
            Self::Reset => "the connection is reset in the middle of the body",
            Self::SlowDrip => "the body arrives so slowly that it is not complete in time",
            Self::Oversize => "the body is larger than the limit",
            Self::WrongContentType => "200 with a page instead of JSON",
            Self::InvalidUtf8 => "200 with bytes that are no text",
            Self::InvalidJson => "200 with JSON that ends in the middle",
            Self::Redirect => "302 to a host that is not granted",
            Self::Unauthorized => "401 without a reason",
            Self::Forbidden => "403 without a reason",
            Self::TooManyRequests => "429 with Retry-After: 30",
            Self::ServerError => "500 with a page",
            Self::Unavailable => "503 with a page",
            Self::Echo => "400 that echoes the secrets",
        }
    }

    /// Whether the fault is in the body, so that it cannot happen to a response without one.
    pub(super) fn is_of_the_body(self) -> bool {
        matches!(
            self,
            Self::Reset
                | Self::SlowDrip
                | Self::Oversize
                | Self::WrongContentType
                | Self::InvalidUtf8
                | Self::InvalidJson
        )
    }

    /// The exchange with the fault. `limit` is egress' largest body in bytes, `echoes` the secrets of the request.
    pub(super) fn exchange(self, limit: usize, echoes: &[String]) -> MockExchange {
        let response = |status: u16, content_type: &str, body: Vec<u8>| MockExchange::Response {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body,
        };
        let json = |status, text: &str| response(status, "application/json", text.as_bytes().to_vec());
        let with = |exchange: MockExchange, name: &str, value: &str| match exchange {
            MockExchange::Response { status, mut headers, body } => {
                headers.push((name.to_owned(), value.to_owned()));
                MockExchange::Response { status, headers, body }
            }
            fault => fault,
        };
        match self {
            Self::Dns => MockExchange::Fault(Fault::Dns),
            Self::Refused => MockExchange::Fault(Fault::Refused),
            Self::Tls => MockExchange::Fault(Fault::Tls),
            Self::Timeout => MockExchange::Fault(Fault::Timeout),
            Self::Reset => MockExchange::Fault(Fault::Reset),
            Self::SlowDrip => MockExchange::Fault(Fault::SlowDrip),
            Self::Oversize => response(200, "application/json", vec![b' '; limit.saturating_add(1)]),
            Self::WrongContentType => response(200, "text/html", PAGE.as_bytes().to_vec()),
            Self::InvalidUtf8 => {
                response(200, "application/json", b"{\"id\":\"\xff\xfe\xc3\x28\",\"ok\":true}".to_vec())
            }
            Self::InvalidJson => json(200, "{\"id\": \"1\", \"name\": \"Acme\", \"ok\": true, \"more\": {\"a\""),
            Self::Redirect => {
                with(response(302, "text/html", Vec::new()), "location", "https://elsewhere.example/login")
            }
            Self::Unauthorized => json(401, "{}"),
            Self::Forbidden => json(403, "{}"),
            Self::TooManyRequests => with(json(429, "{}"), "retry-after", &RETRY_AFTER.to_string()),
            Self::ServerError => response(500, "text/html", PAGE.as_bytes().to_vec()),
            Self::Unavailable => response(503, "text/html", PAGE.as_bytes().to_vec()),
            Self::Echo => {
                let echoed =
                    serde_json::json!({ "error": "bad request", "message": "bad request", "you_sent": echoes });
                json(400, &echoed.to_string())
            }
        }
    }

    /// What is wrong with a plugin's verdict on the fault, if anything. `optional`: the verdict may be `verified` without
    /// this exchange.
    pub(super) fn objection(self, verdict: &Verdict, optional: bool) -> Option<String> {
        let failure = match verdict {
            Verdict::Verified(_) if optional || self == Self::Forbidden => return None,
            Verdict::Verified(_) => {
                return Some("a credential is `verified` only where the provider said so".to_owned());
            }
            Verdict::Failed(failure) => failure,
        };
        let wanted = match (self, &failure.kind) {
            (Self::Unauthorized | Self::Forbidden | Self::Echo, _) => return None,
            (Self::Dns, FailureKind::Unreachable(Unreachable::Dns))
            | (Self::Refused, FailureKind::Unreachable(Unreachable::Refused))
            | (Self::Tls, FailureKind::Unreachable(Unreachable::Tls))
            | (Self::Timeout | Self::SlowDrip, FailureKind::Unreachable(Unreachable::Timeout))
            | (Self::Reset, FailureKind::Unreachable(Unreachable::Transport))
            | (Self::TooManyRequests, FailureKind::RateLimited(Some(RETRY_AFTER)))
            | (Self::ServerError, FailureKind::ProviderError(500))
            | (Self::Unavailable, FailureKind::ProviderError(503)) => return None,
            (
                Self::Oversize | Self::WrongContentType | Self::InvalidUtf8 | Self::InvalidJson | Self::Redirect,
                kind,
            ) => match kind {
                FailureKind::UnexpectedAnswer | FailureKind::ProviderError(_) | FailureKind::Unreachable(_) => {
                    return None;
                }
                _ => "unexpected-answer",
            },
            (Self::Dns, _) => "unreachable (dns)",
            (Self::Refused, _) => "unreachable (refused)",
            (Self::Tls, _) => "unreachable (tls)",
            (Self::Timeout | Self::SlowDrip, _) => "unreachable (timeout)",
            (Self::Reset, _) => "unreachable (transport)",
            (Self::TooManyRequests, _) => "rate-limited with retry-after 30",
            (Self::ServerError, _) => "provider-error with status 500",
            (Self::Unavailable, _) => "provider-error with status 503",
        };
        Some(format!("the provider was at fault, not the credential: this must be {wanted}"))
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FaultName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|fault| fault.as_str() == text);
        found.ok_or_else(|| super::suggestion::unknown("fault", text, &Self::ALL.map(Self::as_str)))
    }
}
