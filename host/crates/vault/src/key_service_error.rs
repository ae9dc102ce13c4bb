//! Failures of a key service, classified by who has to act.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyferry_types::retry_after;

/// A call to a key service that failed. It holds no key material, and the service's own words only as far as they are short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (key {key}): {detail}")]
pub struct KeyServiceError {
    /// The key, as it was configured.
    pub key: String,
    /// Kind of the failure; decides when to try again.
    pub fault: KeyServiceFault,
    /// Message of the service or of the connection.
    pub detail: String,
    /// Wait that the service asks for, by `Retry-After` of its response.
    pub wait: Option<Duration>,
}

/// The kinds of failed calls to a key service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyServiceFault {
    /// It could not be reached, did not respond in time, is sealed, or failed itself. It may recover.
    Unreachable,
    /// It received too many requests.
    Throttled,
    /// It does not accept the credentials, or they do not allow this.
    Refused,
    /// It has no such key.
    KeyMissing,
    /// The key is disabled, about to be deleted, or may not open what is this old.
    KeyDisabled,
    /// The key does not open this: it was wrapped by another key or for another place, or is damaged.
    DoesNotOpen,
    /// Its response is invalid.
    Unexpected,
}

/// The longest detail, in characters.
const LONGEST: usize = 300;

impl KeyServiceError {
    pub(crate) fn new(key: &str, fault: KeyServiceFault, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        Self { key: key.to_owned(), fault, detail, wait: None }
    }

    /// Adds the wait that `Retry-After` of the response asks for, where waiting may help.
    pub(crate) fn asking_to_wait(mut self, retry_after: Option<&str>) -> Self {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        let seconds = retry_after.filter(|_| self.fault.may_pass()).and_then(|text| retry_after::seconds(text, now_ms));
        self.wait = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
        self
    }

    /// When to try again: when the service says, or else as the fault suggests.
    pub fn retry_after(&self) -> Duration {
        self.wait.unwrap_or_else(|| self.fault.retry_after()).max(Duration::from_secs(1))
    }
}

impl KeyServiceFault {
    /// Whether waiting may be all that is needed.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::Throttled)
    }

    /// Whether the service works and what it was given is at fault.
    pub(crate) fn is_about_what_was_given(self) -> bool {
        self == Self::DoesNotOpen
    }

    /// When to try again, where the service does not say.
    fn retry_after(self) -> Duration {
        match self {
            Self::Throttled => Duration::from_secs(2),
            Self::Unreachable => Duration::from_secs(5),
            // The operator has to act first.
            _ => Duration::from_secs(60),
        }
    }

    /// For those who need not know which key it is.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Unreachable => "the key service does not answer",
            Self::Throttled => "the key service is asked too often",
            Self::Refused => "the key service refuses Keyferry's credentials",
            Self::KeyMissing => "the key service has no such key",
            Self::KeyDisabled => "the key service has the key disabled",
            Self::DoesNotOpen => "the key of the key service does not open what it is to open",
            Self::Unexpected => "the key service sent an invalid response",
        }
    }
}

impl fmt::Display for KeyServiceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_says_when_to_come_back_is_asked_then() {
        let after = |fault, text| KeyServiceError::new("k", fault, "").asking_to_wait(text).retry_after().as_secs();
        for (text, throttled, refused) in
            [(None, 2, 60), (Some("30"), 30, 60), (Some("7.5"), 8, 60), (Some("0"), 1, 60), (Some("soon"), 2, 60)]
        {
            assert_eq!(after(KeyServiceFault::Throttled, text), throttled, "{text:?}");
            assert_eq!(after(KeyServiceFault::Refused, text), refused, "waiting does not help: {text:?}");
        }
    }

    #[test]
    fn what_a_service_says_is_cut_and_cannot_break_lines() {
        let error = KeyServiceError::new("k", KeyServiceFault::Refused, format!("a\nb\u{1b}[31m{}", "x".repeat(9_000)));
        assert!(error.detail.starts_with("ab[31mxxx") && error.detail.len() == LONGEST, "{}", error.detail);
        assert!(error.to_string().starts_with("the key service refuses Keyferry's credentials (key k): ab"));
    }
}
