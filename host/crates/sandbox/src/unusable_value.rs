//! The verdict on a credential with a value that makes it impossible to build a request. The host gives it, independently of how
//! the plugin handles the error, so that it is the same for every plugin.
//!
//! A field of the credential is rejected. A token that the provider returned is reported as an unexpected response. In every other
//! case the error is the plugin's mistake, and the plugin's verdict is kept.

use super::verdict::{FailureKind, Verdict, VerificationFailure};
use keyferry_egress::SendError;
use keyferry_types::secret::SharedSecret;

/// The values of one call by the names that users know.
#[derive(Default)]
pub(super) struct NamedValues {
    fields: Vec<(String, SharedSecret)>,
    minted: Vec<(String, SharedSecret)>,
}

/// A value that no request could be built with, and the failure that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnusableValue {
    kind: FailureKind,
    detail: String,
}

impl NamedValues {
    /// Adds a field of the credential.
    pub(super) fn field(&mut self, name: &str, value: &SharedSecret) {
        self.fields.push((name.to_owned(), SharedSecret::clone(value)));
    }

    /// Adds a token from a response, at that JSON pointer.
    pub(super) fn minted(&mut self, pointer: &str, token: &SharedSecret) {
        self.minted.push((pointer.to_owned(), SharedSecret::clone(token)));
    }

    /// The first value that a request could not be built with, if it is one of these.
    pub(super) fn unusable(&self, error: &SendError) -> Option<UnusableValue> {
        let offending = error.offending.as_deref()?;
        let among = |values: &[(String, SharedSecret)]| -> Vec<String> {
            offending.names_among(values.iter().map(|(name, value)| (name.as_str(), value)))
        };
        let message = &error.message;
        let fields = among(&self.fields);
        if !fields.is_empty() {
            let names = fields.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            let detail = format!("{names} cannot be used: {message}");
            return Some(UnusableValue { kind: FailureKind::Rejected(fields), detail });
        }
        let pointer = among(&self.minted).into_iter().next()?;
        let detail = format!("the provider answered with a token at {pointer} that cannot be used: {message}");
        Some(UnusableValue { kind: FailureKind::UnexpectedAnswer, detail })
    }
}

impl UnusableValue {
    /// The verdict, with a detail that is fit to be shown.
    pub(super) fn verdict(&self, shown: impl FnOnce(&str) -> String) -> Verdict {
        Verdict::Failed(VerificationFailure { kind: self.kind.clone(), detail: shown(&self.detail), contact: None })
    }
}
