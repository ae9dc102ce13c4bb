//! [`Outcome`]: the result of an attempt at a row, for programs and for people, and whether another attempt can help.

use std::time::Duration;

use super::rate_controller::ProviderOutcome;
use keyferry_sandbox::{CallError, Contact, FailureKind, Reached, Unreachable, Verdict, VerificationFailure};
use keyferry_schema::Violations;
use keyferry_service::{Action, Proof, ServiceError, Skip, Stored};
use keyferry_store::{Again, RowState, StoreError};
use keyferry_vault::VaultError;

/// Bytes of a row's sentence.
const LONGEST_DETAIL: usize = 1000;
/// The wait while a condition of this server stops all rows: the ledger or the keys cannot be used.
pub(super) const WAIT: Duration = Duration::from_secs(2);
/// Warnings of a row.
pub(super) const MOST_WARNINGS: usize = 20;
/// Fields that are named.
const MOST_FIELDS: usize = 20;

/// The result of an attempt at a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) state: RowState,
    /// The stable code of the outcome.
    pub(super) code: &'static str,
    /// The reason in words.
    pub(super) detail: Option<String>,
    /// The fields that are wrong.
    pub(super) fields: Vec<String>,
    /// What is worth knowing besides, for people.
    pub(super) warnings: Vec<String>,
    /// Whether trying again later can help.
    pub(super) again: Again,
    /// How the provider took the request.
    pub(super) provider: ProviderOutcome,
    /// Where the provider was asked, and how far that came.
    pub(super) contact: Option<Contact>,
}

/// A condition of this server that stops all rows. The row is not settled.
#[derive(Debug)]
pub(super) struct Blocked {
    /// What it is, for people.
    pub(super) reason: String,
    /// When it is worth trying again.
    pub(super) wait: Duration,
}

impl Outcome {
    fn done(code: &'static str) -> Self {
        Self {
            state: RowState::Done,
            code,
            detail: None,
            fields: Vec::new(),
            warnings: Vec::new(),
            again: Again::Never,
            provider: ProviderOutcome::Fine,
            contact: None,
        }
    }

    fn failed(code: &'static str, detail: String, again: Again, provider: ProviderOutcome) -> Self {
        Self { state: RowState::Failed, detail: Some(detail), again, provider, ..Self::done(code) }
    }

    /// Of a credential that is stored.
    pub(super) fn stored(stored: &Stored) -> Self {
        Self::done(match (stored.action, stored.proof) {
            (Action::Created, Proof::Verified) => "created",
            (Action::Created, Proof::Unverified) => "created_unverified",
            (Action::Updated, Proof::Verified) => "updated",
            (Action::Updated, Proof::Unverified) => "updated_unverified",
        })
    }

    /// Of a row for which there is nothing to do.
    pub(super) fn skipped(skip: Skip) -> Self {
        let (code, detail) = match skip {
            Skip::Exists => ("exists", "the account has a credential for the app already"),
            Skip::NotNewer => ("not_newer", "the stored credential is not older than the row's"),
        };
        Self { state: RowState::Skipped, detail: Some(detail.to_owned()), ..Self::done(code) }
    }

    /// Of a verdict that was all that was asked for.
    pub(super) fn checked(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Verified(verified) => Self { contact: verified.contact.clone(), ..Self::done("verified") },
            Verdict::Failed(failure) => Self::not_verified(failure),
        }
    }

    /// Of a row that did not happen; or what is in the way of all rows.
    pub(super) fn refused(error: &ServiceError) -> Result<Self, Blocked> {
        let detail = error.to_string();
        let never = |code| Self::failed(code, detail.clone(), Again::Never, ProviderOutcome::Fine);
        let later = |code, provider| Self::failed(code, detail.clone(), Again::Possible, provider);
        let blocked = |wait| Err(Blocked { reason: detail.clone(), wait });
        Ok(match error {
            ServiceError::NotVerified(failure) => Self::not_verified(failure),
            ServiceError::Content(violations) => Self { fields: fields(violations), ..never(error.code()) },
            // The credential has not been tried: its row waits until the limit of rejected credentials allows it.
            ServiceError::LimitReached(limit) => return blocked(limit.wait),
            ServiceError::Plugin(CallError::Busy { retry_after, .. }) => return blocked(*retry_after),
            ServiceError::Plugin(call) => later(call.code(), ProviderOutcome::Fine),
            ServiceError::AppNotInService { .. } | ServiceError::Contended => {
                later(error.code(), ProviderOutcome::Fine)
            }
            ServiceError::Store(StoreError::TooLarge { .. }) => never("too_large"),
            ServiceError::Vault(VaultError::KeyService(error)) => {
                return blocked(error.wait.unwrap_or(WAIT).max(WAIT));
            }
            ServiceError::Store(_) => return blocked(WAIT),
            _ => never(error.code()),
        })
    }

    fn not_verified(failure: &VerificationFailure) -> Self {
        let detail = failure.detail.clone();
        let never = |fields: &[String]| Self {
            fields: fields.iter().take(MOST_FIELDS).cloned().collect(),
            contact: failure.contact.clone(),
            ..Self::failed(failure.kind.code(), detail.clone(), Again::Never, ProviderOutcome::Fine)
        };
        let later = |provider| Self {
            contact: failure.contact.clone(),
            ..Self::failed(failure.kind.code(), detail.clone(), Again::Possible, provider)
        };
        match &failure.kind {
            FailureKind::Rejected(fields) | FailureKind::WrongTenant(fields) => never(fields),
            // Scopes are no fields; the sentence has them.
            FailureKind::InsufficientScope(_)
            | FailureKind::AccountSuspended
            | FailureKind::UnexpectedAnswer
            | FailureKind::NotVerifiable => never(&[]),
            FailureKind::RateLimited(wait) => {
                later(ProviderOutcome::RateLimited(wait.map(|seconds| Duration::from_secs(seconds.into()))))
            }
            FailureKind::Unreachable(
                Unreachable::Dns | Unreachable::Refused | Unreachable::Tls | Unreachable::Denied,
            ) => later(ProviderOutcome::NotConnected),
            FailureKind::Unreachable(Unreachable::Timeout | Unreachable::Transport) => {
                // The very start of an exchange: to connect took too long, or was broken off.
                let reached = failure.contact.as_ref().map(|contact| contact.reached);
                later(if reached == Some(Reached::Unconnected) {
                    ProviderOutcome::NotConnected
                } else {
                    ProviderOutcome::Failing
                })
            }
            FailureKind::ProviderError(_) => later(ProviderOutcome::Failing),
        }
    }

    /// The outcome of a row whose work ended in a panic.
    pub(super) fn inside() -> Self {
        let detail = "something went wrong inside the server; its log says more".to_owned();
        Self::failed("internal", detail, Again::Possible, ProviderOutcome::Fine)
    }

    /// The sentence, cut where it is too long.
    pub(super) fn shown_detail(&self) -> Option<String> {
        let detail = self.detail.as_deref()?;
        let end = detail.char_indices().map(|(at, _)| at).find(|at| *at >= LONGEST_DETAIL).unwrap_or(detail.len());
        detail.get(..end).map(str::to_owned)
    }
}

fn fields(violations: &Violations) -> Vec<String> {
    let places = violations.list().iter().map(|violation| violation.place.clone());
    places.take(MOST_FIELDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: FailureKind) -> Outcome {
        Outcome::refused(&ServiceError::NotVerified(VerificationFailure {
            kind,
            detail: "said so".to_owned(),
            contact: None,
        }))
        .unwrap()
    }

    #[test]
    fn only_what_says_nothing_of_the_credential_is_worth_trying_again() {
        for (kind, code, again, went) in [
            (FailureKind::Rejected(vec!["token".to_owned()]), "rejected", Again::Never, ProviderOutcome::Fine),
            (FailureKind::InsufficientScope(Vec::new()), "insufficient_scope", Again::Never, ProviderOutcome::Fine),
            (FailureKind::WrongTenant(Vec::new()), "wrong_tenant", Again::Never, ProviderOutcome::Fine),
            (FailureKind::AccountSuspended, "account_suspended", Again::Never, ProviderOutcome::Fine),
            (FailureKind::UnexpectedAnswer, "unexpected_answer", Again::Never, ProviderOutcome::Fine),
            (FailureKind::NotVerifiable, "not_verifiable", Again::Never, ProviderOutcome::Fine),
            (FailureKind::RateLimited(None), "rate_limited", Again::Possible, ProviderOutcome::RateLimited(None)),
            (FailureKind::Unreachable(Unreachable::Dns), "unreachable", Again::Possible, ProviderOutcome::NotConnected),
            (FailureKind::Unreachable(Unreachable::Timeout), "unreachable", Again::Possible, ProviderOutcome::Failing),
            (FailureKind::ProviderError(503), "provider_error", Again::Possible, ProviderOutcome::Failing),
        ] {
            let outcome = of(kind);
            assert_eq!((outcome.code, outcome.again, outcome.provider), (code, again, went));
            assert_eq!(outcome.state, RowState::Failed);
        }
        assert_eq!(of(FailureKind::Rejected(vec!["token".to_owned()])).fields, ["token"]);
    }

    #[test]
    fn a_connection_that_took_too_long_is_as_one_that_was_refused() {
        for (reached, went) in
            [(Reached::Unconnected, ProviderOutcome::NotConnected), (Reached::Unanswered, ProviderOutcome::Failing)]
        {
            for how in [Unreachable::Timeout, Unreachable::Transport] {
                let contact = Some(Contact { host: "acme.example.com".into(), reached });
                let failure = VerificationFailure {
                    kind: FailureKind::Unreachable(how),
                    detail: "late".to_owned(),
                    contact: contact.clone(),
                };
                let outcome = Outcome::refused(&ServiceError::NotVerified(failure)).unwrap();
                assert_eq!((outcome.provider, outcome.contact), (went, contact));
            }
        }
    }

    #[test]
    fn what_is_in_the_way_of_all_rows_is_no_rows_failure() {
        let full = StoreError::NoSpace { free: 1, needed: 2, path: "/data".into() };
        let busy = CallError::Busy { slots: 1, queue: 1, retry_after: Duration::from_secs(1) };
        for error in [ServiceError::Store(full), ServiceError::Plugin(busy)] {
            assert!(Outcome::refused(&error).is_err(), "{error}");
        }
    }

    #[test]
    fn a_long_sentence_is_cut_between_characters() {
        let outcome = Outcome::failed("rejected", "\u{e9}".repeat(2000), Again::Never, ProviderOutcome::Fine);
        assert_eq!(outcome.shown_detail().unwrap().len(), LONGEST_DETAIL);
    }
}
