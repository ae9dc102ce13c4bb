//! The verdict on a credential with a value that makes it impossible to build a request. The host gives it, independently of how
//! the plugin handles the error, so that it is the same for every plugin.
//!
//! A field of the credential is rejected. A token that the provider returned is reported as an unexpected answer. In every other
//! case the error is the plugin's mistake, and the plugin's verdict is kept.

use super::verdict::{FailureKind, Verdict, VerificationFailure};
use keyferry_egress::{Culprit, SendError};
use keyferry_types::secret::SharedSecret;

/// The values of one call by the names that people know them by.
#[derive(Default)]
pub(super) struct Named {
    fields: Vec<(String, SharedSecret)>,
    minted: Vec<(String, SharedSecret)>,
}

/// Why no request could be built, as far as it is about a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable {
    kind: FailureKind,
    detail: String,
}

impl Named {
    /// A field of the credential.
    pub(super) fn field(&mut self, name: &str, value: &SharedSecret) {
        self.fields.push((name.to_owned(), SharedSecret::clone(value)));
    }

    /// A token that stood in an answer, at that JSON pointer.
    pub(super) fn minted(&mut self, pointer: &str, token: &SharedSecret) {
        self.minted.push((pointer.to_owned(), SharedSecret::clone(token)));
    }

    /// The verdict on the values that a request failed on, if any of them is known.
    pub(super) fn unusable(&self, error: &SendError) -> Option<Unusable> {
        let culprit = error.culprit.as_deref()?;
        let among = |values: &[(String, SharedSecret)]| -> Vec<String> {
            Culprit::among(culprit, values.iter().map(|(name, value)| (name.as_str(), value)))
        };
        let message = &error.message;
        let fields = among(&self.fields);
        if !fields.is_empty() {
            let names = fields.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            let detail = format!("{names} cannot be used: {message}");
            return Some(Unusable { kind: FailureKind::Rejected(fields), detail });
        }
        let pointer = among(&self.minted).into_iter().next()?;
        let detail = format!("the provider answered with a token at {pointer} that cannot be used: {message}");
        Some(Unusable { kind: FailureKind::UnexpectedAnswer, detail })
    }
}

impl Unusable {
    /// The verdict, with a detail that is fit to be shown.
    pub(super) fn verdict(&self, shown: impl FnOnce(&str) -> String) -> Verdict {
        Verdict::Failed(VerificationFailure { kind: self.kind.clone(), detail: shown(&self.detail), contact: None })
    }
}
