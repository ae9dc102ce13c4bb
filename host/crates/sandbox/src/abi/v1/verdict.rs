//! A plugin's verdict.

use super::bindings::{MAX_SENTENCE, wire};
use crate::call_state::CallState;
use crate::verdict::{FailureKind, Unreachable, Verdict, VerificationFailure, Verified};

/// Entries of a list that a plugin returns: scopes, warnings, config values.
pub(super) const MAX_LIST: usize = 100;

/// Maximum wait that a plugin can report, in seconds: a day. A longer one of a provider is a point in time, or in
/// another unit.
pub(super) const LONGEST_WAIT: u32 = 24 * 60 * 60;

/// The verdict on a value that no request could be built with. It replaces the plugin's own verdict.
pub(crate) fn unusable(state: &CallState) -> Option<Verdict> {
    let unusable = state.unusable.as_ref()?;
    Some(unusable.verdict(|detail| state.sentence(detail, MAX_SENTENCE)))
}

/// A plugin's verdict. Every text in it is redacted and cut, since it is shown to callers.
pub(crate) fn verdict(state: &CallState, wire: Result<wire::Verified, wire::Failure>) -> Verdict {
    let sentence = |text: String| state.sentence(&text, MAX_SENTENCE);
    let list = |texts: Vec<String>| texts.into_iter().take(MAX_LIST).map(sentence).collect::<Vec<_>>();
    match wire {
        Ok(verified) => Verdict::Verified(Verified {
            provider_account_id: verified.account_id.map(sentence),
            display_name: verified.display_name.map(sentence),
            scopes: list(verified.scopes),
            expires_at: verified.expires_at,
            warnings: list(verified.warnings),
            config: verified.config.into_iter().take(MAX_LIST).map(|(k, v)| (sentence(k), sentence(v))).collect(),
            contact: state.contact(),
        }),
        Err(failure) => {
            let kind = match failure.kind {
                wire::FailureKind::Rejected(fields) => FailureKind::Rejected(list(fields)),
                wire::FailureKind::InsufficientScope(scopes) => FailureKind::InsufficientScope(list(scopes)),
                wire::FailureKind::WrongTenant(fields) => FailureKind::WrongTenant(list(fields)),
                wire::FailureKind::AccountSuspended => FailureKind::AccountSuspended,
                wire::FailureKind::RateLimited(seconds) => {
                    let wait = seconds.or(state.retry_after);
                    FailureKind::RateLimited(wait.map(|seconds| seconds.min(LONGEST_WAIT)))
                }
                wire::FailureKind::Unreachable(kind) => FailureKind::Unreachable(unreachable_kind(kind)),
                wire::FailureKind::ProviderError(status) => FailureKind::ProviderError(status),
                wire::FailureKind::UnexpectedAnswer => FailureKind::UnexpectedAnswer,
                wire::FailureKind::NotVerifiable => FailureKind::NotVerifiable,
            };
            Verdict::Failed(VerificationFailure { kind, detail: sentence(failure.detail), contact: state.contact() })
        }
    }
}

pub(super) fn unreachable_kind(kind: wire::UnreachableKind) -> Unreachable {
    match kind {
        wire::UnreachableKind::Dns => Unreachable::Dns,
        wire::UnreachableKind::Refused => Unreachable::Refused,
        wire::UnreachableKind::Tls => Unreachable::Tls,
        wire::UnreachableKind::Timeout => Unreachable::Timeout,
        wire::UnreachableKind::Denied => Unreachable::Denied,
        wire::UnreachableKind::Transport => Unreachable::Transport,
    }
}
