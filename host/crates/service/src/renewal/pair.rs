//! Which tokens of a credential are due.

use std::time::Duration;

use super::problem::{RenewalProblem, left_until};
use keyferry_sandbox::{AppDescription, Renewable};
use keyferry_schema::Credential;
use keyferry_store::{Check, IntegrationRecord, Reauth, Timestamp};
use keyferry_types::moment::Moment;
use keyferry_types::secret::SharedSecret;

/// What a reader, or the state of the credential, needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// An access token that lasts for this time.
    Least(Duration),
    /// Another access token: the provider has rejected this one, whatever is left of it.
    Another,
}

impl Need {
    /// What a credential needs for a reader that needs this. A token that was rejected by a verification may only have ended: a refresh
    /// token brings it back.
    ///
    /// # Errors
    /// If its refresh token has ended, or may have been spent.
    pub(super) fn of(record: &IntegrationRecord, least: Duration) -> Result<Self, RenewalProblem> {
        let is_final = |check: &Check| matches!(check.outcome.as_str(), "ended" | "interrupted");
        let mut failures = record.renewals.values().filter_map(|state| state.last_failure.as_ref());
        match record.reauth {
            Reauth::NotRequired => Ok(Self::Least(least)),
            Reauth::Required if failures.any(is_final) => {
                Err(RenewalProblem::ReauthRequired { why: why_expired(record) })
            }
            Reauth::Required => Ok(Self::Another),
        }
    }
}

/// Why a credential has expired, in the words of the last renewal or verification.
pub(super) fn why_expired(record: &IntegrationRecord) -> String {
    let failures = record.renewals.values().filter_map(|state| state.last_failure.as_ref());
    let last = failures.chain(&record.check).max_by_key(|check| check.at);
    let why = last.and_then(|check| check.detail.clone());
    why.unwrap_or_else(|| "the provider rejected the credential".to_owned())
}

/// The time that a token of a pair has to last for a reader that needs this. No token lasts longer than its life; a tenth of it may pass
/// before the next renewal, so that readers that ask for too much do not renew with each read.
pub(super) fn capped(least: Duration, record: &IntegrationRecord, pair: &Renewable) -> Duration {
    let state = record.renewals.get(&pair.access_token);
    let told = state.and_then(|state| state.life_secs).map(Duration::from_secs);
    told.or(pair.access_life).map_or(least, |life| least.min(life - life / 10))
}

/// When an access token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// At this moment.
    At(Timestamp),
    /// The end is not known, and tokens of this kind do end.
    Unknown,
    /// Neither provider nor plugin names an end.
    Never,
}

impl End {
    /// Whether less than this is left of it.
    pub(super) fn is_due(self, least: Duration, now: Timestamp) -> bool {
        match self {
            Self::At(end) => left_until(end, now) < least,
            Self::Unknown => true,
            Self::Never => false,
        }
    }

    fn left(self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::At(end) => Some(left_until(end, now)),
            Self::Unknown | Self::Never => None,
        }
    }
}

/// The pairs that a plugin can renew of an auth type.
pub(super) fn of_auth_type<'a>(
    app: &'a AppDescription,
    record: &'a IntegrationRecord,
) -> impl Iterator<Item = &'a Renewable> {
    app.renewables.iter().filter(|pair| pair.auth_type == record.auth_type)
}

/// The value of a field.
pub(super) fn value<'a>(credential: &'a Credential, name: &str) -> Option<&'a SharedSecret> {
    let field = credential.fields.iter().find(|field| field.name.as_str() == name);
    field.map(|field| &field.value).filter(|value| !value.expose().is_empty())
}

/// When the access token of a pair ends.
pub(super) fn end_of(record: &IntegrationRecord, credential: &Credential, pair: &Renewable, alone: bool) -> End {
    let renewed = record.renewals.get(&pair.access_token).and_then(|state| state.expires_at);
    let named = || {
        let text = credential.plain(pair.expires_at.as_ref()?.as_str())?;
        Moment::read(text).ok().map(|moment| Timestamp::from_millis(moment.millis))
    };
    let verified = record.expires_at.filter(|_| alone);
    match renewed.or(verified).or_else(named) {
        Some(end) => End::At(end),
        None => unnamed_end(record, pair),
    }
}

/// What is known of the end of an access token for which none is named. A renewal whose answer names no end, of an app that declares
/// none, is of a token that does not end.
pub(super) fn unnamed_end(record: &IntegrationRecord, pair: &Renewable) -> End {
    let is_renewed = record.renewals.get(&pair.access_token).is_some_and(|state| state.renewed_at.is_some());
    if pair.access_life.is_some() && !is_renewed { End::Unknown } else { End::Never }
}

/// The first pair that has to be renewed.
///
/// # Errors
/// If such a pair cannot be renewed.
pub(super) fn first_due<'a>(
    app: &'a AppDescription,
    record: &'a IntegrationRecord,
    credential: &Credential,
    need: Need,
    now: Timestamp,
) -> Result<Option<&'a Renewable>, RenewalProblem> {
    let pairs = || of_auth_type(app, record).filter(|pair| value(credential, pair.access_token.as_str()).is_some());
    let alone = pairs().count() == 1;
    for pair in pairs() {
        let end = end_of(record, credential, pair, alone);
        let is_due = match need {
            Need::Least(least) => end.is_due(capped(least, record, pair), now),
            Need::Another => true,
        };
        if !is_due {
            continue;
        }
        let has_token = pair.refresh_token.as_ref().is_none_or(|name| value(credential, name.as_str()).is_some());
        match end {
            _ if has_token => return Ok(Some(pair)),
            _ if need == Need::Another => return Err(RenewalProblem::ReauthRequired { why: why_expired(record) }),
            End::At(_) => return Err(RenewalProblem::NoRefreshToken { left: end.left(now) }),
            // It may work for long: nothing says that it does not.
            End::Unknown | End::Never => {}
        }
    }
    Ok(None)
}
