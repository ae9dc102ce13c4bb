//! [`Call`]: grants, budget and known secrets of one call of a plugin.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use keyferry_types::secret::SharedSecret;

use super::contact::Contact;
use super::error::{ErrorKind, SendError};
use super::grant::GrantSet;
use super::observer::ExchangeObserver;
use super::redact::Redactor;
use super::settings::EgressLimits;

/// One call of a plugin: the requests it may make, how many of them are left, and every secret that they may contain.
pub struct Call {
    grants: Arc<GrantSet>,
    deadline: Instant,
    requests: u32,
    requests_left: u32,
    known: Vec<SharedSecret>,
    redactor: Redactor,
    observer: Option<Arc<dyn ExchangeObserver>>,
    contact: Option<Contact>,
}

impl Call {
    /// A call that may make the requests that `grants` cover, until `deadline`.
    pub fn new(grants: Arc<GrantSet>, deadline: Instant, limits: &EgressLimits) -> Self {
        Self {
            grants,
            deadline,
            requests: limits.requests_per_call,
            requests_left: limits.requests_per_call,
            known: Vec::new(),
            redactor: Redactor::default(),
            observer: None,
            contact: None,
        }
    }

    /// The same call, with an observer of its requests.
    pub fn with_observer(self, observer: Arc<dyn ExchangeObserver>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Adds a secret to those that are redacted in every response and in each argument of [`redact`](Self::redact).
    /// Secrets that a request contains are added without this call.
    pub fn add_secret(&mut self, secret: SharedSecret) {
        if !self.known.iter().any(|known| Arc::ptr_eq(known, &secret) || known.expose() == secret.expose()) {
            self.redactor.add(&secret);
            self.known.push(secret);
        }
    }

    /// Replaces every known secret in a text by `***`, in all its forms: percent-encoded, escaped for JSON, HTML or a
    /// programming language, in base64, hexadecimal or another case, broken into lines, and several of these at once.
    /// Of values shorter than 4 bytes only whole quoted strings are replaced; words and short values are found in their
    /// own case only.
    pub fn redact(&self, text: &str) -> String {
        self.redactor.redact_text(text).into_owned()
    }

    /// As [`redact`](Self::redact), for the beginning of a text, of about this many bytes, at a cost that does not depend on the rest.
    pub fn redact_beginning(&self, text: &str, bytes: usize) -> String {
        self.redactor.redact_beginning(text, bytes)
    }

    /// As [`redact`](Self::redact), for bytes that need not be text.
    pub fn redact_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.redactor.redact(bytes).into_owned()
    }

    /// End of the call; no request lasts longer.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Number of requests that the call may still make.
    pub fn requests_left(&self) -> u32 {
        self.requests_left
    }

    /// Host and progress of the last request that the grants allowed; `None` before the first one.
    pub fn contact(&self) -> Option<&Contact> {
        self.contact.as_ref()
    }

    pub(super) fn set_contact(&mut self, contact: Contact) {
        self.contact = Some(contact);
    }

    pub(super) fn grants(&self) -> &GrantSet {
        &self.grants
    }

    pub(super) fn observer(&self) -> Option<&Arc<dyn ExchangeObserver>> {
        self.observer.as_ref()
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Takes one request off the budget. Every attempt counts, also a denied one, so that a plugin that sends in a loop
    /// ends.
    pub(super) fn take_request(&mut self) -> Result<(), SendError> {
        if Instant::now() >= self.deadline {
            return Err(SendError::unsent(ErrorKind::BudgetExhausted, "the time for this call is used up"));
        }
        let left = self.requests_left.checked_sub(1).ok_or_else(|| {
            let message = format!("the {} requests that one call may make are used up", self.requests);
            SendError::unsent(ErrorKind::BudgetExhausted, message)
        })?;
        self.requests_left = left;
        Ok(())
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("deadline", &self.deadline)
            .field("requests_left", &self.requests_left)
            .field("secrets", &self.known.len())
            .finish_non_exhaustive()
    }
}
