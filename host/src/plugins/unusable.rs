//! A request that could not be built because of a value: whatever the plugin makes of it, the verdict is the host's, so that it
//! is the same for every plugin.
//!
//! A value of the caller's is rejected by its field: no provider will ever see it. A token that the provider answered with is
//! the provider's, and is an answer that is not understood. What is neither is the plugin's own mistake, and its verdict stands.

use super::verdict::{Failure, FailureKind, Verdict};
use crate::egress::{Culprit, SendError};
use crate::secret::SharedSecret;

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

    /// What a request failed on, if it is one of these values.
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
        Verdict::Failed(Failure { kind: self.kind.clone(), detail: shown(&self.detail), contact: None })
    }
}
