//! Faults of providers, and the verdicts that a plugin may give on them.

use std::fmt;
use std::str::FromStr;

use keyferry_egress::{Fault, MockExchange};
use keyferry_sandbox::{FailureKind, RenewalFailureKind, RenewalResult, Unreachable, Verdict};

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
    UnavailableRefusal,
    ForbiddenPage,
    EmptyBody,
}

/// Seconds in the `Retry-After` of the 429.
pub(super) const RETRY_AFTER: u32 = 30;

/// A page as a gateway shows while its backend is down.
const PAGE: &str = "<!doctype html><title>Maintenance</title><p>We will be back soon.</p>";

impl FaultName {
    /// The faults of all exchanges, in the order in which they are tested.
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

    /// Further faults of renewals, at which a careless plugin ends a connection.
    pub const OF_RENEWALS: [Self; 3] = [Self::UnavailableRefusal, Self::ForbiddenPage, Self::EmptyBody];

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
            Self::UnavailableRefusal => "503-invalid-grant",
            Self::ForbiddenPage => "403-page",
            Self::EmptyBody => "empty",
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
            Self::UnavailableRefusal => "503 with the error `invalid_grant`",
            Self::ForbiddenPage => "403 with a page",
            Self::EmptyBody => "200 without a body",
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
                | Self::EmptyBody
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
            Self::UnavailableRefusal => json(503, r#"{"error":"invalid_grant","error_description":"try again later"}"#),
            Self::ForbiddenPage => response(403, "text/html", PAGE.as_bytes().to_vec()),
            Self::EmptyBody => json(200, ""),
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
            Verdict::Verified(_) if optional || self.may_be_a_live_key() => return None,
            Verdict::Verified(_) => {
                return Some("a credential is `verified` only where the provider said so".to_owned());
            }
            Verdict::Failed(failure) => failure,
        };
        if self.has_no_reason() || self.is_told_by(&failure.kind) {
            return None;
        }
        Some(format!("the provider was at fault, not the credential: this must be {}", self.wanted()))
    }

    /// What is wrong with the result of a renewal with this fault, if anything. Nothing but a documented answer ends a connection.
    pub(super) fn objection_to_renewal(self, result: &RenewalResult, optional: bool) -> Option<String> {
        let failure = match result {
            Ok(_) if optional => return None,
            Ok(_) => return Some("a pair is `renewed` only where the provider's response has its tokens".to_owned()),
            Err(failure) => failure,
        };
        let kind = match &failure.kind {
            RenewalFailureKind::RateLimited(seconds) => FailureKind::RateLimited(*seconds),
            RenewalFailureKind::Unreachable(why) => FailureKind::Unreachable(*why),
            RenewalFailureKind::ProviderError(status) => FailureKind::ProviderError(*status),
            RenewalFailureKind::UnexpectedAnswer => FailureKind::UnexpectedAnswer,
            // Some providers refuse a client by this status alone.
            RenewalFailureKind::ClientRefused if self == Self::Unauthorized => return None,
            kind => {
                let why = match kind {
                    RenewalFailureKind::Ended if self.has_no_reason() => {
                        "a response without a reason must not end a connection"
                    }
                    RenewalFailureKind::Ended => "an outage must not end a connection",
                    RenewalFailureKind::ClientRefused => "an outage is not the fault of the OAuth client",
                    _ => "the provider was at fault, not the credential",
                };
                return Some(format!("{why}: this must be {}", self.wanted()));
            }
        };
        if self.has_no_reason() || self.is_told_by(&kind) {
            return None;
        }
        Some(format!("the provider was at fault, not the tokens: this must be {}", self.wanted()))
    }

    /// With some apps, 403 is the response to a live key without the permission.
    fn may_be_a_live_key(self) -> bool {
        matches!(self, Self::Forbidden | Self::ForbiddenPage)
    }

    /// The response refuses the request and does not say why.
    fn has_no_reason(self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden | Self::ForbiddenPage | Self::Echo)
    }

    /// Whether a failure tells the fault.
    fn is_told_by(self, kind: &FailureKind) -> bool {
        match self {
            Self::Dns => matches!(kind, FailureKind::Unreachable(Unreachable::Dns)),
            Self::Refused => matches!(kind, FailureKind::Unreachable(Unreachable::Refused)),
            Self::Tls => matches!(kind, FailureKind::Unreachable(Unreachable::Tls)),
            Self::Timeout | Self::SlowDrip => matches!(kind, FailureKind::Unreachable(Unreachable::Timeout)),
            Self::Reset => matches!(kind, FailureKind::Unreachable(Unreachable::Transport)),
            Self::TooManyRequests => matches!(kind, FailureKind::RateLimited(Some(RETRY_AFTER))),
            Self::ServerError => matches!(kind, FailureKind::ProviderError(500)),
            Self::Unavailable | Self::UnavailableRefusal => matches!(kind, FailureKind::ProviderError(503)),
            Self::Oversize
            | Self::WrongContentType
            | Self::InvalidUtf8
            | Self::InvalidJson
            | Self::Redirect
            | Self::EmptyBody
            | Self::Unauthorized
            | Self::Forbidden
            | Self::ForbiddenPage
            | Self::Echo => matches!(
                kind,
                FailureKind::UnexpectedAnswer | FailureKind::ProviderError(_) | FailureKind::Unreachable(_)
            ),
        }
    }

    /// The failure that tells the fault best.
    fn wanted(self) -> &'static str {
        match self {
            Self::Dns => "unreachable (dns)",
            Self::Refused => "unreachable (refused)",
            Self::Tls => "unreachable (tls)",
            Self::Timeout | Self::SlowDrip => "unreachable (timeout)",
            Self::Reset => "unreachable (transport)",
            Self::TooManyRequests => "rate-limited with retry-after 30",
            Self::ServerError => "provider-error with status 500",
            Self::Unavailable | Self::UnavailableRefusal => "provider-error with status 503",
            Self::Oversize
            | Self::WrongContentType
            | Self::InvalidUtf8
            | Self::InvalidJson
            | Self::Redirect
            | Self::EmptyBody
            | Self::Unauthorized
            | Self::Forbidden
            | Self::ForbiddenPage
            | Self::Echo => "unexpected-answer",
        }
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
        let all = || Self::ALL.into_iter().chain(Self::OF_RENEWALS);
        let found = all().find(|fault| fault.as_str() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = all().map(Self::as_str).collect();
            super::suggestion::unknown("fault", text, &names)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyferry_sandbox::RenewalFailure;

    fn objection(fault: FaultName, kind: RenewalFailureKind) -> Option<String> {
        fault.objection_to_renewal(&Err(RenewalFailure { kind, detail: String::new(), contact: None }), false)
    }

    #[test]
    fn no_fault_ends_a_connection_or_blames_what_is_not_at_fault() {
        for fault in FaultName::ALL.into_iter().chain(FaultName::OF_RENEWALS) {
            let ended = objection(fault, RenewalFailureKind::Ended).unwrap();
            assert!(ended.contains(" must not end a connection: this must be "), "{fault}: {ended}");
            let refused = objection(fault, RenewalFailureKind::ClientRefused);
            assert_eq!(refused.is_none(), fault == FaultName::Unauthorized, "{fault}: {refused:?}");
            assert!(objection(fault, RenewalFailureKind::NotRenewable(Vec::new())).is_some(), "{fault}");
            assert_eq!(fault.as_str().parse::<FaultName>(), Ok(fault));
        }
    }

    #[test]
    fn a_renewal_tells_a_fault_as_a_verification_does() {
        use RenewalFailureKind as Kind;
        for (fault, right, wrong) in [
            (FaultName::TooManyRequests, Kind::RateLimited(Some(30)), Kind::RateLimited(None)),
            (FaultName::Unavailable, Kind::ProviderError(503), Kind::ProviderError(500)),
            (FaultName::UnavailableRefusal, Kind::ProviderError(503), Kind::UnexpectedAnswer),
            (FaultName::Timeout, Kind::Unreachable(Unreachable::Timeout), Kind::UnexpectedAnswer),
            (FaultName::EmptyBody, Kind::UnexpectedAnswer, Kind::RateLimited(Some(30))),
            (FaultName::Redirect, Kind::UnexpectedAnswer, Kind::RateLimited(None)),
        ] {
            assert_eq!(objection(fault, right), None, "{fault}");
            let wrong = objection(fault, wrong).unwrap();
            assert!(wrong.starts_with("the provider was at fault, not the tokens: this must be "), "{fault}: {wrong}");
        }
    }
}
