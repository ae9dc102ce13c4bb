//! Renewing what is due of one integration.
//!
//! 1. The intent is durable before the provider is asked, and holds a keyed hash of the refresh token.
//! 2. The plugin renews. The new tokens are in this process only.
//! 3. They are stored as the next version of the integration. Only then do readers get them.
//!
//! A process that ends between 1 and 3 leaves the intent. Whether the old token may be used once more then is what the app says of
//! its provider. A failure leaves none: the provider refused, or answered nothing, and is asked again later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::backoff;
use super::client::Chosen;
use super::flights::Outcome;
use super::pair::{self, End, Need};
use super::persist::{Persisted, refused, unavailable};
use super::problem::{RenewalProblem, left_until};
use crate::credential_service::CredentialService;
use crate::error::ServiceError;
use crate::keys;
use keyferry_sandbox::{App, Renewable, RenewalFailure, RenewalFailureKind, Renewed, Rotation, Unreachable};
use keyferry_schema::{Credential, Secrecy};
use keyferry_store::{
    AuditEvent, BeginRenewal, Begun, Check, IntegrationKey, IntegrationRecord, Reauth, Renewal, RenewalEnd,
    RenewalIntent, RenewalState, RenewalWrite, Timestamp,
};
use keyferry_telemetry::metrics;
use keyferry_types::ids::FieldName;
use keyferry_types::secret::{Secret, SharedSecret};

/// How long a renewal may take in all, waiting for another host's included.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often another host's renewal is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// A token that would end sooner than this was not renewed: the provider's answer is not believed.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// A token that would last longer than this does not end, as far as anybody can say: ten years.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// The integration as it was read, with its credential, and what is to be renewed of it.
struct Due<'a> {
    app: &'a App,
    key: &'a IntegrationKey,
    record: &'a IntegrationRecord,
    credential: &'a Credential,
    pair: &'a Renewable,
    /// The event of the reader that began the renewal.
    audit: &'a AuditEvent,
}

/// What follows a step.
enum Next {
    /// What is stored has changed: it is read again.
    ReadAgain,
    /// Another host renews: it is looked at after a while.
    Wait,
}

impl CredentialService {
    /// Renews each pair of an integration of which less than `least` is left.
    pub(super) async fn renew_due(self: Arc<Self>, key: IntegrationKey, least: Duration, audit: AuditEvent) -> Outcome {
        let patience = Instant::now() + PATIENCE;
        loop {
            let app = self.app(key.slug.as_str()).map_err(app_away)?;
            let record = self.store.integration(&key).await.map_err(|error| unavailable(&error))?;
            let Some(record) = record else { return Err(RenewalProblem::Gone) };
            let need = Need::of(&record, least)?;
            keys::unlock(self.store.as_ref(), &self.vault, &key.account.org).await.map_err(|error| refused(&error))?;
            let credential = self.opened(&app, &key, &record).map_err(|error| refused(&error))?;
            let Some(pair) = pair::first_due(&app.description, &record, &credential, need, Timestamp::now())? else {
                return match need {
                    Need::Least(_) => Ok(()),
                    Need::Another => Err(RenewalProblem::ReauthRequired { why: pair::why_expired(&record) }),
                };
            };
            let due = Due { app: &app, key: &key, record: &record, credential: &credential, pair, audit: &audit };
            match self.renew_pair(&due).await? {
                Next::ReadAgain => {}
                Next::Wait => sleep(LOOK).await,
            }
            if Instant::now() >= patience {
                let why = "another server renews it, or it changes all the time".to_owned();
                return Err(RenewalProblem::Unavailable { why, retry_after: Duration::from_secs(1) });
            }
        }
    }

    async fn renew_pair(&self, due: &Due<'_>) -> Result<Next, RenewalProblem> {
        let now = Timestamp::now();
        let state = due.record.renewals.get(&due.pair.access_token).cloned().unwrap_or_default();
        if let Some(next) = state.next_try_at.filter(|next| now < *next) {
            return Err(again_at(&state, next, now));
        }
        if due.app.renewal_grants.is_empty() {
            return Err(RenewalProblem::NotGranted { slug: due.key.slug.to_string() });
        }
        let client = self.client_for(due.key, due.credential, due.pair).await?;
        let spent = due.pair.refresh_token.as_ref().and_then(|name| pair::value(due.credential, name.as_str()));
        let spent = spent.map_or("", |token| token.expose()).as_bytes();
        let spent = self.vault.fingerprint(&due.key.account.org, "renewal", spent);
        let spent = spent.map_err(|error| refused(&error.into()))?.to_vec();
        let intent = RenewalIntent { at: now, spent };
        let after = state.intent.as_ref().filter(|former| may_follow(due.pair.rotation, former, now)).cloned();
        let begin = BeginRenewal {
            key: due.key.clone(),
            id: due.record.id,
            version: due.record.version,
            pair: due.pair.access_token.clone(),
            intent,
            after,
        };
        match self.store.begin_renewal(begin).await.map_err(|error| unavailable(&error))? {
            Begun::Ours => {}
            Begun::Theirs => return Ok(Next::Wait),
            Begun::Overtaken => return Ok(Next::ReadAgain),
            Begun::Interrupted(former) if Some(&former) == state.intent.as_ref() => {
                return self.interrupted(due, state, &former).await;
            }
            Begun::Interrupted(_) => return Ok(Next::ReadAgain),
        }
        let oauth_client = client.as_ref().map(|chosen| &chosen.client);
        let renewed = due.app.renew(due.credential, &due.pair.access_token, oauth_client).await;
        match renewed {
            Ok(Ok(renewed)) => {
                let next = self.store_renewed(due, &state, renewed).await;
                self.note_chosen(client.as_ref(), None, &due.audit.actor).await;
                next
            }
            Ok(Err(failure)) => self.failed(due, state, client, failure).await,
            Err(error) => {
                let kind = RenewalFailureKind::UnexpectedAnswer;
                let failure = RenewalFailure { kind, detail: error.to_string(), contact: error.contact };
                self.failed(due, state, client, failure).await
            }
        }
    }

    /// Stores the renewed tokens; readers get them by reading again.
    async fn store_renewed(
        &self,
        due: &Due<'_>,
        state: &RenewalState,
        renewed: Renewed,
    ) -> Result<Next, RenewalProblem> {
        let now = Timestamp::now();
        let told = renewed.expires_at.map(Timestamp::from_millis).filter(|end| is_plausible(*end, now));
        let life = state.life_secs.map(Duration::from_secs).or(due.pair.access_life);
        let end = told.or_else(|| life.map(|life| now.after(life)));
        let state = RenewalState {
            intent: None,
            renewed_at: Some(now),
            expires_at: end,
            refresh_expires_at: renewed
                .refresh_expires_at
                .map(Timestamp::from_millis)
                .or_else(|| Some(now.after(due.pair.idle_life?))),
            life_secs: told.map(|end| left_until(end, now).as_secs()).or(state.life_secs),
            ..RenewalState::default()
        };
        let (fields, config) = replaced(due, &renewed, end);
        let write = RenewalWrite {
            key: due.key.clone(),
            id: due.record.id,
            version: due.record.version,
            pair: due.pair.access_token.clone(),
            expires_at: soonest(due, end),
            state,
            envelope: Vec::new(),
            key_id: 0,
            scopes: renewed.scopes,
            config,
            audit: AuditEvent { outcome: format!("renewed {}", due.pair.access_token), at: now, ..due.audit.clone() },
        };
        let outcome = match self.persist(write, &due.record.auth_type, &fields).await? {
            Persisted::Stored => "renewed",
            Persisted::Overtaken => "overtaken",
        };
        metrics::renewal(due.key.slug.as_str(), outcome);
        Ok(Next::ReadAgain)
    }

    /// A renewal that the provider or the plugin refused.
    async fn failed(
        &self,
        due: &Due<'_>,
        state: RenewalState,
        client: Option<Chosen>,
        failure: RenewalFailure,
    ) -> Result<Next, RenewalProblem> {
        let now = Timestamp::now();
        let code = failure.kind.code();
        metrics::renewal(due.key.slug.as_str(), code);
        let failures = state.failures.saturating_add(1);
        let asked_for = match failure.kind {
            RenewalFailureKind::RateLimited(seconds) => seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
            _ => None,
        };
        let wait = backoff::wait(failures, asked_for);
        let ended = failure.kind == RenewalFailureKind::Ended;
        let detail = match (&state.last_failure, ended) {
            (Some(former), true) if may_have_spent(former) => format!(
                "{} (the answer to the renewal at {} was lost, and may have held newer tokens)",
                failure.detail, former.at
            ),
            _ => failure.detail.clone(),
        };
        let state = RenewalState {
            intent: None,
            failures,
            next_try_at: (!ended).then(|| now.after(wait)),
            last_failure: Some(Check { at: now, outcome: code.to_owned(), detail: Some(detail.clone()) }),
            ..state
        };
        let reauth = if ended { Reauth::Required } else { due.record.reauth };
        if failure.kind == RenewalFailureKind::ClientRefused {
            self.note_chosen(client.as_ref(), Some(&detail), &due.audit.actor).await;
        }
        // The write says whether the credential was replaced meanwhile: a token that another server has renewed is not dead.
        if !self.end(due, state, reauth, code).await? {
            return Ok(Next::ReadAgain);
        }
        let down = |why: String| Err(RenewalProblem::ProviderDown { why, retry_after: wait });
        match failure.kind {
            RenewalFailureKind::Ended => Err(RenewalProblem::ReauthRequired { why: detail }),
            RenewalFailureKind::ClientRefused => {
                Err(RenewalProblem::ClientRefused { name: client.and_then(|chosen| chosen.name()), why: detail })
            }
            RenewalFailureKind::NotRenewable(_) => {
                let end = pair::end_of(due.record, due.credential, due.pair, true);
                let left = if let End::At(end) = end { Some(left_until(end, now)) } else { None };
                Err(RenewalProblem::NoRefreshToken { left })
            }
            RenewalFailureKind::Unreachable(Unreachable::Denied) => {
                Err(RenewalProblem::NotGranted { slug: due.key.slug.to_string() })
            }
            RenewalFailureKind::RateLimited(_)
            | RenewalFailureKind::Unreachable(_)
            | RenewalFailureKind::ProviderError(_)
            | RenewalFailureKind::UnexpectedAnswer => down(detail),
        }
    }

    /// A renewal before this one was interrupted, and its refresh token must not be used again. Until the access token ends, it can be
    /// used; then the user has to connect again.
    async fn interrupted(
        &self,
        due: &Due<'_>,
        state: RenewalState,
        former: &RenewalIntent,
    ) -> Result<Next, RenewalProblem> {
        let now = Timestamp::now();
        let why = format!(
            "the renewal at {} was interrupted; the refresh token may have been used then, and the provider takes each only once",
            former.at
        );
        metrics::renewal(due.key.slug.as_str(), "interrupted");
        let check = Check { at: now, outcome: "interrupted".to_owned(), detail: Some(why.clone()) };
        let state = RenewalState { last_failure: Some(check), ..state };
        if !self.end(due, state, Reauth::Required, "interrupted").await? {
            return Ok(Next::ReadAgain);
        }
        Err(RenewalProblem::ReauthRequired { why })
    }

    /// Records the end of a renewal without new tokens. `false` if the credential was replaced meanwhile.
    async fn end(
        &self,
        due: &Due<'_>,
        state: RenewalState,
        reauth: Reauth,
        outcome: &str,
    ) -> Result<bool, RenewalProblem> {
        let end = RenewalEnd {
            key: due.key.clone(),
            id: due.record.id,
            version: due.record.version,
            pair: due.pair.access_token.clone(),
            state,
            reauth,
            audit: AuditEvent { outcome: outcome.to_owned(), at: Timestamp::now(), ..due.audit.clone() },
        };
        let written = self.store.end_renewal(end).await.map_err(|error| unavailable(&error))?;
        Ok(matches!(written, Renewal::Written(_)))
    }
}

/// Whether a refresh token that an interrupted renewal may have used can be used again.
fn may_follow(rotation: Rotation, former: &RenewalIntent, now: Timestamp) -> bool {
    match rotation {
        Rotation::Stays | Rotation::UntilNextUsed => true,
        Rotation::Grace(grace) => now < former.at.after(grace),
        Rotation::SingleUse => false,
    }
}

/// Whether a renewal that failed like this may have been carried out by the provider, its answer being lost.
fn may_have_spent(failure: &Check) -> bool {
    matches!(failure.outcome.as_str(), "unreachable" | "provider_error" | "unexpected_answer")
}

/// Whether the provider's word on the end of a token is believed.
fn is_plausible(end: Timestamp, now: Timestamp) -> bool {
    (SHORTEST_LIFE..LONGEST_LIFE).contains(&left_until(end, now))
}

/// The fields of the renewed credential, and the plain values among those that the provider has changed.
fn replaced(
    due: &Due<'_>,
    renewed: &Renewed,
    end: Option<Timestamp>,
) -> (Vec<(FieldName, SharedSecret)>, BTreeMap<String, String>) {
    let mut new: Vec<(FieldName, SharedSecret)> =
        vec![(due.pair.access_token.clone(), SharedSecret::clone(&renewed.access_token))];
    if let (Some(name), Some(token)) = (&due.pair.refresh_token, &renewed.refresh_token) {
        new.push((name.clone(), SharedSecret::clone(token)));
    }
    if let (Some(name), Some(end)) = (&due.pair.expires_at, end) {
        new.push((name.clone(), plain(&(end.as_millis() / 1000).to_string())));
    }
    let mut config = BTreeMap::new();
    let schema = due.app.description.schema.auth_type(due.record.auth_type.as_str());
    for (name, text) in &renewed.fields {
        let field = schema.and_then(|schema| schema.field(name.as_str()));
        // A secret is replaced by a token alone, and a value that does not fit would make the credential unreadable.
        if field.is_some_and(|field| field.secrecy == Secrecy::Plain && field.accepts(text)) {
            new.push((name.clone(), plain(text)));
            if due.record.config.contains_key(name.as_str()) {
                config.insert(name.to_string(), text.clone());
            }
        }
    }
    let known = due.credential.fields.iter();
    let mut fields: Vec<_> = known.map(|field| (field.name.clone(), SharedSecret::clone(&field.value))).collect();
    for (name, value) in new {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => fields.push((name, value)),
        }
    }
    (fields, config)
}

fn plain(text: &str) -> SharedSecret {
    SharedSecret::new(Secret::new(text))
}

/// When the credential ends: with the first of its access tokens.
fn soonest(due: &Due<'_>, end: Option<Timestamp>) -> Option<Timestamp> {
    let others = pair::of_auth_type(&due.app.description, due.record)
        .filter(|pair| pair.access_token != due.pair.access_token)
        .filter(|pair| pair::value(due.credential, pair.access_token.as_str()).is_some());
    let ends = others.filter_map(|pair| match pair::end_of(due.record, due.credential, pair, false) {
        End::At(end) => Some(end),
        End::Unknown | End::Never => None,
    });
    ends.chain(end).min()
}

/// A renewal failed a moment ago.
fn again_at(state: &RenewalState, next: Timestamp, now: Timestamp) -> RenewalProblem {
    let why = state.last_failure.as_ref().and_then(|failure| failure.detail.clone());
    let retry_after = left_until(next, now).max(Duration::from_secs(1));
    RenewalProblem::ProviderDown { why: why.unwrap_or_else(|| "the last renewal failed".to_owned()), retry_after }
}

fn app_away(error: ServiceError) -> RenewalProblem {
    RenewalProblem::Unavailable { why: error.to_string(), retry_after: Duration::from_secs(30) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_renewal_is_repeated_where_the_provider_accepts_the_old_token() {
        let begun = Timestamp::from_millis(1_000_000);
        let former = RenewalIntent { at: begun, spent: vec![1] };
        let grace = Rotation::Grace(Duration::from_secs(1800));
        let after = |seconds| begun.after(Duration::from_secs(seconds));
        for (rotation, now, expected) in [
            (Rotation::Stays, after(1_000_000), true),
            (Rotation::UntilNextUsed, after(1_000_000), true),
            (grace, after(1799), true),
            (grace, after(1800), false),
            (Rotation::SingleUse, after(0), false),
        ] {
            assert_eq!(may_follow(rotation, &former, now), expected, "{rotation:?} {now}");
        }
    }
}
